//! Principals, entities and contexts in Cedar's JSON form, for decision records.

use cedar_policy::{Context, Entities, Entity, EntityId, EntityTypeName, EntityUid};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::kinds::PrincipalKind;
use charter_domain::caller::Caller;

/// Why a value has no JSON form.
pub type JsonError = Box<dyn std::error::Error>;

/// An entity id as in Cedar's JSON requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Uid {
    #[serde(rename = "type")]
    pub of: String,
    pub id: String,
}

impl Uid {
    pub fn of(uid: &EntityUid) -> Self {
        Self {
            of: uid.type_name().to_string(),
            id: uid.id().unescaped().to_owned(),
        }
    }

    /// Fails if the type is not a valid name.
    pub fn to_cedar(&self) -> Result<EntityUid, JsonError> {
        let of: EntityTypeName = self.of.parse()?;
        Ok(EntityUid::from_type_name_and_id(
            of,
            EntityId::new(&self.id),
        ))
    }
}

/// The JSON of a principal that its log lines share.
#[derive(Debug, Clone)]
pub struct PrincipalJson {
    pub organization: String,
    /// As a [`Uid`].
    pub principal: Box<RawValue>,
    /// Its organization as a resource.
    pub own_organization: Box<RawValue>,
    /// JSON texts, sorted by id.
    pub entities: Vec<String>,
}

impl PrincipalJson {
    pub(super) fn new(
        caller: &Caller,
        kind: PrincipalKind,
        entities: Option<&Entities>,
    ) -> Result<Self, JsonError> {
        let organization = caller.organization().id.to_string();
        let named = Uid {
            of: kind.type_name().to_owned(),
            id: caller.principal_id(),
        };
        let own = Uid {
            of: "Organization".to_owned(),
            id: organization.clone(),
        };
        let entities = match entities {
            Some(entities) => entity_texts(entities)?,
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

/// Entities in Cedar's JSON form, sorted by id, without the schema's actions.
pub fn entity_texts(entities: &Entities) -> Result<Vec<String>, JsonError> {
    let mut chosen: Vec<&Entity> = entities
        .iter()
        .filter(|entity| !is_action(&entity.uid()))
        .collect();
    chosen.sort_by_cached_key(|entity| entity.uid());
    let text = |entity: &Entity| {
        let mut json = entity.to_json_value()?;
        // Cedar's order of parents varies; each entity must have one text.
        if let Some(Value::Array(parents)) = json.get_mut("parents") {
            parents.sort_by_cached_key(Value::to_string);
        }
        Ok(json.to_string())
    };
    chosen.into_iter().map(text).collect()
}

/// Whether it is an action or a group of actions.
pub fn is_action(uid: &EntityUid) -> bool {
    uid.type_name().basename() == "Action"
}

/// Cedar serialises an entity's attributes but no context, so the context is serialised as
/// attributes.
pub fn context_json(context: &Context) -> Result<Value, JsonError> {
    let carrier = Uid {
        of: "Context".to_owned(),
        id: String::new(),
    };
    let attributes = context.clone().into_iter().collect();
    let carrier = Entity::new(carrier.to_cedar()?, attributes, [].into())?;
    let mut json = carrier.to_json_value()?;
    Ok(json.get_mut("attrs").map(Value::take).unwrap_or_default())
}
