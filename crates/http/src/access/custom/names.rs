//! Entities that the service itself knows, as domains of one's own name them.

use std::sync::Arc;

use serde_json::{Map, Value};

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
        properties: Arc::default(),
    }
}

/// Puts the id that policies have into an entity and its properties: a record of the store may also be named by UUID.
pub(crate) fn respell(entity: &mut Entity) {
    if let Some(id) = policies_id(&entity.of, &entity.id) {
        entity.id = id;
    }
    respell_values(Arc::make_mut(&mut entity.properties));
}

/// The same within values, wherever they name an entity: `{"type": …, "id": …}`, also within `__entity`.
pub(crate) fn respell_values(values: &mut Map<String, Value>) {
    let mut open: Vec<&mut Value> = values.values_mut().collect();
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(members) => {
                let text = |name| members.get(name).and_then(Value::as_str);
                let id = text("type").zip(text("id"));
                if let Some(id) = id.and_then(|(of, id)| policies_id(of, id)) {
                    members.insert("id".to_owned(), id.into());
                }
                open.extend(members.values_mut());
            }
            _ => {}
        }
    }
}

fn policies_id(of: &str, id: &str) -> Option<String> {
    let of = of.strip_prefix(NAMESPACE)?;
    entity_ref(of, id).map(EntityRef::id)
}

/// The same entity as the built-in domain names it.
pub(crate) fn within(entity: &Entity) -> Option<Entity> {
    let of = entity.of.strip_prefix(NAMESPACE)?;
    Some(Entity {
        of: of.to_owned(),
        id: entity.id.clone(),
        properties: Arc::default(),
    })
}
