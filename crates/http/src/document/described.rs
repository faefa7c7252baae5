//! Puts the description of a text of its own type (an id, for one) beside its other members: the derive macro writes
//! `allOf` with the type's schema and the description.

use salvo::oapi::schema::AllOf;
use salvo::oapi::{BasicType, Object, OpenApi, RefOr, Schema, SchemaType};

pub(super) fn merge(document: &mut OpenApi) {
    for schema in document.components.schemas.values_mut() {
        if let RefOr::Type(Schema::Object(object)) = schema {
            for member in object.properties.values_mut() {
                if let RefOr::Type(Schema::AllOf(all)) = &*member
                    && let Some(merged) = described_text(all)
                {
                    *member = merged;
                }
            }
        }
    }
}

fn described_text(all: &AllOf) -> Option<RefOr<Schema>> {
    match all.items.as_slice() {
        [
            RefOr::Type(Schema::Object(text)),
            RefOr::Type(Schema::Object(note)),
        ] if text.schema_type == SchemaType::Basic(BasicType::String) => {
            let mut text = Object::clone(text);
            text.description.clone_from(&note.description);
            Some(text.into())
        }
        _ => None,
    }
}
