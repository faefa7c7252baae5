//! Adds an example to every body of the document, composed of the examples of its members.

use salvo::oapi::schema::ArrayItems;
use salvo::oapi::{BasicType, Content, OpenApi, RefOr, Schema, SchemaType, Schemas};
use serde_json::{Map, Value};

pub(super) fn compose(document: &mut OpenApi) {
    let schemas = &document.components.schemas;
    for item in document.paths.values_mut() {
        for operation in item.operations.values_mut() {
            if let Some(body) = &mut operation.request_body {
                body.contents
                    .values_mut()
                    .for_each(|content| fill(content, schemas));
            }
            for response in operation.responses.values_mut() {
                if let RefOr::Type(response) = response {
                    response
                        .contents
                        .values_mut()
                        .for_each(|content| fill(content, schemas));
                }
            }
        }
    }
}

fn fill(content: &mut Content, schemas: &Schemas) {
    if content.example.is_none() && content.examples.is_empty() {
        content.example = content
            .schema
            .as_ref()
            .and_then(|schema| of(schema, schemas));
    }
}

/// An example of this schema; `None` if neither it nor its members have one.
fn of(schema: &RefOr<Schema>, schemas: &Schemas) -> Option<Value> {
    match schema {
        RefOr::Ref(reference) => {
            let name = reference.ref_location.rsplit('/').next()?;
            of(schemas.get(name)?, schemas)
        }
        RefOr::Type(Schema::Object(object)) => {
            let own = object.examples.first().or(object.default_value.as_ref());
            if let Some(value) = own {
                return Some(value.clone());
            }
            if object.schema_type == SchemaType::Basic(BasicType::Boolean) {
                return Some(Value::Bool(true));
            }
            if object.properties.is_empty() {
                return None;
            }
            let mut members = Map::new();
            for (name, property) in &object.properties {
                match of(property, schemas) {
                    Some(value) => {
                        members.insert(name.clone(), value);
                    }
                    None if object.required.contains(name) => return None,
                    None => {}
                }
            }
            Some(Value::Object(members))
        }
        RefOr::Type(Schema::Array(array)) => {
            if let Some(value) = array.examples.first() {
                return Some(value.clone());
            }
            match &array.items {
                ArrayItems::RefOrSchema(items) => {
                    of(items, schemas).map(|item| Value::Array(vec![item]))
                }
                ArrayItems::False => None,
            }
        }
        RefOr::Type(Schema::AllOf(all)) => {
            if let Some(value) = all.examples.first() {
                return Some(value.clone());
            }
            let mut members = Map::new();
            for part in &all.items {
                match of(part, schemas) {
                    Some(Value::Object(object)) => members.extend(object),
                    Some(other) => return Some(other),
                    None => {}
                }
            }
            (!members.is_empty()).then_some(Value::Object(members))
        }
        RefOr::Type(Schema::OneOf(one)) => one.items.iter().find_map(|part| of(part, schemas)),
        RefOr::Type(_) => None,
    }
}
