//! Builds Cedar's entities and context for a question. Fails closed: what is not complete is not asked.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Context, Entities, Entity};
use serde_json::{Map, Value, json};

use super::actions::Action;
use super::facts::Fact;
use super::load::CustomDomain;
use super::question::{BadProperty, DomainQuestion, NamedEntity, Unasked};
use super::references::refers_to;
use crate::json::Uid;
use charter_domain::causes::with_causes;

type Assembled = BTreeMap<Uid, Entity>;

impl CustomDomain {
    /// Subject, resource and all that they refer to, with the schema's actions.
    pub(super) fn entities(&self, question: &DomainQuestion<'_>) -> Result<Entities, Unasked> {
        let facts: BTreeMap<&Uid, &Fact> = question
            .facts
            .iter()
            .flat_map(|source| source.each())
            .map(|fact| (&fact.uid, fact))
            .collect();
        let mut made = Assembled::new();
        let mut open = Vec::new();
        for (entity, at) in [
            (question.subject, "subject"),
            (question.resource, "resource"),
        ] {
            let uid = Uid {
                of: entity.of.to_owned(),
                id: entity.id.to_owned(),
            };
            let entity = self.asked_about(&uid, entity, at, &facts)?;
            open.extend(refers_to(&entity));
            made.insert(uid, entity);
        }
        open.extend(mentioned(question.context.values()));
        open.extend(mentioned(question.action_properties.values()));
        self.close(&mut made, open, &facts)?;
        self.snapshot
            .with_actions(made.into_values())
            .map_err(|error| Unasked::Unknown(error.to_string()))
    }

    /// Adds what is referred to, as far as anybody knows of it.
    fn close(
        &self,
        made: &mut Assembled,
        mut open: Vec<Uid>,
        facts: &BTreeMap<&Uid, &Fact>,
    ) -> Result<(), Unasked> {
        let mut seen: BTreeSet<Uid> = BTreeSet::new();
        while let Some(uid) = open.pop() {
            if made.contains_key(&uid) || !seen.insert(uid.clone()) {
                continue;
            }
            if let Some(fact) = facts.get(&uid) {
                let entity = self.of_fact(fact)?;
                open.extend(refers_to(&entity));
                made.insert(uid, entity);
            } else if let Some(found) = self.entities.get(&uid) {
                open.extend(found.refers_to.iter().cloned());
                made.insert(uid, found.entity.clone());
            }
        }
        Ok(())
    }

    fn asked_about(
        &self,
        uid: &Uid,
        asked: NamedEntity<'_>,
        at: &str,
        facts: &BTreeMap<&Uid, &Fact>,
    ) -> Result<Entity, Unasked> {
        let unknown = || Unasked::Unknown(format!("there is no {at} `{uid}`"));
        let of = self.types.get(&uid.of).ok_or_else(unknown)?;
        if of.ids.as_ref().is_some_and(|ids| !ids.contains(&uid.id)) {
            return Err(unknown());
        }
        let fact = facts.get(uid).copied();
        if of.is_vouched {
            return self.of_fact(fact.ok_or_else(unknown)?);
        }
        let known = self.entities.get(uid);
        let mut attributes: Map<String, Value> = Map::new();
        for (name, value) in asked.properties {
            if of.attributes.has(name) {
                attributes.insert(name.clone(), of.attributes.declared_part(name, value));
            }
        }
        let asked_names: Vec<String> = attributes.keys().cloned().collect();
        if let Some(known) = known {
            if asked_names.is_empty() {
                return Ok(known.entity.clone());
            }
            attributes.extend(known.fact.attributes.clone());
        }
        if let Some((name, _)) = attributes.iter().find(|(_, value)| value.is_null()) {
            return Err(Unasked::Bad(null(format!("/{at}/properties/{name}"))));
        }
        if let Some(missing) = of.attributes.missing(|name| attributes.contains_key(name)) {
            return Err(Unasked::Unknown(format!(
                "the {at} `{uid}` has no `{missing}`: the domain does not know it, and the question does not say"
            )));
        }
        for name in &asked_names {
            let value = attributes.get(name);
            if let Some(misfit) = value.and_then(|value| of.attributes.misfit(name, value)) {
                let place = format!("/{at}/properties/{name}{}", misfit.place);
                return Err(Unasked::Bad(BadProperty {
                    pointer: place,
                    message: misfit.rule,
                }));
            }
        }
        let parents = known.map(|known| known.fact.parents.as_slice());
        let value = json!({
            "uid": uid,
            "attrs": attributes,
            "parents": parents.unwrap_or_default(),
        });
        Entity::from_json_value(value, Some(self.snapshot.schema())).map_err(|error| {
            let message = with_causes(&error);
            let named = asked_names.iter().find(|name| names(&message, name));
            Unasked::Bad(BadProperty {
                pointer: match named {
                    Some(name) => format!("/{at}/properties/{name}"),
                    None => format!("/{at}/properties"),
                },
                message: named
                    .and_then(|name| of.attributes.rule_of_text(name))
                    .unwrap_or(message),
            })
        })
    }

    /// An entity that is vouched for; what the schema does not declare is left out.
    fn of_fact(&self, fact: &Fact) -> Result<Entity, Unasked> {
        let uid = &fact.uid;
        let of = self
            .types
            .get(&uid.of)
            .ok_or_else(|| Unasked::Unknown(format!("there is no `{uid}`")))?;
        let attributes = fact.attributes.iter();
        let attributes: Map<String, Value> = attributes
            .filter(|(name, _)| of.attributes.has(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let parents = fact.parents.iter();
        let parents: Vec<&Uid> = parents
            .filter(|parent| of.ancestors.contains(&parent.of))
            .collect();
        let value = json!({"uid": uid, "attrs": attributes, "parents": parents});
        Entity::from_json_value(value, Some(self.snapshot.schema())).map_err(|error| {
            Unasked::Unknown(format!(
                "the service's record `{uid}` does not suit the schema: {}",
                with_causes(&error)
            ))
        })
    }

    /// The context: what `context` and the action's properties say of what the schema declares.
    pub(super) fn context(
        &self,
        action: &Action,
        question: &DomainQuestion<'_>,
    ) -> Result<Context, Unasked> {
        let mut attributes: Map<String, Value> = Map::new();
        let mut places: BTreeMap<String, &str> = BTreeMap::new();
        for (given, at) in [
            (question.context, "/context"),
            (question.action_properties, "/action/properties"),
        ] {
            for (name, value) in given {
                if !action.context.has(name) {
                    continue;
                }
                if value.is_null() {
                    return Err(Unasked::Bad(null(format!("{at}/{name}"))));
                }
                let value = action.context.declared_part(name, value);
                let before = attributes.insert(name.clone(), value.clone());
                if before.is_some_and(|before| before != value) {
                    return Err(Unasked::Bad(BadProperty {
                        pointer: format!("{at}/{name}"),
                        message: "`/context` says something else".to_owned(),
                    }));
                }
                places.insert(name.clone(), at);
            }
        }
        if let Some(missing) = action.context.missing(|name| attributes.contains_key(name)) {
            return Err(Unasked::Unknown(format!(
                "the question has no `{missing}`, neither in `context` nor among the action's properties"
            )));
        }
        for (name, at) in &places {
            let value = attributes.get(name);
            if let Some(misfit) = value.and_then(|value| action.context.misfit(name, value)) {
                return Err(Unasked::Bad(BadProperty {
                    pointer: format!("{at}/{name}{}", misfit.place),
                    message: misfit.rule,
                }));
            }
        }
        let bad = |message| Unasked::Bad(bad_context(action, question, &places, message));
        let schema = self.snapshot.schema();
        let context =
            Context::from_json_value(Value::Object(attributes), Some((schema, &action.uid)))
                .map_err(|error| bad(with_causes(&error)))?;
        context
            .validate(schema, &action.uid)
            .map_err(|error| bad(with_causes(&error)))?;
        Ok(context)
    }
}

/// What Cedar refuses of a context. It names no attribute where a text is none of its type.
fn bad_context(
    action: &Action,
    question: &DomainQuestion<'_>,
    places: &BTreeMap<String, &str>,
    message: String,
) -> BadProperty {
    let bad_text = places.iter().find_map(|(name, at)| {
        let given = [question.context, question.action_properties];
        let value = given.into_iter().find_map(|given| given.get(name))?;
        let misfit = action.context.form(name)?.bad_text(value)?;
        Some(BadProperty {
            pointer: format!("{at}/{name}{}", misfit.place),
            message: misfit.rule,
        })
    });
    if let Some(bad) = bad_text {
        return bad;
    }
    let named = places.iter().find(|(name, _)| names(&message, name));
    BadProperty {
        pointer: match named {
            Some((name, at)) => format!("{at}/{name}"),
            None => "/context".to_owned(),
        },
        message: named
            .and_then(|(name, _)| action.context.rule_of_text(name))
            .unwrap_or(message),
    }
}

/// A null is there and is a value (`AuthZEN` section 5.1): one that no attribute can have.
fn null(pointer: String) -> BadProperty {
    BadProperty {
        pointer,
        message: "is null, which no attribute can be: leave it out".to_owned(),
    }
}

/// Whether one of Cedar's messages names this attribute.
fn names(message: &str, name: &str) -> bool {
    message.contains(&format!("`{name}`")) || message.contains(&format!("\"{name}\""))
}

/// What may be an entity in a context: `{"type": …, "id": …}`, also within `__entity`.
fn mentioned<'v>(values: impl Iterator<Item = &'v Value>) -> Vec<Uid> {
    let mut found = Vec::new();
    let mut open: Vec<&Value> = values.collect();
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(members) => {
                if let (Some(Value::String(of)), Some(Value::String(id))) =
                    (members.get("type"), members.get("id"))
                {
                    found.push(Uid {
                        of: of.clone(),
                        id: id.clone(),
                    });
                }
                open.extend(members.values());
            }
            _ => {}
        }
    }
    found
}
