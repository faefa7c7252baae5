//! How large a question is, and about how much memory it takes, for those who keep many.

use cedar_policy::Entities;
use serde_json::{Map, Value};

use super::question::DomainQuestion;
use crate::json::is_action;

/// Of an entity with a few attributes.
const ENTITY: usize = 512;
/// Of a value that is no text.
const VALUE: usize = 128;

/// Of properties and context.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// Of texts and names.
    pub(super) bytes: usize,
    pub(super) values: usize,
}

impl Size {
    pub(super) const NONE: Self = Self {
        bytes: 0,
        values: 0,
    };
    const ANY: Self = Self {
        bytes: usize::MAX,
        values: usize::MAX,
    };

    /// Adds the members, until it is more than that; whether it is not.
    pub(super) fn add(&mut self, members: &Map<String, Value>, most: Self) -> bool {
        members.iter().all(|(name, value)| {
            self.bytes += name.len();
            self.add_value(value, most)
        })
    }

    fn add_value(&mut self, value: &Value, most: Self) -> bool {
        self.values += 1;
        if let Value::String(text) = value {
            self.bytes += text.len();
        }
        self.bytes <= most.bytes
            && self.values <= most.values
            && match value {
                Value::Array(items) => items.iter().all(|item| self.add_value(item, most)),
                Value::Object(members) => self.add(members, most),
                _ => true,
            }
    }
}

pub(super) fn of(question: &DomainQuestion<'_>, entities: &Entities) -> usize {
    let entities = entities.iter().filter(|entity| !is_action(&entity.uid()));
    let mut size = Size::NONE;
    for members in [
        question.subject.properties,
        question.resource.properties,
        question.action_properties,
        question.context,
    ] {
        size.add(members, Size::ANY);
    }
    let ids = question.subject.id.len() + question.resource.id.len();
    ids + size.bytes + size.values * VALUE + entities.count() * ENTITY
}
