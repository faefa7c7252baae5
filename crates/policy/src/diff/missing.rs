//! Names that only one of two schemas has. The service denies what is asked about a role or a
//! permission that its schema does not have; who has one that is not there, has nothing.

use std::collections::BTreeSet;

use cedar_policy::{EntityId, EntityTypeName, EntityUid, Policy, PolicyId};

use charter_authz::catalogue::Catalogue;
use charter_authz::snapshot::Snapshot;

/// Things that one schema has and the other does not.
pub(super) fn missing(has: &Snapshot, lacks: &Snapshot) -> Result<Vec<EntityUid>, String> {
    let (has, lacks) = (has.catalogue(), lacks.catalogue());
    let roles = |of: &Catalogue| of.roles().map(str::to_owned).collect();
    let permissions = |of: &Catalogue| of.permissions().map(str::to_owned).collect();
    let roles = only(roles(has), &roles(lacks), "Role")?;
    let permissions = only(permissions(has), &permissions(lacks), "Permission")?;
    Ok([roles, permissions].concat())
}

fn only(
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

/// What the service does where a thing is not in its schema, as a policy.
pub(super) fn denial(missing: &EntityUid) -> Result<Policy, String> {
    let id = PolicyId::new(format!("lack of {missing}"));
    let text = format!("forbid (principal, action, resource == {missing});");
    Policy::parse(Some(id), text).map_err(|error| error.to_string())
}
