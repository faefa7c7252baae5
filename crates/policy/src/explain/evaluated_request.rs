//! A request as the engine evaluated it.

use std::collections::BTreeMap;

use cedar_policy::{Entities, EntityUid, Request};
use serde::Serialize;

/// The request and its facts, in Cedar's syntax.
#[derive(Debug, Clone, Serialize)]
pub struct EvaluatedRequest {
    /// Who asked.
    pub principal: EvaluatedEntity,
    /// What was asked for.
    pub action: EvaluatedEntity,
    /// What it was asked about.
    pub resource: EvaluatedEntity,
    /// The facts that the server vouches for.
    pub context: BTreeMap<String, String>,
}

/// An entity as the engine evaluated it.
#[derive(Debug, Clone, Serialize)]
pub struct EvaluatedEntity {
    /// Type and id.
    pub uid: String,
    /// Its attributes; empty if there is no such entity.
    pub attributes: BTreeMap<String, String>,
    /// Its tags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Its ancestors, sorted.
    pub is_in: Vec<String>,
}

impl EvaluatedRequest {
    pub(super) fn of(request: &Request, entities: &Entities) -> Self {
        let mut facts = BTreeMap::new();
        if let Some(context) = request.context() {
            for (name, _) in context.clone() {
                let value = context.get(&name).map(|value| value.to_string());
                facts.insert(name, value.unwrap_or_default());
            }
        }
        Self {
            principal: EvaluatedEntity::of(request.principal(), entities),
            action: EvaluatedEntity::of(request.action(), entities),
            resource: EvaluatedEntity::of(request.resource(), entities),
            context: facts,
        }
    }
}

impl EvaluatedEntity {
    fn of(uid: Option<&EntityUid>, entities: &Entities) -> Self {
        let Some(uid) = uid else {
            return Self {
                uid: String::new(),
                attributes: BTreeMap::new(),
                tags: BTreeMap::new(),
                is_in: Vec::new(),
            };
        };
        let mut attributes = BTreeMap::new();
        let mut tags = BTreeMap::new();
        if let Some(entity) = entities.get(uid) {
            for (name, _) in entity.as_ref().attrs() {
                if let Some(Ok(value)) = entity.attr(name) {
                    attributes.insert(name.to_string(), value.to_string());
                }
            }
            for (name, value) in entity.tags() {
                if let Ok(value) = value {
                    tags.insert(name.to_owned(), value.to_string());
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
            tags,
            is_in,
        }
    }
}
