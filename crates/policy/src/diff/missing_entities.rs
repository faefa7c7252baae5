//! Roles and permissions that only one of two schemas has. The service denies every question about
//! a name that its schema does not have, and ignores a grant of it.

use std::collections::BTreeSet;

use cedar_policy::{EntityId, EntityTypeName, EntityUid, Policy, PolicyId};

use charter_authz::catalogue::Catalogue;
use charter_authz::snapshot::Snapshot;

/// Roles and permissions that one schema has and the other lacks.
pub(super) fn missing_entities(has: &Snapshot, lacks: &Snapshot) -> Result<Vec<EntityUid>, String> {
    let (has, lacks) = (has.catalogue(), lacks.catalogue());
    let roles = |of: &Catalogue| of.roles().map(str::to_owned).collect();
    let permissions = |of: &Catalogue| of.permissions().map(str::to_owned).collect();
    let roles = difference(roles(has), &roles(lacks), "Role")?;
    let permissions = difference(permissions(has), &permissions(lacks), "Permission")?;
    Ok([roles, permissions].concat())
}

fn difference(
    has: BTreeSet<String>,
    lacks: &BTreeSet<String>,
    entity_type: &str,
) -> Result<Vec<EntityUid>, String> {
    let entity_type: EntityTypeName = entity_type
        .parse()
        .map_err(|error| format!("{entity_type}: {error}"))?;
    let uid = |name| EntityUid::from_type_name_and_id(entity_type.clone(), EntityId::new(name));
    let names = has.into_iter().filter(|name| !lacks.contains(name));
    Ok(names.map(uid).collect())
}

/// A forbid that does what the service does for an entity missing from its schema.
pub(super) fn denial_of(missing: &EntityUid) -> Result<Policy, String> {
    let id = PolicyId::new(format!("lack of {missing}"));
    let text = format!("forbid (principal, action, resource == {missing});");
    Policy::parse(Some(id), text).map_err(|error| error.to_string())
}
