//! Schemas that several bodies share, for the OpenAPI document.

use salvo::oapi::{BasicType, Components, Object, Ref, RefOr, Schema, SchemaType, ToSchema};
use serde_json::json;

/// The largest whole number that every JSON library keeps: 2^53 − 1.
const MAX_NUMBER: i64 = 9_007_199_254_740_991;

const VALUE: &str = "MetadataValue";

/// The notes that tenants keep on their things (contract section 4).
pub(super) struct MetadataSchema;

impl ToSchema for MetadataSchema {
    fn to_schema(components: &mut Components) -> RefOr<Schema> {
        let notes = metadata("The tenant's own notes. Policies never read them.");
        register(components, "Metadata", notes)
    }
}

/// A JSON Merge Patch (RFC 7396) of such notes.
pub(super) struct MetadataPatchSchema;

impl ToSchema for MetadataPatchSchema {
    fn to_schema(components: &mut Components) -> RefOr<Schema> {
        let patch = metadata("Merged into what is there; a null member removes its key.");
        register(components, "MetadataPatch", patch)
    }
}

fn metadata(description: &str) -> Object {
    let key = Object::with_type(BasicType::String)
        .min_length(1)
        .max_length(64);
    Object::new()
        .description(format!(
            "{description} At most 50 keys, 16 KiB as compact JSON, objects and arrays 5 deep, \
             numbers within ±(2^53 − 1)."
        ))
        .max_properties(50)
        .property_names(key)
        .additional_properties(Ref::from_schema_name(VALUE))
        .examples([json!({"cost_center": "42"})])
}

/// Any JSON, its numbers within bounds at every depth.
fn value() -> Object {
    // Without a type: the bounds are about numbers, other values pass. `items` is no member of
    // Salvo's `Object`.
    let any = Ref::from_schema_name(VALUE);
    let mut value = Object::with_type(SchemaType::AnyValue)
        .minimum(-MAX_NUMBER)
        .maximum(MAX_NUMBER)
        .additional_properties(any.clone());
    value.extensions.insert("items".to_owned(), json!(any));
    value
}

fn register(components: &mut Components, name: &str, schema: Object) -> RefOr<Schema> {
    components
        .schemas
        .insert(VALUE.to_owned(), RefOr::Type(Schema::from(value())));
    components
        .schemas
        .insert(name.to_owned(), RefOr::Type(Schema::from(schema)));
    RefOr::Ref(Ref::from_schema_name(name))
}
