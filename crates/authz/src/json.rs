//! Principals, entities and contexts in Cedar's JSON form, for decision records.

use std::fmt;

use cedar_policy::{Context, Entities, Entity, EntityId, EntityTypeName, EntityUid};
use internment::ArcIntern;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::kinds::PrincipalKind;
use charter_domain::caller::Caller;

/// Why a value has no JSON form.
pub type JsonError = Box<dyn std::error::Error>;

/// An entity id as in Cedar's JSON requests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
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

/// For messages: the id is not escaped.
impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::\"{}\"", self.of, self.id)
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
    /// Sorted by id.
    entities: Box<[EntityText]>,
}

/// An entity in Cedar's JSON form.
#[derive(Debug, Clone)]
struct EntityText {
    before: Box<str>,
    /// Its roles and permissions, which many principals have in common.
    grants: ArcIntern<str>,
    after: Box<str>,
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
        let entities = entities.map(sorted).unwrap_or_default();
        let entities = entities.into_iter().map(EntityText::new);
        Ok(Self {
            organization,
            principal: to_raw_value(&named)?,
            own_organization: to_raw_value(&own)?,
            entities: entities.collect::<Result<_, _>>()?,
        })
    }

    /// JSON texts, sorted by id.
    pub fn entities(&self) -> Vec<String> {
        self.entities.iter().map(EntityText::whole).collect()
    }
}

impl EntityText {
    fn new(entity: &Entity) -> Result<Self, JsonError> {
        let json = entity_json(entity)?;
        let parents = json.get("parents").and_then(Value::as_array);
        let grants = parents.into_iter().flatten().filter(|uid| is_grant(uid));
        let grants: Vec<String> = grants.map(Value::to_string).collect();
        let (grants, whole) = (grants.join(","), json.to_string());
        let (before, after) = whole.split_once(&grants).unwrap_or((&whole, ""));
        Ok(Self {
            before: before.into(),
            grants: ArcIntern::from(&*grants),
            after: after.into(),
        })
    }

    fn whole(&self) -> String {
        [&*self.before, &*self.grants, &*self.after].concat()
    }
}

/// Entities in Cedar's JSON form, sorted by id, without the schema's actions.
pub fn entity_texts(entities: &Entities) -> Result<Vec<String>, JsonError> {
    let texts = sorted(entities).into_iter().map(entity_json);
    texts.map(|json| Ok(json?.to_string())).collect()
}

fn sorted(entities: &Entities) -> Vec<&Entity> {
    let of_request = entities.iter().filter(|entity| !is_action(&entity.uid()));
    let mut chosen: Vec<&Entity> = of_request.collect();
    chosen.sort_by_cached_key(|entity| entity.uid());
    chosen
}

/// Cedar's order of parents varies; each entity must have one text. Its grants are next to each other.
fn entity_json(entity: &Entity) -> Result<Value, JsonError> {
    let mut json = entity.to_json_value()?;
    if let Some(Value::Array(parents)) = json.get_mut("parents") {
        parents.sort_by_cached_key(|uid| (is_grant(uid), uid.to_string()));
    }
    Ok(json)
}

/// Whether an entity id in JSON is that of a role or a permission.
fn is_grant(uid: &Value) -> bool {
    let of = uid.get("type").and_then(Value::as_str);
    of.is_some_and(|of| of == "Role" || of == "Permission")
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

#[cfg(test)]
mod tests {
    use cedar_policy::{Entities, Entity};

    use super::{EntityText, entity_texts};

    #[test]
    fn an_entity_is_kept_as_the_text_that_every_line_has() {
        let json = r#"[
            {"uid": {"type": "ServiceAccount", "id": "sa"}, "attrs": {"note": "\"Role\""}, "parents": [
                {"type": "Permission", "id": "accounts:Get"}, {"type": "Account", "id": "z"},
                {"type": "Role", "id": "viewer"}]},
            {"uid": {"type": "Account", "id": "z"}, "attrs": {}, "parents": []}
        ]"#;
        let entities = Entities::from_json_str(json, None).expect("entities");
        let mut texts = entity_texts(&entities).expect("texts");
        let kept = |entity: &Entity| EntityText::new(entity).expect("a text");
        let kept: Vec<EntityText> = entities.iter().map(kept).collect();
        let mut whole: Vec<String> = kept.iter().map(EntityText::whole).collect();
        texts.sort();
        whole.sort();
        assert_eq!(whole, texts);
        let grants = kept.iter().find(|text| !text.grants.is_empty());
        let grants = &*grants.expect("it has grants").grants;
        assert!(grants.contains("viewer") && grants.contains("accounts:Get"));
        assert!(
            !grants.contains("Account\""),
            "what it has alone is not shared: {grants}"
        );
    }
}
