//! About how much memory a question takes, for those who keep many.

use cedar_policy::Entities;
use serde_json::{Map, Value};

use super::question::DomainQuestion;
use crate::json::is_action;

/// Of an entity with a few attributes.
const ENTITY: usize = 512;
/// Of a value that is no text.
const VALUE: usize = 128;

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
