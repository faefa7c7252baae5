//! `entities.json`: entities in Cedar's own form, checked against the schema at load.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use cedar_policy::{Entity, Schema};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::entity_types::EntityTypes;
use super::facts::Fact;
use super::references::refers_to;
use crate::entity_ids;
use crate::fault::FolderFault;
use crate::json::Uid;
use crate::source::Source;
use charter_domain::causes::with_causes;
use charter_domain::json;

/// The entities of a domain's file.
#[derive(Debug, Default)]
pub(super) struct FileEntities {
    /// By type, then by id.
    by_type: BTreeMap<String, BTreeMap<String, FileEntity>>,
    /// What is directly in an entity.
    members: BTreeMap<Uid, Vec<Uid>>,
}

#[derive(Debug)]
pub(super) struct FileEntity {
    pub(super) fact: Fact,
    pub(super) entity: Entity,
    /// What its attributes and parents refer to.
    pub(super) refers_to: BTreeSet<Uid>,
}

impl FileEntities {
    pub(super) fn get(&self, uid: &Uid) -> Option<&FileEntity> {
        self.by_type.get(&uid.of)?.get(&uid.id)
    }

    /// Ids of a type, from the one after `after` on, in order.
    pub(super) fn ids_after<'a>(
        &'a self,
        of: &str,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a str> + use<'a> {
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.to_owned()));
        let ids = self.by_type.get(of);
        ids.into_iter()
            .flat_map(move |ids| ids.range::<String, _>((from.clone(), Bound::Unbounded)))
            .map(|(id, _)| id.as_str())
    }

    /// These entities and all that are in one of them, directly or not.
    pub(super) fn with_members(&self, these: BTreeSet<Uid>) -> BTreeSet<Uid> {
        let mut open: Vec<Uid> = these.iter().cloned().collect();
        let mut found = these;
        while let Some(uid) = open.pop() {
            for member in self.members.get(&uid).into_iter().flatten() {
                if found.insert(member.clone()) {
                    open.push(member.clone());
                }
            }
        }
        found
    }

    /// # Errors
    ///
    /// Everything that is wrong, each with its place: no JSON, an entity that the schema does not allow, one that is
    /// there twice, a parent that is nowhere, an id that no record of the store can have, a circle of parents.
    pub(super) fn read(
        source: &Source,
        schema: &Schema,
        types: &EntityTypes,
    ) -> Result<Self, Vec<FolderFault>> {
        if let Some(fault) = FolderFault::byte_order_mark(source) {
            return Err(vec![fault]);
        }
        let text: &str = source.inner();
        let list: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            vec![FolderFault::new(format!("not a JSON array: {error}")).at(
                source,
                offset(text, line, column),
                1,
            )]
        })?;
        let mut read = Self::default();
        let mut faults = Vec::new();
        let mut places = BTreeMap::new();
        for raw in list {
            let at = raw.get().as_ptr().addr() - text.as_ptr().addr();
            let length = raw.get().lines().next().map_or(0, str::len);
            match one(raw, schema, types) {
                Ok(found) => {
                    let ids = found.refers_to.iter().filter_map(|uid| uid.to_cedar().ok());
                    let impossible = ids.filter_map(|uid| entity_ids::fault_in_domain(&uid));
                    faults.extend(impossible.map(|fault| fault.at(source, at, length)));
                    let uid = found.fact.uid.clone();
                    if places.insert(uid.clone(), (at, length)).is_some() {
                        let what = format!("`{uid}` is there twice");
                        faults.push(FolderFault::new(what).at(source, at, length));
                    }
                    for parent in &found.fact.parents {
                        let members = read.members.entry(parent.clone()).or_default();
                        members.push(uid.clone());
                    }
                    let ids = read.by_type.entry(uid.of).or_default();
                    ids.insert(uid.id, found);
                }
                Err(message) => faults.push(FolderFault::new(message).at(source, at, length)),
            }
        }
        faults.extend(read.check_parents(source, types, &places));
        if faults.is_empty() {
            Ok(read)
        } else {
            Err(faults)
        }
    }

    fn check_parents(
        &self,
        source: &Source,
        types: &EntityTypes,
        places: &BTreeMap<Uid, (usize, usize)>,
    ) -> Vec<FolderFault> {
        let mut faults = Vec::new();
        let mut in_a_circle: BTreeSet<Uid> = BTreeSet::new();
        for (uid, (at, length)) in places {
            let Some(found) = self.get(uid) else { continue };
            for parent in &found.fact.parents {
                let of = types.get(&parent.of);
                let is_elsewhere = of.is_some_and(|of| of.is_vouched || of.ids.is_some());
                if self.get(parent).is_none() && !is_elsewhere {
                    let what = format!("`{uid}` is in `{parent}`, which the file does not have");
                    faults.push(FolderFault::new(what).at(source, *at, *length));
                }
            }
            if in_a_circle.contains(uid) {
                continue;
            }
            if let Some(circle) = self.circle_from(uid) {
                let names: Vec<String> = circle
                    .iter()
                    .chain([uid])
                    .map(|uid| format!("`{uid}`"))
                    .collect();
                in_a_circle.extend(circle);
                let what = format!("a circle of parents: {}", names.join(" in "));
                faults.push(
                    FolderFault::new(what)
                        .help("an entity cannot be in itself; remove one of these parents")
                        .at(source, *at, *length),
                );
            }
        }
        faults
    }

    /// The entities on a way from this one up to itself. Walks without recursion: chains may be long.
    fn circle_from(&self, start: &Uid) -> Option<Vec<Uid>> {
        let mut came_from: BTreeMap<&Uid, &Uid> = BTreeMap::new();
        let mut open = vec![start];
        while let Some(uid) = open.pop() {
            let Some(found) = self.get(uid) else { continue };
            for parent in &found.fact.parents {
                if parent == start {
                    let mut way = vec![uid.clone()];
                    let mut at = uid;
                    while let Some(before) = came_from.get(at).filter(|_| at != start) {
                        at = before;
                        way.push(at.clone());
                    }
                    way.reverse();
                    return Some(way);
                }
                if let std::collections::btree_map::Entry::Vacant(new) = came_from.entry(parent) {
                    new.insert(uid);
                    open.push(parent);
                }
            }
        }
        None
    }
}

fn one(raw: &RawValue, schema: &Schema, types: &EntityTypes) -> Result<FileEntity, String> {
    // Doubled members are refused here; Cedar would take the last one.
    let value = json::from_slice(raw.get().as_bytes()).map_err(|error| error.to_string())?;
    let entity = Entity::from_json_value(value.clone(), Some(schema))
        .map_err(|error| with_causes(&error))?;
    let uid = Uid::of(&entity.uid());
    let of = types.get(&uid.of);
    if of.is_some_and(|of| of.is_vouched) {
        return Err(format!(
            "`{uid}` is one of the service's own records, which a file cannot describe"
        ));
    }
    let attributes = value.get("attrs").and_then(Value::as_object);
    let attributes: Map<String, Value> = attributes.cloned().unwrap_or_default();
    let (_, _, parents) = entity.clone().into_inner();
    let parents: Vec<Uid> = parents.iter().map(Uid::of).collect();
    let refers_to = refers_to(&entity).into_iter().collect();
    Ok(FileEntity {
        fact: Fact {
            uid,
            attributes,
            parents,
        },
        entity,
        refers_to,
    })
}

/// Of a place that Serde names.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before = text.split_inclusive('\n').take(line.saturating_sub(1));
    let start: usize = before.map(str::len).sum();
    (start + column.saturating_sub(1)).min(text.len())
}
