//! The parts of a line that many lines share, each written out once: what a principal brings with
//! it, and the facts of one second.

use std::collections::HashMap;
use std::net::IpAddr;

use cedar_policy::{Context, Entities, Entity, EntityId, EntityTypeName, EntityUid};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::authz::principal::Principal;
use crate::authz::question::PrincipalKind;
use crate::domain::timestamp::Timestamp;

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
    pub(super) entities: Box<RawValue>,
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
            Some(prepared) => without_actions(&prepared.entities)?,
            None => Vec::new(),
        };
        Ok(Self {
            organization,
            principal: to_raw_value(&named)?,
            own_organization: to_raw_value(&own)?,
            entities: to_raw_value(&entities)?,
        })
    }
}

/// Entities in Cedar's JSON form, sorted by name, without those that the schema brings.
pub(super) fn without_actions(entities: &Entities) -> Result<Vec<Value>, Fault> {
    let mut chosen: Vec<&Entity> = entities
        .iter()
        .filter(|entity| !is_action(&entity.uid()))
        .collect();
    chosen.sort_by_cached_key(|entity| entity.uid());
    let json = chosen.into_iter().map(Entity::to_json_value);
    Ok(json.collect::<Result<_, _>>()?)
}

pub(super) fn is_action(uid: &EntityUid) -> bool {
    uid.type_name().basename() == "Action"
}

/// Contexts in Cedar's JSON form, by what they are made of.
#[derive(Default)]
pub(super) struct Contexts(HashMap<(IpAddr, i64, PrincipalKind), Box<RawValue>>);

impl Contexts {
    pub(super) fn get(
        &mut self,
        source_ip: IpAddr,
        at: Timestamp,
        kind: PrincipalKind,
        context: &Context,
    ) -> Result<&RawValue, Fault> {
        if self.0.len() >= MOST_CONTEXTS {
            self.0.clear();
        }
        let key = (source_ip, at.timestamp(), kind);
        match self.0.entry(key) {
            std::collections::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(free) => {
                Ok(free.insert(to_raw_value(&context_json(context)?)?))
            }
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
