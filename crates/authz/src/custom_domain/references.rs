//! What an entity refers to.

use cedar_policy::{Entity, EvalResult};

use crate::json::Uid;

/// The entities that its attributes and parents refer to.
pub(super) fn refers_to(entity: &Entity) -> Vec<Uid> {
    let (_, _, parents) = entity.clone().into_inner();
    let parents = parents.iter().map(Uid::of);
    references(entity).into_iter().chain(parents).collect()
}

/// The entities that its attributes refer to.
fn references(entity: &Entity) -> Vec<Uid> {
    let (_, attributes, _) = entity.clone().into_inner();
    let mut found = Vec::new();
    let mut open: Vec<EvalResult> = attributes
        .into_keys()
        .filter_map(|name| entity.attr(&name)?.ok())
        .collect();
    while let Some(value) = open.pop() {
        match value {
            EvalResult::EntityUid(uid) => found.push(Uid::of(&uid)),
            EvalResult::Set(set) => open.extend(set.iter().cloned()),
            EvalResult::Record(record) => {
                open.extend(record.iter().map(|(_, value)| value.clone()));
            }
            _ => {}
        }
    }
    found
}
