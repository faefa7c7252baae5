//! Makes a solver's counterexample small and readable: what is not needed goes, what is left gets
//! plain names. Each step is tried, and undone if the counterexample is none any more.

use std::collections::BTreeSet;
use std::str::FromStr;

use cedar_policy::{Entities, EntityId, EntityTypeName, EntityUid, Request, Schema};
use serde_json::{Value, json};

use super::world::{World, written as uid_value};
use super::written;
use charter_domain::timestamp::{self, Timestamp};

/// Whether a request shows what it is to show.
pub(crate) type Shows<'a> = &'a dyn Fn(&Request, &Entities) -> bool;

/// The smallest world that was found; `None` if not even the given one shows it, under the schema.
pub(super) fn minimise(world: World, schema: &Schema, shows: Shows<'_>) -> Option<World> {
    let holds = |world: &World| {
        world
            .checked(schema)
            .is_some_and(|(request, entities)| shows(&request, &entities))
    };
    if !holds(&world) {
        return None;
    }
    let hierarchy = schema.action_entities().ok()?;
    let is_own =
        |uid: &EntityUid| *uid == world.action || hierarchy.is_ancestor_of(uid, &world.action);
    let actions =
        Entities::from_entities(hierarchy.iter().filter(|a| is_own(&a.uid())).cloned(), None)
            .ok()?;
    let quickly = |world: &World| {
        world
            .unchecked(&actions)
            .is_some_and(|(request, entities)| shows(&request, &entities))
    };
    let small = shrink(world.clone(), &quickly);
    let world = if holds(&small) { small } else { world };
    Some(name(world, &holds))
}

fn shrink(mut world: World, holds: &dyn Fn(&World) -> bool) -> World {
    let mut index = 0;
    while index < world.entities.len() {
        let mut without = world.clone();
        let entity = without.entities.remove(index);
        let uid = entity.get("uid");
        let is_asked_about = [&world.principal, &world.resource]
            .iter()
            .any(|asked| uid == Some(&uid_value(asked)));
        if !is_asked_about && holds(&without) {
            world = without;
        } else {
            index += 1;
        }
    }
    merge(&mut world, holds);
    for index in 0..world.entities.len() {
        shrink_parents(&mut world, index, holds);
    }
    for index in 0..world.entities.len() {
        without_tags(&mut world, index, holds);
        each_value(&mut world, Some((index, "attrs")), holds);
        each_value(&mut world, Some((index, "tags")), holds);
    }
    each_value(&mut world, None, holds);
    world
}

fn without_tags(world: &mut World, entity: usize, holds: &dyn Fn(&World) -> bool) {
    let tags = fields(world, Some((entity, "tags"))).and_then(|tags| tags.as_object());
    let names: Vec<String> = tags
        .into_iter()
        .flat_map(|tags| tags.keys().cloned())
        .collect();
    for name in names {
        let mut without = world.clone();
        if let Some(Value::Object(tags)) = fields(&mut without, Some((entity, "tags"))) {
            tags.remove(&name);
        }
        if holds(&without) {
            *world = without;
        }
    }
}

/// Makes one of two entities of a type, where that does not matter.
fn merge(world: &mut World, holds: &dyn Fn(&World) -> bool) {
    let uids = in_order(world);
    for (index, kept) in uids.iter().enumerate() {
        for merged in uids.iter().skip(index + 1) {
            let is_asked_about = [&world.principal, &world.resource].contains(&merged);
            if is_asked_about || merged.type_name() != kept.type_name() {
                continue;
            }
            let mut fewer = world.clone();
            let name = uid_value(merged);
            fewer
                .entities
                .retain(|entity| entity.get("uid") != Some(&name));
            fewer.rename(merged, kept);
            if holds(&fewer) {
                *world = fewer;
            }
        }
    }
}

/// Every entity that is named: the principal and what it has first.
fn in_order(world: &World) -> Vec<EntityUid> {
    let mut uids = Vec::new();
    for asked in [&world.principal, &world.resource] {
        uids.push(asked.clone());
        let name = uid_value(asked);
        let own = world
            .entities
            .iter()
            .filter(|entity| entity.get("uid") == Some(&name));
        own.for_each(|entity| collect(entity, &mut uids));
    }
    for entity in &world.entities {
        collect(entity, &mut uids);
    }
    collect(&world.context, &mut uids);
    let mut seen = BTreeSet::new();
    uids.retain(|uid| seen.insert(uid.clone()));
    uids
}

fn parents(world: &mut World, entity: usize) -> Option<&mut Vec<Value>> {
    world
        .entities
        .get_mut(entity)?
        .get_mut("parents")?
        .as_array_mut()
}

fn shrink_parents(world: &mut World, entity: usize, holds: &dyn Fn(&World) -> bool) {
    let mut index = 0;
    while parents(world, entity).is_some_and(|parents| index < parents.len()) {
        let mut without = world.clone();
        if let Some(parents) = parents(&mut without, entity) {
            parents.remove(index);
        }
        if holds(&without) {
            *world = without;
        } else {
            index += 1;
        }
    }
}

/// Tries plainer values for each attribute or tag of an entity, or for each field of the context.
fn each_value(world: &mut World, part: Option<(usize, &str)>, holds: &dyn Fn(&World) -> bool) {
    let names: Vec<String> = fields(world, part)
        .and_then(|fields| fields.as_object())
        .map(|fields| fields.keys().cloned().collect())
        .unwrap_or_default();
    for name in names {
        let value = fields(world, part).and_then(|fields| fields.get(&name));
        let candidates = value.map(plainer).unwrap_or_default();
        for candidate in candidates {
            let mut plainer = world.clone();
            if let Some(value) = fields(&mut plainer, part).and_then(|f| f.get_mut(&name)) {
                *value = candidate;
            }
            if holds(&plainer) {
                *world = plainer;
                break;
            }
        }
    }
}

fn fields<'w>(world: &'w mut World, part: Option<(usize, &str)>) -> Option<&'w mut Value> {
    match part {
        None => Some(&mut world.context),
        Some((index, of)) => world.entities.get_mut(index)?.get_mut(of),
    }
}

/// Values that are plainer than this one, the plainest first.
fn plainer(value: &Value) -> Vec<Value> {
    let extension = value.pointer("/__extn/fn").and_then(Value::as_str);
    let plain = match (value, extension) {
        (Value::Bool(_), _) => vec![Value::Bool(true)],
        (Value::String(_), _) => vec![json!("")],
        (Value::Number(_), _) => vec![json!(0)],
        (_, Some("ip")) => vec![
            written::address("192.0.2.1"),
            written::address("2001:db8::1"),
        ],
        (_, Some("datetime" | "offset")) => times(value),
        _ => Vec::new(),
    };
    plain
        .into_iter()
        .take_while(|plain| plain != value)
        .collect()
}

/// The service tells whole seconds, and people like days.
fn times(value: &Value) -> Vec<Value> {
    let usual = timestamp::parse("2026-01-01T00:00:00Z").ok();
    let at = written::milliseconds(value);
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
        .map(written::time)
        .collect()
}

/// `Organization::"organization-a"` and the like, where the policies don't mind.
fn name(mut world: World, holds: &dyn Fn(&World) -> bool) -> World {
    let uids = in_order(&world);
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
            let mut named = world.clone();
            named.rename(&uid, &free);
            if holds(&named) {
                world = named;
                seen.push(free);
            }
        }
    }
    world
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
