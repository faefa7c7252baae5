//! Reads names from a schema and compares them with those of the service.

use std::collections::BTreeSet;
use std::str::FromStr;

use cedar_policy::{EntityId, EntityUid, Schema};
use serde_json::Value;

use super::fault::FolderFault;
use super::source::Source;
use charter_domain::permission::Permission;
use charter_domain::text::is_hidden;

/// Groups by which policies distinguish reads from writes.
const GROUPS: [&str; 2] = ["reads", "writes"];

/// The ids of an enumerated entity type, from the schema's JSON form: the typed API does not expose
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

/// Reports ids of enumerated types and names of actions that are not what they look like.
pub(super) fn check_visible(json: &Value, source: &Source, faults: &mut Vec<FolderFault>) {
    let declared = |namespace: &Value, member: &str| {
        let declared = namespace.get(member).and_then(Value::as_object).cloned();
        declared.into_iter().flatten()
    };
    for (_, namespace) in json.as_object().into_iter().flatten() {
        for (name, entity_type) in declared(namespace, "entityTypes") {
            let ids = entity_type.get("enum").and_then(Value::as_array);
            let ids = ids.into_iter().flatten().filter_map(Value::as_str);
            for id in ids.filter(|id| id.contains(is_hidden)) {
                let message = format!("the id `{}` of `{name}` has a hidden character", shown(id));
                faults.push(hidden(message, source, &format!("entity {name}")));
            }
        }
        for (name, _) in declared(namespace, "actions") {
            if name.contains(is_hidden) {
                let message = format!("the action `{}` has a hidden character", shown(&name));
                faults.push(hidden(message, source, "action \""));
            }
        }
    }
}

fn hidden(message: String, source: &Source, declaration: &str) -> FolderFault {
    fault_at(message, source, declaration)
        .help("people compare names by what they see: write it without")
}

/// With hidden characters as `\u{…}`.
fn shown(name: &str) -> String {
    let spelled = name.chars().map(|character| {
        if is_hidden(character) {
            character.escape_unicode().to_string()
        } else {
            character.to_string()
        }
    });
    spelled.collect()
}

/// Compares the names of permissions or actions with the service's.
pub(super) fn check_names(
    found: &BTreeSet<&str>,
    what: &str,
    source: &Source,
    faults: &mut Vec<FolderFault>,
) {
    for permission in Permission::ALL {
        if !found.contains(permission.as_str()) {
            let declaration = match what {
                "permission" => "entity Permission",
                _ => "action \"",
            };
            faults.push(
                fault_at(
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
                fault_at(
                    format!("the service never asks about the {what} `{name}`"),
                    source,
                    &format!("\"{name}\""),
                )
                .help("remove it, or correct its spelling"),
            );
        }
    }
}

/// Reports actions that are not in exactly one of the two groups.
pub(super) fn check_groups(
    schema: &Schema,
    actions: &[&EntityUid],
    source: &Source,
    faults: &mut Vec<FolderFault>,
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
                fault_at(
                    format!("the action `{name}` is in {found} of the groups `reads` and `writes`"),
                    source,
                    &format!("action \"{name}\""),
                )
                .help("put it into one: policies tell by them what changes nothing"),
            );
        }
    }
}

/// Reports required ids that an enumerated entity type lacks.
pub(super) fn require_ids(
    needed: &[&str],
    found: &BTreeSet<&str>,
    entity_type: &str,
    source: &Source,
    faults: &mut Vec<FolderFault>,
) {
    for name in needed {
        if !found.contains(name) {
            let declaration = format!("entity {entity_type}");
            faults.push(
                fault_at(
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

/// Points at a text in the schema, or at its start if the text does not occur.
pub(super) fn fault_at(message: String, source: &Source, text: &str) -> FolderFault {
    match source.inner().find(text) {
        Some(offset) => FolderFault::new(message).at(source, offset, text.len()),
        None => FolderFault::new(message).at(source, 0, 0),
    }
}
