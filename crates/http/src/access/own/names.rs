//! Entities that the service itself knows, as domains of one's own name them.

use std::borrow::Cow;

use serde_json::Map;

use charter_domain::caller::Caller;
use charter_store::EntityRef;

use crate::access::question::Entity;
use crate::extract::facts::NAMESPACE;
use crate::extract::loaded::entity_ref;

/// A caller as the subject of a question.
pub(crate) fn subject(caller: &Caller) -> Entity {
    let of = match caller {
        Caller::ServiceAccount(_) => "ServiceAccount",
        Caller::User(_) => "User",
    };
    Entity {
        of: format!("{NAMESPACE}{of}"),
        id: caller.principal_id(),
        properties: Map::new(),
    }
}

/// The entity by the id that policies have: a record of the store may also be named by UUID.
pub(super) fn respelled(entity: &Entity) -> Cow<'_, Entity> {
    let of = entity.of.strip_prefix(NAMESPACE);
    let known = of.and_then(|of| entity_ref(of, &entity.id));
    match known.map(EntityRef::id) {
        Some(id) if id != entity.id => Cow::Owned(Entity {
            id,
            ..entity.clone()
        }),
        _ => Cow::Borrowed(entity),
    }
}

/// The same entity as the built-in domain names it.
pub(crate) fn within(entity: &Entity) -> Option<Entity> {
    let of = entity.of.strip_prefix(NAMESPACE)?;
    Some(Entity {
        of: of.to_owned(),
        id: entity.id.clone(),
        properties: Map::new(),
    })
}
