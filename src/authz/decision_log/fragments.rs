//! The parts of a line that many lines share, each written out once: what a principal brings with
//! it, and the facts of one second.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;

use cedar_policy::{Context, Entities, Entity, EntityId, EntityTypeName, EntityUid};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use crate::authz::principal::Principal;
use crate::authz::question::PrincipalKind;
use crate::domain::timestamp::{self, Timestamp};

/// A bound on memory only.
const MOST_CONTEXTS: usize = 4_096;

/// Why something has no JSON form.
pub(super) type Fault = Box<dyn std::error::Error>;

/// An entity's name, as Cedar writes one within a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Uid {
    /// Its type.
    #[serde(rename = "type")]
    pub of: String,
    /// Its id.
    pub id: String,
}

impl Uid {
    pub(super) fn of(uid: &EntityUid) -> Self {
        Self {
            of: uid.type_name().to_string(),
            id: uid.id().unescaped().to_owned(),
        }
    }

    /// In Cedar's own form.
    ///
    /// # Errors
    ///
    /// The type is no name.
    pub(super) fn to_cedar(&self) -> Result<EntityUid, Fault> {
        let of: EntityTypeName = self.of.parse()?;
        Ok(EntityUid::from_type_name_and_id(
            of,
            EntityId::new(&self.id),
        ))
    }
}

/// What a principal brings to each of its lines.
#[derive(Debug, Clone)]
pub(in crate::authz) struct OfPrincipal {
    pub(super) organization: String,
    pub(super) principal: Box<RawValue>,
    /// Its tenant as a resource.
    pub(super) own_organization: Box<RawValue>,
    /// Each as JSON text, sorted by name.
    pub(super) entities: Vec<String>,
}

impl OfPrincipal {
    pub(super) fn new(principal: &Principal) -> Result<Self, Fault> {
        let organization = principal.caller().organization().id.to_string();
        let named = Uid {
            of: principal.kind.type_name().to_owned(),
            id: principal.caller().principal_id(),
        };
        let own = Uid {
            of: "Organization".to_owned(),
            id: organization.clone(),
        };
        let entities = match &principal.prepared {
            Some(prepared) => entity_texts(&prepared.entities)?,
            None => Vec::new(),
        };
        Ok(Self {
            organization,
            principal: to_raw_value(&named)?,
            own_organization: to_raw_value(&own)?,
            entities,
        })
    }
}

/// Entities in Cedar's JSON form, sorted by name, without those that the schema brings.
pub(super) fn entity_texts(entities: &Entities) -> Result<Vec<String>, Fault> {
    let mut chosen: Vec<&Entity> = entities
        .iter()
        .filter(|entity| !is_action(&entity.uid()))
        .collect();
    chosen.sort_by_cached_key(|entity| entity.uid());
    let text = |entity: &Entity| {
        let mut json = entity.to_json_value()?;
        // Cedar keeps them in no order; one entity has one text.
        if let Some(Value::Array(parents)) = json.get_mut("parents") {
            parents.sort_by_cached_key(Value::to_string);
        }
        Ok(json.to_string())
    };
    chosen.into_iter().map(text).collect()
}

pub(super) fn is_action(uid: &EntityUid) -> bool {
    uid.type_name().basename() == "Action"
}

/// The facts around a question, as a line says them.
#[derive(Debug, Clone)]
pub(super) enum Known {
    /// All but `now`, which is the second of the decision's id.
    WithoutNow(String),
    Whole(Box<RawValue>),
}

/// `now`, as contexts have it.
pub(super) fn now_of(at: Timestamp) -> Value {
    json!({"__extn": {"fn": "datetime", "arg": timestamp::format(at)}})
}

impl Known {
    fn of(at: Timestamp, context: &Context) -> Result<Self, Fault> {
        let mut whole = context_json(context)?;
        let facts = whole.as_object_mut();
        let is_rule = facts.is_some_and(|facts| {
            let is_rule = facts.get("now") == Some(&now_of(at));
            if is_rule {
                facts.remove("now");
            }
            is_rule
        });
        Ok(if is_rule {
            Self::WithoutNow(whole.to_string())
        } else {
            Self::Whole(to_raw_value(&whole)?)
        })
    }

    /// All of them, at that time.
    pub(super) fn whole(&self, at: Timestamp) -> Result<Value, Fault> {
        let mut whole: Value = match self {
            Self::Whole(context) => return Ok(serde_json::from_str(context.get())?),
            Self::WithoutNow(text) => serde_json::from_str(text)?,
        };
        if let Some(facts) = whole.as_object_mut() {
            facts.insert("now".to_owned(), now_of(at));
        }
        Ok(whole)
    }
}

/// Contexts as lines say them, by what they are made of.
#[derive(Default)]
pub(super) struct Contexts(HashMap<(IpAddr, i64, PrincipalKind), Known>);

impl Contexts {
    pub(super) fn get(
        &mut self,
        source_ip: IpAddr,
        at: Timestamp,
        kind: PrincipalKind,
        context: &Context,
    ) -> Result<&Known, Fault> {
        if self.0.len() >= MOST_CONTEXTS {
            self.0.clear();
        }
        let key = (source_ip, at.timestamp(), kind);
        match self.0.entry(key) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(free) => Ok(free.insert(Known::of(at, context)?)),
        }
    }
}

/// Cedar writes an entity's attributes as JSON and a context not; they are the same thing.
fn context_json(context: &Context) -> Result<Value, Fault> {
    let carrier = Uid {
        of: "Context".to_owned(),
        id: String::new(),
    };
    let attributes = context.clone().into_iter().collect();
    let carrier = Entity::new(carrier.to_cedar()?, attributes, [].into())?;
    let mut json = carrier.to_json_value()?;
    Ok(json.get_mut("attrs").map(Value::take).unwrap_or_default())
}
