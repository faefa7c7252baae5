//! The attributes and parents of each entity type, as the schema declares them.

use std::collections::{HashMap, HashSet};

use cedar_policy::{Entity, EntityAttrEvaluationError, EntityUid, RestrictedExpression};

/// Why an entity could not be built.
pub(super) type BuildError = Box<EntityAttrEvaluationError>;

pub(super) fn organization(
    uid: EntityUid,
    is_active: bool,
    plan_tier: &str,
) -> Result<Entity, BuildError> {
    let plan_tier = RestrictedExpression::new_string(plan_tier.to_owned());
    entity(
        uid,
        [("is_active", boolean(is_active)), ("plan_tier", plan_tier)],
        [],
    )
}

pub(super) fn account(
    uid: EntityUid,
    organization: EntityUid,
    is_default: bool,
    is_active: bool,
) -> Result<Entity, BuildError> {
    entity(
        uid,
        [
            ("organization", reference(&organization)),
            ("is_default", boolean(is_default)),
            ("is_active", boolean(is_active)),
        ],
        [organization],
    )
}

/// `grants` are its roles and permissions.
pub(super) fn service_account(
    uid: EntityUid,
    organization: &EntityUid,
    account: EntityUid,
    is_active: bool,
    grants: impl Iterator<Item = EntityUid>,
) -> Result<Entity, BuildError> {
    entity(
        uid,
        [
            ("organization", reference(organization)),
            ("account", reference(&account)),
            ("is_active", boolean(is_active)),
        ],
        grants.chain([account]),
    )
}

pub(super) fn access_key(
    uid: EntityUid,
    organization: &EntityUid,
    service_account: EntityUid,
) -> Result<Entity, BuildError> {
    entity(
        uid,
        [
            ("organization", reference(organization)),
            ("service_account", reference(&service_account)),
        ],
        [service_account],
    )
}

pub(super) fn user(
    uid: EntityUid,
    organization: &EntityUid,
    is_active: bool,
    email_verified: bool,
    role: Option<EntityUid>,
) -> Result<Entity, BuildError> {
    entity(
        uid,
        [
            ("organization", reference(organization)),
            ("is_active", boolean(is_active)),
            ("email_verified", boolean(email_verified)),
        ],
        role,
    )
}

fn entity<const N: usize>(
    uid: EntityUid,
    attributes: [(&str, RestrictedExpression); N],
    parents: impl IntoIterator<Item = EntityUid>,
) -> Result<Entity, BuildError> {
    let attributes: HashMap<_, _> = attributes
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let parents: HashSet<_> = parents.into_iter().collect();
    Entity::new(uid, attributes, parents).map_err(Box::new)
}

fn boolean(value: bool) -> RestrictedExpression {
    RestrictedExpression::new_bool(value)
}

fn reference(to: &EntityUid) -> RestrictedExpression {
    RestrictedExpression::new_entity_uid(to.clone())
}
