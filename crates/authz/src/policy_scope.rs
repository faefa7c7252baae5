//! What the scope of a policy covers.

use std::collections::HashSet;

use cedar_policy::{
    ActionConstraint, Entities, EntityUid, PrincipalConstraint, ResourceConstraint,
};

/// An action with its groups.
pub(crate) fn names_of(action: &EntityUid, actions: &Entities) -> HashSet<EntityUid> {
    actions
        .ancestors(action)
        .into_iter()
        .flatten()
        .chain([action])
        .cloned()
        .collect()
}

/// Whether a scope covers the action of these [`names_of`]. One that names a group itself counts, too: it costs an
/// evaluation and changes nothing.
pub(crate) fn covers_action(constraint: &ActionConstraint, names: &HashSet<EntityUid>) -> bool {
    match constraint {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => names.contains(uid),
        ActionConstraint::In(uids) => uids.iter().any(|uid| names.contains(uid)),
    }
}

/// The principal or ancestor that a scope requires.
pub(crate) fn named_principal(constraint: &PrincipalConstraint) -> Option<EntityUid> {
    match constraint {
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => None,
        PrincipalConstraint::Eq(uid)
        | PrincipalConstraint::In(uid)
        | PrincipalConstraint::IsIn(_, uid) => Some(uid.clone()),
    }
}

/// The resource or ancestor that a scope requires.
pub(crate) fn named_resource(constraint: &ResourceConstraint) -> Option<EntityUid> {
    match constraint {
        ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
        ResourceConstraint::Eq(uid)
        | ResourceConstraint::In(uid)
        | ResourceConstraint::IsIn(_, uid) => Some(uid.clone()),
    }
}
