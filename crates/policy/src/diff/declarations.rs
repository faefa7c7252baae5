//! Changes of what a domain's schema declares. Policies are compared under the new schema alone, so whatever requests
//! and entities may say otherwise than before is not compared and counts as wider: who asks a domain chooses the
//! attributes of its question.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::SchemaFragment;
use serde_json::{Map, Value};

/// What a schema says, by name: attributes, ids and the rest of each entity type, the context of each action, and
/// common types.
pub(super) type Declarations = BTreeMap<String, Value>;

/// The declarations of both schemas without those of entity types and actions that only one of them has: nobody was
/// allowed what is new, and nothing is asked about what is gone.
pub(super) fn of_both(old: &str, new: &str) -> (Declarations, Declarations) {
    if old == new {
        return (Declarations::new(), Declarations::new());
    }
    let (Some(old_schema), Some(new_schema)) = (Declared::read(old), Declared::read(new)) else {
        let whole = |text: &str| [("the file".to_owned(), Value::from(text))].into();
        return (whole(old), whole(new));
    };
    let common: BTreeSet<&String> = old_schema
        .owners
        .keys()
        .filter(|name| new_schema.owners.contains_key(*name))
        .collect();
    (old_schema.of(&common), new_schema.of(&common))
}

#[derive(Default)]
struct Declared {
    /// By entity type or action.
    owners: BTreeMap<String, Declarations>,
    common_types: Declarations,
}

impl Declared {
    fn read(text: &str) -> Option<Self> {
        let (fragment, _) = SchemaFragment::from_cedarschema_str(text).ok()?;
        let Value::Object(namespaces) = fragment.to_json_value().ok()? else {
            return None;
        };
        let mut declared = Self::default();
        for (namespace, content) in namespaces {
            let within = |name: &str| match &*namespace {
                "" => name.to_owned(),
                namespace => format!("{namespace}::{name}"),
            };
            for (name, body) in members(&content, "entityTypes") {
                let name = within(name);
                let of_type = entity_type(&name, body);
                declared.owners.insert(format!("entity {name}"), of_type);
            }
            for (name, body) in members(&content, "actions") {
                let name = format!("action {:?}", within(name));
                let context = body.pointer("/appliesTo/context").cloned();
                let context = context.map(|context| (format!("the context of {name}"), context));
                declared.owners.insert(name, context.into_iter().collect());
            }
            for (name, body) in members(&content, "commonTypes") {
                declared
                    .common_types
                    .insert(format!("type {}", within(name)), body.clone());
            }
        }
        Some(declared)
    }

    fn of(&self, owners: &BTreeSet<&String>) -> Declarations {
        let of_owners = owners.iter().filter_map(|name| self.owners.get(*name));
        of_owners
            .chain([&self.common_types])
            .flatten()
            .map(|(name, body)| (name.clone(), body.clone()))
            .collect()
    }
}

fn members<'a>(content: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let members = content.get(name).and_then(Value::as_object);
    members.into_iter().flatten()
}

/// Each attribute and each id of an enumerated type by itself, so that a change names it.
fn entity_type(name: &str, body: &Value) -> Declarations {
    let mut rest = body.as_object().cloned().unwrap_or_default();
    rest.remove("annotations");
    let mut declared = Declarations::new();
    if let Some(Value::Array(ids)) = rest.remove("enum") {
        declared.extend(ids.iter().map(|id| (format!("{name}::{id}"), Value::Null)));
        rest.insert("enum".to_owned(), Value::Null);
    }
    if let Some(Value::Object(mut shape)) = rest.remove("shape") {
        if let Some(Value::Object(attributes)) = shape.remove("attributes") {
            let named = attributes
                .into_iter()
                .map(|(attribute, of)| (format!("{name}.{attribute}"), of));
            declared.extend(named);
        }
        // A record without attributes is what a type without a shape has.
        if shape != record() {
            rest.insert("shape".to_owned(), Value::Object(shape));
        }
    }
    if let Some(Value::Array(parents)) = rest.get_mut("memberOfTypes") {
        parents.sort_by_key(Value::to_string);
    }
    declared.insert(format!("entity {name}"), Value::Object(rest));
    declared
}

fn record() -> Map<String, Value> {
    [("type".to_owned(), Value::from("Record"))]
        .into_iter()
        .collect()
}
