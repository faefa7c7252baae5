//! A request as the engine saw it.

use std::collections::BTreeMap;

use cedar_policy::{Entities, EntityUid, Request};
use serde::Serialize;

/// Who asked for what about which thing, and the facts around it, in Cedar's syntax.
#[derive(Debug, Clone, Serialize)]
pub struct Seen {
    /// Who asked.
    pub principal: SeenEntity,
    /// For what.
    pub action: SeenEntity,
    /// About what.
    pub resource: SeenEntity,
    /// The facts that the server vouches for.
    pub context: BTreeMap<String, String>,
}

/// An entity as the engine saw it.
#[derive(Debug, Clone, Serialize)]
pub struct SeenEntity {
    /// Its type and id.
    pub uid: String,
    /// Its attributes; none if there is no such entity.
    pub attributes: BTreeMap<String, String>,
    /// All that it is in, sorted.
    pub is_in: Vec<String>,
}

impl Seen {
    pub(super) fn of(request: &Request, entities: &Entities) -> Self {
        let mut facts = BTreeMap::new();
        if let Some(context) = request.context() {
            for (name, _) in context.clone() {
                let value = context.get(&name).map(|value| value.to_string());
                facts.insert(name, value.unwrap_or_default());
            }
        }
        Self {
            principal: SeenEntity::of(request.principal(), entities),
            action: SeenEntity::of(request.action(), entities),
            resource: SeenEntity::of(request.resource(), entities),
            context: facts,
        }
    }
}

impl SeenEntity {
    fn of(uid: Option<&EntityUid>, entities: &Entities) -> Self {
        let Some(uid) = uid else {
            return Self {
                uid: String::new(),
                attributes: BTreeMap::new(),
                is_in: Vec::new(),
            };
        };
        let mut attributes = BTreeMap::new();
        if let Some(entity) = entities.get(uid) {
            for (name, _) in entity.as_ref().attrs() {
                if let Some(Ok(value)) = entity.attr(name) {
                    attributes.insert(name.to_string(), value.to_string());
                }
            }
        }
        let mut is_in: Vec<String> = entities
            .ancestors(uid)
            .into_iter()
            .flatten()
            .map(ToString::to_string)
            .collect();
        is_in.sort_unstable();
        Self {
            uid: uid.to_string(),
            attributes,
            is_in,
        }
    }
}
