//! Who a permit can be about at all, from the scopes of the permits: searches look at nobody else.
//!
//! A permit whose scope names neither a principal nor a group may permit anybody. Whoever is looked at is then asked
//! about, so that this decides nothing; it must only never leave out somebody who may be permitted.

use std::collections::BTreeSet;

use cedar_policy::{Effect, EntityTypeName, EntityUid, Policy, PrincipalConstraint};

use super::json::Uid;
use super::kinds::{PrincipalKind, ResourceKind};
use super::policy_scope::{covers_action, names_of};
use super::snapshot::Snapshot;
use charter_domain::permission::Permission;

impl Snapshot {
    /// The permits whose scope covers the action.
    pub(crate) fn permits_of(&self, action: &EntityUid) -> impl Iterator<Item = &Policy> {
        let names = names_of(action, &self.actions);
        self.policies.policies().filter(move |policy| {
            policy.effect() == Effect::Permit && covers_action(&policy.action_constraint(), &names)
        })
    }

    /// The principals and groups that permits of this permission name in their scopes; `None` if one names none and
    /// so may permit anybody.
    pub fn named_in_permits(
        &self,
        permission: Permission,
        kind: PrincipalKind,
        resource: ResourceKind,
    ) -> Option<BTreeSet<Uid>> {
        if self.catalogue.action(permission, kind, resource).is_none() {
            // It is not asked about such a resource.
            return Some(BTreeSet::new());
        }
        let action = self.catalogue.action_uids().nth(permission.index())?;
        let mut scopes = BTreeSet::new();
        for policy in self.permits_of(action) {
            let is_kind = |name: &EntityTypeName| name.to_string() == kind.type_name();
            match policy.principal_constraint() {
                PrincipalConstraint::Any => return None,
                PrincipalConstraint::Is(name) if is_kind(&name) => return None,
                PrincipalConstraint::Is(_) => {}
                PrincipalConstraint::IsIn(name, _) if !is_kind(&name) => {}
                PrincipalConstraint::Eq(uid)
                | PrincipalConstraint::In(uid)
                | PrincipalConstraint::IsIn(_, uid) => {
                    scopes.insert(Uid::of(&uid));
                }
            }
        }
        Some(scopes)
    }
}
