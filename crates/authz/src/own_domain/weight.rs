//! About how much memory a question takes, for those who keep many.

use cedar_policy::Entities;
use serde_json::{Map, Value};

use super::question::DomainQuestion;
use crate::json::is_action;

/// Of an entity with a few attributes.
const ENTITY: usize = 512;
/// Of a value that is no text.
const VALUE: usize = 16;

pub(super) fn of(question: &DomainQuestion<'_>, entities: &Entities) -> usize {
    let entities = entities.iter().filter(|entity| !is_action(&entity.uid()));
    let given = [
        question.subject.properties,
        question.resource.properties,
        question.action_properties,
        question.context,
    ];
    let ids = question.subject.id.len() + question.resource.id.len();
    ids + entities.count() * ENTITY + given.into_iter().map(of_members).sum::<usize>()
}

fn of_members(members: &Map<String, Value>) -> usize {
    let of_member = |(name, value): (&String, &Value)| name.len() + of_value(value);
    members.iter().map(of_member).sum()
}

fn of_value(value: &Value) -> usize {
    VALUE
        + match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(of_value).sum(),
            Value::Object(members) => of_members(members),
            _ => 0,
        }
}
