//! The information model (`AuthZEN` section 5): subject, action, resource, context. Unknown members are ignored.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::respond::{ApiError, Code, echo};

pub(crate) use charter_authz::custom_domain::SearchKind;

type Object = Map<String, Value>;

/// A subject or a resource.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entity {
    pub(crate) of: String,
    /// Empty in the place of what a search looks for.
    pub(crate) id: String,
    pub(crate) properties: Arc<Object>,
}

impl Entity {
    pub(crate) fn is_other_than(&self, other: &Self) -> bool {
        (&self.of, &self.id) != (&other.of, &other.id)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Action {
    pub(crate) name: String,
    pub(crate) properties: Arc<Object>,
}

/// May this subject do that to this resource?
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) subject: Entity,
    pub(crate) action: Action,
    pub(crate) resource: Entity,
    pub(crate) context: Arc<Object>,
}

/// What the top level of a request gives: each part is a default for the parts of `evaluations`, which share it, and
/// is replaced whole.
#[derive(Debug, Clone, Default)]
pub(crate) struct QuestionParts {
    subject: Option<Entity>,
    action: Option<Action>,
    resource: Option<Entity>,
    context: Option<Arc<Object>>,
}

impl QuestionParts {
    /// # Errors
    ///
    /// 400: a part is there and not what it must be.
    pub(crate) fn read(object: &Object) -> Result<Self, ApiError> {
        Ok(Self {
            subject: part(object, "subject", |it| entity(it, "subject", Wanted::Whole))?,
            action: part(object, "action", action)?,
            resource: part(object, "resource", |it| {
                entity(it, "resource", Wanted::Whole)
            })?,
            context: part(object, "context", |it| Ok(Arc::new(it.clone())))?,
        })
    }

    /// With entities, and values within properties and context, as these spell them.
    pub(crate) fn respelled(mut self, entity: fn(&mut Entity), values: fn(&mut Object)) -> Self {
        for each in [&mut self.subject, &mut self.resource]
            .into_iter()
            .flatten()
        {
            entity(each);
        }
        let properties = self.action.as_mut().map(|action| &mut action.properties);
        for each in [properties, self.context.as_mut()].into_iter().flatten() {
            values(Arc::make_mut(each));
        }
        self
    }

    pub(crate) fn or(self, defaults: &Self) -> Self {
        Self {
            subject: self.subject.or_else(|| defaults.subject.clone()),
            action: self.action.or_else(|| defaults.action.clone()),
            resource: self.resource.or_else(|| defaults.resource.clone()),
            context: self.context.or_else(|| defaults.context.clone()),
        }
    }

    /// # Errors
    ///
    /// 400: a part is missing.
    pub(crate) fn question(self) -> Result<Question, ApiError> {
        Ok(Question {
            subject: self.subject.ok_or_else(|| missing("subject"))?,
            action: self.action.ok_or_else(|| missing("action"))?,
            resource: self.resource.ok_or_else(|| missing("resource"))?,
            context: self.context.unwrap_or_default(),
        })
    }
}

impl Question {
    /// The question of a search: the id of what is sought is ignored, an action that is sought has no name
    /// (`AuthZEN` sections 8.4 to 8.6).
    ///
    /// # Errors
    ///
    /// 400: a part is missing, or not what it must be.
    pub(crate) fn of_search(object: &Object, sought: SearchKind) -> Result<Self, ApiError> {
        let wanted = |part| {
            if part == sought {
                Wanted::Type
            } else {
                Wanted::Whole
            }
        };
        let subject = part(object, "subject", |it| {
            entity(it, "subject", wanted(SearchKind::Subject))
        })?;
        let resource = part(object, "resource", |it| {
            entity(it, "resource", wanted(SearchKind::Resource))
        })?;
        let action = if sought == SearchKind::Action {
            Action {
                name: String::new(),
                properties: Arc::default(),
            }
        } else {
            part(object, "action", action)?.ok_or_else(|| missing("action"))?
        };
        Ok(Self {
            subject: subject.ok_or_else(|| missing("subject"))?,
            action,
            resource: resource.ok_or_else(|| missing("resource"))?,
            context: part(object, "context", |it| Ok(Arc::new(it.clone())))?.unwrap_or_default(),
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Whole,
    Type,
}

fn entity(object: &Object, at: &str, wanted: Wanted) -> Result<Entity, ApiError> {
    let id = match wanted {
        Wanted::Whole => text(object, at, "id")?,
        Wanted::Type => String::new(),
    };
    Ok(Entity {
        of: text(object, at, "type")?,
        id,
        properties: properties(object, at)?,
    })
}

fn action(object: &Object) -> Result<Action, ApiError> {
    Ok(Action {
        name: text(object, "action", "name")?,
        properties: properties(object, "action")?,
    })
}

fn properties(object: &Object, at: &str) -> Result<Arc<Object>, ApiError> {
    match object.get("properties") {
        None => Ok(Arc::default()),
        Some(Value::Object(properties)) => Ok(Arc::new(properties.clone())),
        Some(_) => Err(wrong_type(&format!("{at}.properties"), "an object")),
    }
}

fn part<T>(
    object: &Object,
    name: &str,
    read: impl FnOnce(&Object) -> Result<T, ApiError>,
) -> Result<Option<T>, ApiError> {
    match object.get(name) {
        None => Ok(None),
        Some(Value::Object(part)) => read(part).map(Some),
        Some(_) => Err(wrong_type(name, "an object")),
    }
}

fn text(object: &Object, at: &str, name: &str) -> Result<String, ApiError> {
    match object.get(name) {
        None => Err(missing(&format!("{at}.{name}"))),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(wrong_type(&format!("{at}.{name}"), "a string")),
    }
}

pub(crate) fn missing(name: &str) -> ApiError {
    ApiError::invalid(Code::MissingField, format!("`{name}` is missing"))
}

pub(crate) fn wrong_type(name: &str, expected: &str) -> ApiError {
    ApiError::invalid(Code::WrongType, format!("`{name}` must be {expected}"))
}

/// An entity as a reason names it.
pub(crate) fn named(entity: &Entity) -> String {
    format!("{} {}", echo(&entity.of), echo(&entity.id))
}
