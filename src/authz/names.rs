//! Reads names out of a schema and holds them against those that the service uses.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde_json::Value;

use super::fault::{Fault, Source};
use crate::domain::permission::Permission;

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
