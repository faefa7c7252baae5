//! The entity types of a schema: what may be said of an entity.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::Schema;
use cedar_policy_core::validator::types::Attributes;
use serde_json::Value;

use crate::entity_ids::STORE_NAMESPACE;

use super::json_form::{JsonForm, Misfit};

#[derive(Debug)]
pub(super) struct EntityTypes(BTreeMap<String, EntityType>);

#[derive(Debug)]
pub(super) struct EntityType {
    pub(super) attributes: Declared,
    /// The types that its entities may be in, directly or not.
    pub(super) ancestors: BTreeSet<String>,
    /// The only ids that there are; `None` if any is.
    pub(super) ids: Option<BTreeSet<String>>,
    /// Only facts say what of it there is.
    pub(super) is_vouched: bool,
}

/// Attributes by name.
#[derive(Debug, Default)]
pub(super) struct Declared(BTreeMap<String, DeclaredAttribute>);

#[derive(Debug)]
struct DeclaredAttribute {
    is_required: bool,
    form: JsonForm,
}

impl Declared {
    pub(super) fn of(attributes: &Attributes) -> Self {
        let each = attributes.iter();
        Self(
            each.map(|(name, declared)| {
                let attribute = DeclaredAttribute {
                    is_required: declared.is_required,
                    form: JsonForm::of(&declared.attr_type),
                };
                (name.to_string(), attribute)
            })
            .collect(),
        )
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Where a value is not written as this attribute's are; `None` also for what is not declared.
    pub(super) fn misfit(&self, name: &str, value: &Value) -> Option<Misfit> {
        self.0.get(name)?.form.misfit(value)
    }

    /// How values of this attribute are written.
    pub(super) fn form(&self, name: &str) -> Option<&JsonForm> {
        Some(&self.0.get(name)?.form)
    }

    /// The value without what the schema does not declare of it.
    pub(super) fn declared_part(&self, name: &str, value: &Value) -> Value {
        self.form(name)
            .map_or_else(|| value.clone(), |form| form.declared_part(value))
    }

    /// How values of this attribute are written, if a text can be none of its type.
    pub(super) fn rule_of_text(&self, name: &str) -> Option<String> {
        self.0.get(name)?.form.rule_of_text()
    }

    /// The names that must be there, in their order.
    pub(super) fn required(&self) -> impl Iterator<Item = &str> {
        let required = self.0.iter().filter(|(_, it)| it.is_required);
        required.map(|(name, _)| name.as_str())
    }

    /// The first required name that is not among these.
    pub(super) fn missing(&self, has: impl Fn(&str) -> bool) -> Option<&str> {
        self.required().find(|name| !has(name))
    }
}

impl EntityTypes {
    /// `json` is the schema's JSON form.
    pub(super) fn of(schema: &Schema, json: &Value) -> Self {
        let core = schema.as_ref();
        let enumerated = enumerated(json);
        let types = core.entity_types().map(|declared| {
            let name = declared.name().to_string();
            let ancestors = core
                .entity_types()
                .filter(|other| other.has_descendant_entity_type(declared.name()))
                .map(|other| other.name().to_string());
            let of = EntityType {
                attributes: Declared::of(declared.attributes()),
                ancestors: ancestors.collect(),
                is_vouched: name
                    .split_once("::")
                    .is_some_and(|(namespace, _)| namespace == STORE_NAMESPACE),
                ids: enumerated.get(&name).cloned(),
            };
            (name, of)
        });
        Self(types.collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&EntityType> {
        self.0.get(name)
    }
}

/// The ids of the enumerated types, which the typed schema does not show.
fn enumerated(json: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for (namespace, content) in json.as_object().into_iter().flatten() {
        let types = content.get("entityTypes").and_then(Value::as_object);
        for (name, declared) in types.into_iter().flatten() {
            let Some(ids) = declared.get("enum").and_then(Value::as_array) else {
                continue;
            };
            let name = if namespace.is_empty() {
                name.clone()
            } else {
                format!("{namespace}::{name}")
            };
            let ids = ids.iter().filter_map(Value::as_str).map(str::to_owned);
            found.insert(name, ids.collect());
        }
    }
    found
}
