//! Reads names out of a schema and holds them against those that the service uses.

use std::collections::BTreeSet;
use std::str::FromStr;

use cedar_policy::{EntityId, EntityUid, Schema};
use serde_json::Value;

use super::fault::Fault;
use super::source::Source;
use charter_domain::permission::Permission;

/// The groups of actions by which policies tell what changes nothing.
const GROUPS: [&str; 2] = ["reads", "writes"];

/// The ids of an enumerated entity type, from the schema's JSON form: the typed API does not give
/// them.
pub(super) fn enumerated<'a>(json: &'a Value, entity_type: &str) -> BTreeSet<&'a str> {
    json.get("")
        .and_then(|namespace| namespace.get("entityTypes")?.get(entity_type)?.get("enum"))
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// Holds the names of permissions or actions against the service's own.
pub(super) fn compare(
    found: &BTreeSet<&str>,
    what: &str,
    source: &Source,
    faults: &mut Vec<Fault>,
) {
    for permission in Permission::ALL {
        if !found.contains(permission.as_str()) {
            let declaration = match what {
                "permission" => "entity Permission",
                _ => "action \"",
            };
            faults.push(
                locate(
                    format!("the schema has no {what} `{permission}`"),
                    source,
                    declaration,
                )
                .help("the service asks about it, so the schema must know it"),
            );
        }
    }
    for &name in found {
        if Permission::from_str(name).is_err() {
            faults.push(
                locate(
                    format!("the service never asks about the {what} `{name}`"),
                    source,
                    &format!("\"{name}\""),
                )
                .help("remove it, or correct its spelling"),
            );
        }
    }
}

/// Reports actions that policies cannot tell by their groups: each is a read or a write.
pub(super) fn check_groups(
    schema: &Schema,
    actions: &[&EntityUid],
    source: &Source,
    faults: &mut Vec<Fault>,
) {
    let Ok(entities) = schema.action_entities() else {
        return;
    };
    for action in actions {
        let is_in = |group: &&str| {
            let group =
                EntityUid::from_type_name_and_id(action.type_name().clone(), EntityId::new(group));
            entities.is_ancestor_of(&group, action)
        };
        let groups = GROUPS.iter().filter(|group| is_in(group)).count();
        if groups != 1 {
            let name = action.id().unescaped();
            let found = if groups == 0 { "neither" } else { "both" };
            faults.push(
                locate(
                    format!("the action `{name}` is in {found} of the groups `reads` and `writes`"),
                    source,
                    &format!("action \"{name}\""),
                )
                .help("put it into one: policies tell by them what changes nothing"),
            );
        }
    }
}

/// Reports the ids that an enumerated entity type must have and has not.
pub(super) fn need(
    needed: &[&str],
    found: &BTreeSet<&str>,
    entity_type: &str,
    source: &Source,
    faults: &mut Vec<Fault>,
) {
    for name in needed {
        if !found.contains(name) {
            let declaration = format!("entity {entity_type}");
            faults.push(
                locate(
                    format!("the schema has no `{entity_type}::\"{name}\"`"),
                    source,
                    &declaration,
                )
                .help(format!(
                    "the service uses it; add it to `{declaration} enum [...]`"
                )),
            );
        }
    }
}

/// Points at a text in the schema; at its start, if it is not there.
pub(super) fn locate(message: String, source: &Source, text: &str) -> Fault {
    match source.inner().find(text) {
        Some(offset) => Fault::new(message).at(source, offset, text.len()),
        None => Fault::new(message).at(source, 0, 0),
    }
}
