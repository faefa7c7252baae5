//! Which of its grants a service account needs, and what it could be granted instead.

use std::collections::BTreeSet;

use cedar_policy::{EntityUid, Policy, PolicyId};

use super::report::{PolicyUse, UseCount};
use super::subject::{HeldGrants, mentions};
use super::uses::Uses;
use charter_authz::snapshot::Snapshot;

/// Which of its grants a service account needs.
pub(super) struct NeededGrants<'a> {
    pub(super) held: &'a HeldGrants,
    pub(super) uses: &'a Uses,
    pub(super) snapshot: &'a Snapshot,
}

impl NeededGrants<'_> {
    /// Alternatives: without roles, with its roles, and with one that it may not have.
    pub(super) fn candidates(&self) -> Vec<HeldGrants> {
        let id = self.held.id.clone();
        let kept = |names: &[String], is_kept: &dyn Fn(&String) -> bool| -> Vec<String> {
            names.iter().filter(|name| is_kept(name)).cloned().collect()
        };
        let permissions = kept(&self.held.permissions, &|name| self.needs_permission(name));
        let with_roles = HeldGrants {
            id: id.clone(),
            roles: kept(&self.held.roles, &|name| self.needs_role(name)),
            permissions: permissions.clone(),
        };
        if with_roles.roles.is_empty() {
            return vec![with_roles];
        }
        // Instead of a role, the permissions that it is used for.
        let used = self.uses.permissions.keys();
        let named = used.filter(|name| self.is_named("Permission", name));
        let permissions: BTreeSet<String> = named.cloned().chain(permissions).collect();
        let without_roles = HeldGrants {
            id,
            roles: kept(&self.held.roles, &|name| self.is_elsewhere_or_given(name)),
            permissions: permissions.into_iter().collect(),
        };
        let is_kept = |name: &str| without_roles.roles.iter().any(|kept| kept == name);
        let others = self.snapshot.catalogue().roles();
        let others = others.filter(|name| !is_kept(name));
        let by_one_role = others.map(|name| HeldGrants {
            roles: [without_roles.roles.clone(), vec![name.to_owned()]].concat(),
            ..with_roles.clone()
        });
        let by_one_role: Vec<HeldGrants> = by_one_role.collect();
        [without_roles, with_roles]
            .into_iter()
            .chain(by_one_role)
            .collect()
    }

    fn needs_permission(&self, name: &String) -> bool {
        let given = ("Permission".to_owned(), name.clone());
        self.uses.permissions.contains_key(name)
            || self.uses.given.contains(&given)
            || self.uses.elsewhere.permissions.contains(name)
    }

    /// Whether a policy that allowed a decision names it.
    fn needs_role(&self, name: &String) -> bool {
        let by = self.uses.by.iter();
        let mut by = by.filter_map(|id| self.snapshot.policies().policy(&PolicyId::new(id)));
        self.is_elsewhere_or_given(name) || by.any(|policy| names(policy, "Role", name))
    }

    fn is_elsewhere_or_given(&self, role: &String) -> bool {
        let given = ("Role".to_owned(), role.clone());
        self.uses.elsewhere.roles.contains(role) || self.uses.given.contains(&given)
    }

    /// Whether any policy names it.
    fn is_named(&self, of: &str, name: &str) -> bool {
        let mut policies = self.snapshot.policies().policies();
        policies.any(|policy| names(policy, of, name))
    }

    pub(super) fn report(&self) -> PolicyUse {
        let roles = self.held.roles.iter().filter(|name| !self.needs_role(name));
        let roles = roles.map(|name| format!("the role {name}"));
        let permissions = self.held.permissions.iter();
        let permissions = permissions.filter(|name| !self.needs_permission(name));
        let used = self.uses.permissions.iter();
        PolicyUse {
            policy: None,
            place: None,
            used: UseCount::all(used.map(|(name, count)| (name.as_str(), *count))),
            never: roles.chain(permissions.cloned()).collect(),
        }
    }
}

fn names(policy: &Policy, of: &str, name: &str) -> bool {
    let uid = format!("{of}::{name:?}").parse();
    let uid: Result<EntityUid, _> = uid;
    let json = policy.to_json();
    uid.is_ok_and(|uid| json.is_ok_and(|json| mentions(&json, &uid) > 0))
}
