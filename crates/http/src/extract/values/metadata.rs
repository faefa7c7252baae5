use salvo::oapi::{Components, Object, Ref, RefOr, Schema, SchemaType, ToSchema};
use serde_json::{Map, Value, json};

use charter_domain::metadata::{
    MAX_BYTES, MAX_DEPTH, MAX_KEY_CHARACTERS, MAX_KEYS, Metadata, MetadataError, MetadataPatch,
};

use crate::extract::body_value::{BodyValue, Broken, described, nullable, text};
use crate::respond::ApiError;

/// The largest integer that every JSON library reads exactly: 2^53 − 1.
const MAX_NUMBER: i64 = 9_007_199_254_740_991;

const VALUE: &str = "MetadataValue";

impl BodyValue for Metadata {
    type Json = Map<String, Value>;

    fn parse(object: Self::Json) -> Result<Self, Broken> {
        Self::new(object).map_err(|error| Broken::at(error.pointer.clone(), error))
    }

    fn schema(components: &mut Components) -> RefOr<Schema> {
        MetadataSchema::to_schema(components)
    }
}

/// A JSON Merge Patch (RFC 7396). The result is checked when it is merged.
impl BodyValue for MetadataPatch {
    type Json = Option<Map<String, Value>>;

    fn parse(object: Self::Json) -> Result<Self, Broken> {
        Ok(object.map_or(Self::Clear, Self::Merge))
    }

    fn schema(components: &mut Components) -> RefOr<Schema> {
        let patch = Object::new()
            .description(
                "Merged into the existing data, whose limits hold for the result; a null member removes its key.",
            )
            .additional_properties(Ref::from_schema_name(VALUE))
            .examples([json!({"cost_center": "42"})]);
        let patch = register(components, "MetadataPatch", patch);
        described(nullable(patch), &["Null removes all keys."], None)
    }
}

/// The merged metadata is invalid; every body calls the field `metadata`.
impl From<MetadataError> for ApiError {
    fn from(error: MetadataError) -> Self {
        Self::broken(format!("/metadata{}", error.pointer), error)
    }
}

/// The metadata of tenants' resources (contract section 4), in response bodies.
pub struct MetadataSchema;

impl ToSchema for MetadataSchema {
    fn to_schema(components: &mut Components) -> RefOr<Schema> {
        let notes = schema("The tenant's own data. Policies do not read it.");
        register(components, "Metadata", notes)
    }
}

fn schema(description: &str) -> Object {
    let key = text().min_length(1).max_length(MAX_KEY_CHARACTERS);
    let kib = MAX_BYTES / 1024;
    Object::new()
        .description(format!(
            "{description} At most {MAX_KEYS} keys, {kib} KiB as compact JSON, objects and arrays \
             {MAX_DEPTH} deep, numbers within ±(2^53 − 1)."
        ))
        .max_properties(MAX_KEYS)
        .property_names(key)
        .additional_properties(Ref::from_schema_name(VALUE))
        .examples([json!({"cost_center": "42"})])
}

/// Any JSON value, with bounded numbers at every depth.
fn value() -> Object {
    // Without a type, so that the bounds apply to numbers and other values pass. Salvo's `Object` has no member
    // `items`.
    let any = Ref::from_schema_name(VALUE);
    let mut value = Object::with_type(SchemaType::AnyValue)
        .minimum(-MAX_NUMBER)
        .maximum(MAX_NUMBER)
        .additional_properties(any.clone());
    value.extensions.insert("items".to_owned(), json!(any));
    value
}

fn register(components: &mut Components, name: &str, schema: Object) -> RefOr<Schema> {
    for (name, schema) in [(VALUE, value()), (name, schema)] {
        components.schemas.insert(name.to_owned(), schema);
    }
    Ref::from_schema_name(name).into()
}
