//! The entity types of a schema: what may be said of an entity.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::Schema;
use cedar_policy_core::validator::types::{Attributes, Type};
use serde_json::Value;

/// The namespace of entities that the service itself knows: a question cannot make them up.
const VOUCHED: &str = "Charter";

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

/// How a value of a type is written. Only tells which attribute an error is about; Cedar finds the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JsonForm {
    Bool,
    Number,
    Text,
    Array,
    Object,
    Any,
}

impl JsonForm {
    const fn of(declared: &Type) -> Self {
        match declared {
            Type::Bool(_) => Self::Bool,
            Type::Long => Self::Number,
            Type::String => Self::Text,
            Type::Set { .. } => Self::Array,
            Type::Record { .. } | Type::Entity(_) => Self::Object,
            _ => Self::Any,
        }
    }

    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Bool => value.is_boolean(),
            Self::Number => value.is_i64(),
            Self::Text => value.is_string(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
            Self::Any => true,
        }
    }
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

    /// Whether a value is written as this attribute's are; true for what is not declared.
    pub(super) fn fits(&self, name: &str, value: &Value) -> bool {
        self.0.get(name).is_none_or(|it| it.form.fits(value))
    }

    /// The first required name that is not among these.
    pub(super) fn missing(&self, has: impl Fn(&str) -> bool) -> Option<&str> {
        let mut required = self.0.iter().filter(|(_, it)| it.is_required);
        required
            .find(|(name, _)| !has(name))
            .map(|(name, _)| name.as_str())
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
                    .is_some_and(|(namespace, _)| namespace == VOUCHED),
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
