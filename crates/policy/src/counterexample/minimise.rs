//! Makes a solver's counterexample small and readable: removes what is not needed and gives
//! entities plain names. A step that breaks the counterexample is undone.

use std::collections::BTreeSet;
use std::str::FromStr;

use cedar_policy::{Entities, EntityId, EntityTypeName, EntityUid, Request, Schema};
use serde_json::{Value, json};

use super::literals;
use super::scenario::{Scenario, uid_json};
use charter_domain::timestamp::{self, Timestamp};

/// Whether a request demonstrates the finding.
pub(crate) type Predicate<'a> = &'a dyn Fn(&Request, &Entities) -> bool;

/// The smallest scenario found; `None` if even the given one does not demonstrate the finding under
/// the schema.
pub(super) fn minimise(
    scenario: Scenario,
    schema: &Schema,
    shows: Predicate<'_>,
) -> Option<Scenario> {
    let holds = |scenario: &Scenario| {
        scenario
            .checked(schema)
            .is_some_and(|(request, entities)| shows(&request, &entities))
    };
    if !holds(&scenario) {
        return None;
    }
    let hierarchy = schema.action_entities().ok()?;
    let is_own = |uid: &EntityUid| {
        *uid == scenario.action || hierarchy.is_ancestor_of(uid, &scenario.action)
    };
    let actions =
        Entities::from_entities(hierarchy.iter().filter(|a| is_own(&a.uid())).cloned(), None)
            .ok()?;
    let unchecked_holds = |scenario: &Scenario| {
        scenario
            .unchecked(&actions)
            .is_some_and(|(request, entities)| shows(&request, &entities))
    };
    let small = shrink(scenario.clone(), &unchecked_holds);
    let scenario = if holds(&small) { small } else { scenario };
    Some(assign_names(scenario, &holds))
}

fn shrink(mut scenario: Scenario, holds: &dyn Fn(&Scenario) -> bool) -> Scenario {
    let mut index = 0;
    while index < scenario.entities.len() {
        let mut without = scenario.clone();
        let entity = without.entities.remove(index);
        let uid = entity.get("uid");
        let is_asked_about = [&scenario.principal, &scenario.resource]
            .iter()
            .any(|asked| uid == Some(&uid_json(asked)));
        if !is_asked_about && holds(&without) {
            scenario = without;
        } else {
            index += 1;
        }
    }
    merge(&mut scenario, holds);
    for index in 0..scenario.entities.len() {
        shrink_parents(&mut scenario, index, holds);
    }
    for index in 0..scenario.entities.len() {
        drop_tags(&mut scenario, index, holds);
        simplify_values(&mut scenario, Some((index, "attrs")), holds);
        simplify_values(&mut scenario, Some((index, "tags")), holds);
    }
    simplify_values(&mut scenario, None, holds);
    scenario
}

fn drop_tags(scenario: &mut Scenario, entity: usize, holds: &dyn Fn(&Scenario) -> bool) {
    let tags = fields(scenario, Some((entity, "tags"))).and_then(|tags| tags.as_object());
    let names: Vec<String> = tags
        .into_iter()
        .flat_map(|tags| tags.keys().cloned())
        .collect();
    for name in names {
        let mut without = scenario.clone();
        if let Some(Value::Object(tags)) = fields(&mut without, Some((entity, "tags"))) {
            tags.remove(&name);
        }
        if holds(&without) {
            *scenario = without;
        }
    }
}

/// Merges entities of the same type where that does not matter.
fn merge(scenario: &mut Scenario, holds: &dyn Fn(&Scenario) -> bool) {
    let uids = entities_in_order(scenario);
    for (index, kept) in uids.iter().enumerate() {
        for merged in uids.iter().skip(index + 1) {
            let is_asked_about = [&scenario.principal, &scenario.resource].contains(&merged);
            if is_asked_about || merged.type_name() != kept.type_name() {
                continue;
            }
            let mut fewer = scenario.clone();
            let name = uid_json(merged);
            fewer
                .entities
                .retain(|entity| entity.get("uid") != Some(&name));
            fewer.rename(merged, kept);
            if holds(&fewer) {
                *scenario = fewer;
            }
        }
    }
}

/// Every entity that is named, beginning with the principal and what it refers to.
fn entities_in_order(scenario: &Scenario) -> Vec<EntityUid> {
    let mut uids = Vec::new();
    for asked in [&scenario.principal, &scenario.resource] {
        uids.push(asked.clone());
        let name = uid_json(asked);
        let own = scenario
            .entities
            .iter()
            .filter(|entity| entity.get("uid") == Some(&name));
        own.for_each(|entity| collect(entity, &mut uids));
    }
    for entity in &scenario.entities {
        collect(entity, &mut uids);
    }
    collect(&scenario.context, &mut uids);
    let mut seen = BTreeSet::new();
    uids.retain(|uid| seen.insert(uid.clone()));
    uids
}

fn parents(scenario: &mut Scenario, entity: usize) -> Option<&mut Vec<Value>> {
    scenario
        .entities
        .get_mut(entity)?
        .get_mut("parents")?
        .as_array_mut()
}

fn shrink_parents(scenario: &mut Scenario, entity: usize, holds: &dyn Fn(&Scenario) -> bool) {
    let mut index = 0;
    while parents(scenario, entity).is_some_and(|parents| index < parents.len()) {
        let mut without = scenario.clone();
        if let Some(parents) = parents(&mut without, entity) {
            parents.remove(index);
        }
        if holds(&without) {
            *scenario = without;
        } else {
            index += 1;
        }
    }
}

/// Tries simpler values for each attribute or tag of an entity, or for each field of the context.
fn simplify_values(
    scenario: &mut Scenario,
    part: Option<(usize, &str)>,
    holds: &dyn Fn(&Scenario) -> bool,
) {
    let names: Vec<String> = fields(scenario, part)
        .and_then(|fields| fields.as_object())
        .map(|fields| fields.keys().cloned().collect())
        .unwrap_or_default();
    for name in names {
        let value = fields(scenario, part).and_then(|fields| fields.get(&name));
        let candidates = value.map(simpler_values).unwrap_or_default();
        for candidate in candidates {
            let mut plainer = scenario.clone();
            if let Some(value) = fields(&mut plainer, part).and_then(|f| f.get_mut(&name)) {
                *value = candidate;
            }
            if holds(&plainer) {
                *scenario = plainer;
                break;
            }
        }
    }
}

fn fields<'w>(scenario: &'w mut Scenario, part: Option<(usize, &str)>) -> Option<&'w mut Value> {
    match part {
        None => Some(&mut scenario.context),
        Some((index, of)) => scenario.entities.get_mut(index)?.get_mut(of),
    }
}

/// Values that are simpler than this one, simplest first.
fn simpler_values(value: &Value) -> Vec<Value> {
    let extension = value.pointer("/__extn/fn").and_then(Value::as_str);
    let plain = match (value, extension) {
        (Value::Bool(_), _) => vec![Value::Bool(true)],
        (Value::String(_), _) => vec![json!("")],
        (Value::Number(_), _) => vec![json!(0)],
        (_, Some("ip")) => vec![
            literals::address("192.0.2.1"),
            literals::address("2001:db8::1"),
        ],
        (_, Some("datetime" | "offset")) => simpler_times(value),
        _ => Vec::new(),
    };
    plain
        .into_iter()
        .take_while(|plain| plain != value)
        .collect()
}

/// The service's clock has whole seconds; whole days read best.
fn simpler_times(value: &Value) -> Vec<Value> {
    let usual = timestamp::parse("2026-01-01T00:00:00Z").ok();
    let at = literals::timestamp_of(value);
    let rounded = |seconds: i64| {
        let at = at?.timestamp().div_euclid(seconds).checked_mul(seconds)?;
        Timestamp::from_timestamp(at, 0)
    };
    let candidates = [
        usual,
        rounded(24 * 3_600),
        rounded(3_600),
        rounded(60),
        rounded(1),
    ];
    candidates
        .into_iter()
        .flatten()
        .map(literals::time)
        .collect()
}

/// Renames entities to `Organization::"organization-a"` and the like, where the policies do not
/// mind.
fn assign_names(mut scenario: Scenario, holds: &dyn Fn(&Scenario) -> bool) -> Scenario {
    let uids = entities_in_order(&scenario);
    let mut seen = uids.clone();
    for uid in uids {
        let title = uid.type_name().basename().to_lowercase();
        let free = ('a'..='z')
            .map(|letter| {
                EntityUid::from_type_name_and_id(
                    uid.type_name().clone(),
                    EntityId::new(format!("{title}-{letter}")),
                )
            })
            .find(|name| !seen.contains(name));
        if let Some(free) = free {
            let mut named = scenario.clone();
            named.rename(&uid, &free);
            if holds(&named) {
                scenario = named;
                seen.push(free);
            }
        }
    }
    scenario
}

fn collect(value: &Value, uids: &mut Vec<EntityUid>) {
    if let Some(uid) = uid_of(value) {
        uids.push(uid);
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, uids)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, uids)),
        _ => {}
    }
}

pub(super) fn uid_of(value: &Value) -> Option<EntityUid> {
    let object = value.as_object().filter(|object| object.len() == 2)?;
    let type_name = EntityTypeName::from_str(object.get("type")?.as_str()?).ok()?;
    let id = EntityId::new(object.get("id")?.as_str()?);
    Some(EntityUid::from_type_name_and_id(type_name, id))
}
