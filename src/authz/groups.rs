//! The policies that can matter to a question, chosen at load by their scopes.
//!
//! A decision evaluates one group instead of the whole set; a policy left out of a group could
//! neither be satisfied nor fail, because its scope cannot match.

use std::collections::BTreeSet;

use cedar_policy::{
    ActionConstraint, Entities, EntityUid, Policy, PolicySet, PolicySetError, PrincipalConstraint,
};

use super::catalogue::Catalogue;
use super::question::PrincipalKind;
use crate::domain::permission::Permission;

/// A policy set for each permission and type of principal.
#[derive(Debug)]
pub(super) struct Groups(Vec<PolicySet>);

impl Groups {
    /// Sorts the policies of a set. `actions` are the schema's actions with their groups.
    pub(super) fn new(
        policies: &PolicySet,
        catalogue: &Catalogue,
        actions: &Entities,
    ) -> Result<Self, Box<PolicySetError>> {
        // Without their text, which only reports need: a policy may be in many groups.
        let bare: Vec<(Policy, ActionConstraint, PrincipalConstraint)> = policies
            .policies()
            .map(|policy| {
                (
                    Policy::from(policy.as_ref().clone()),
                    policy.action_constraint(),
                    policy.principal_constraint(),
                )
            })
            .collect();
        let mut groups = Vec::new();
        for action in catalogue.action_uids() {
            let mut names: BTreeSet<&EntityUid> =
                actions.ancestors(action).into_iter().flatten().collect();
            names.insert(action);
            for kind in PrincipalKind::ALL {
                let candidates = bare
                    .iter()
                    .filter(|(_, action, principal)| {
                        action_matches(action, &names) && principal_matches(principal, kind)
                    })
                    .map(|(policy, _, _)| policy.clone());
                groups.push(PolicySet::from_policies(candidates).map_err(Box::new)?);
            }
        }
        Ok(Self(groups))
    }

    pub(super) fn get(&self, permission: Permission, kind: PrincipalKind) -> Option<&PolicySet> {
        let kinds = PrincipalKind::ALL.len();
        self.0.get(permission.index() * kinds + kind as usize)
    }
}

/// `names` are the action and the groups it is in.
fn action_matches(constraint: &ActionConstraint, names: &BTreeSet<&EntityUid>) -> bool {
    match constraint {
        ActionConstraint::Any => true,
        // A policy on a group itself is kept, too: it costs an evaluation and changes nothing.
        ActionConstraint::Eq(uid) => names.contains(uid),
        ActionConstraint::In(uids) => uids.iter().any(|uid| names.contains(uid)),
    }
}

/// An `in` may match any type, since it looks at ancestors; `is` and `==` name the type.
fn principal_matches(constraint: &PrincipalConstraint, kind: PrincipalKind) -> bool {
    match constraint {
        PrincipalConstraint::Any | PrincipalConstraint::In(_) => true,
        PrincipalConstraint::Is(name) | PrincipalConstraint::IsIn(name, _) => {
            name.to_string() == kind.type_name()
        }
        PrincipalConstraint::Eq(uid) => uid.type_name().to_string() == kind.type_name(),
    }
}
