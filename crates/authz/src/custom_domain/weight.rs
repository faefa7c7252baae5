//! How large a question may be, and about how much memory it takes, for those who keep many.

use cedar_policy::Entities;
use serde_json::{Map, Value};

use super::question::{BadProperty, DomainQuestion};
use crate::json::is_action;

/// Of texts and names in all properties and the context together.
const MAX_BYTES: usize = 64 * 1024;
/// Of all values in them. Evaluation takes time by each.
const MAX_VALUES: usize = 1_000;
/// Of an entity with a few attributes.
const ENTITY: usize = 512;
/// Of a value that is no text.
const VALUE: usize = 128;

/// # Errors
///
/// The question is too large: what exceeds the limits is named.
pub(super) fn check(question: &DomainQuestion<'_>) -> Result<(), BadProperty> {
    let (mut bytes, mut values) = (0, 0);
    for (pointer, members) in [
        ("/subject/properties", question.subject.properties),
        ("/resource/properties", question.resource.properties),
        ("/action/properties", question.action_properties),
        ("/context", question.context),
    ] {
        count(members, &mut bytes, &mut values);
        if bytes > MAX_BYTES || values > MAX_VALUES {
            return Err(BadProperty {
                pointer: pointer.to_owned(),
                message: format!(
                    "is too large: properties and context may have {MAX_VALUES} values and {MAX_BYTES} bytes in all"
                ),
            });
        }
    }
    Ok(())
}

fn count(members: &Map<String, Value>, bytes: &mut usize, values: &mut usize) {
    for (name, value) in members {
        *bytes += name.len();
        count_value(value, bytes, values);
    }
}

fn count_value(value: &Value, bytes: &mut usize, values: &mut usize) {
    *values += 1;
    match value {
        Value::String(text) => *bytes += text.len(),
        Value::Array(items) => {
            for item in items {
                count_value(item, bytes, values);
            }
        }
        Value::Object(members) => count(members, bytes, values),
        _ => {}
    }
}

pub(super) fn of(question: &DomainQuestion<'_>, entities: &Entities) -> usize {
    let entities = entities.iter().filter(|entity| !is_action(&entity.uid()));
    let (mut bytes, mut values) = (0, 0);
    for members in [
        question.subject.properties,
        question.resource.properties,
        question.action_properties,
        question.context,
    ] {
        count(members, &mut bytes, &mut values);
    }
    let ids = question.subject.id.len() + question.resource.id.len();
    ids + bytes + values * VALUE + entities.count() * ENTITY
}
