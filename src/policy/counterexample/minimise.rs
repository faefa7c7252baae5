//! Makes a solver's counterexample small and readable: what is not needed goes, what is left gets
//! plain names. Each step is tried, and undone if the counterexample is none any more.

use std::collections::BTreeSet;
use std::str::FromStr;

use cedar_policy::{Entities, EntityId, EntityTypeName, EntityUid, Request, Schema};
use serde_json::{Value, json};

use super::world::{World, written};

/// Whether a request shows what it is to show.
pub(in crate::policy) type Shows<'a> = &'a dyn Fn(&Request, &Entities) -> bool;

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
            .any(|asked| uid == Some(&written(asked)));
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
        each_value(&mut world, Some(index), holds);
    }
    each_value(&mut world, None, holds);
    world
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
            let name = written(merged);
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
        let name = written(asked);
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

/// Tries a plainer value for each attribute of an entity, or for each field of the context.
fn each_value(world: &mut World, entity: Option<usize>, holds: &dyn Fn(&World) -> bool) {
    let names: Vec<String> = fields(world, entity)
        .and_then(|fields| fields.as_object())
        .map(|fields| fields.keys().cloned().collect())
        .unwrap_or_default();
    for name in names {
        let mut plainer = world.clone();
        let Some(value) = fields(&mut plainer, entity).and_then(|fields| fields.get_mut(&name))
        else {
            continue;
        };
        let Some(plain) = plain(value) else { continue };
        *value = plain;
        if holds(&plainer) {
            *world = plainer;
        }
    }
}

fn fields(world: &mut World, entity: Option<usize>) -> Option<&mut Value> {
    match entity {
        None => Some(&mut world.context),
        Some(index) => world.entities.get_mut(index)?.get_mut("attrs"),
    }
}

fn plain(value: &Value) -> Option<Value> {
    let extension = value.pointer("/__extn/fn").and_then(Value::as_str);
    let plain = match (value, extension) {
        (Value::Bool(_), _) => Value::Bool(true),
        (Value::String(_), _) => json!(""),
        (Value::Number(_), _) => json!(0),
        (_, Some("ip")) => json!({"__extn": {"fn": "ip", "arg": "192.0.2.1"}}),
        (_, Some("datetime" | "offset")) => {
            json!({"__extn": {"fn": "datetime", "arg": "2025-01-01"}})
        }
        _ => return None,
    };
    (plain != *value).then_some(plain)
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
