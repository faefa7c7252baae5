//! What the store says of an organization, an account, a service account or a user, for domains whose schema declares
//! `Charter::Organization` and so on. It stands over what a request says.

use serde_json::{Map, Value, json};

use charter_authn::access_clients::AccessClient;
use charter_authz::json::Uid;
use charter_authz::own_domain::Fact;
use charter_domain::account::Account;
use charter_domain::caller::Caller;
use charter_domain::organization::Organization;
use charter_domain::service_account::ServiceAccount;
use charter_domain::user::User;
use charter_store::EntityRef;

use crate::access::built_in::{load_resource, load_subject};
use crate::access::question::Entity;
use crate::extract::loaded::{Loaded, entity_ref};
use crate::respond::ApiError;

const NAMESPACE: &str = "Charter::";

/// As a subject: nobody who could not act now. Empty for every other type, and for who there is not.
pub(super) async fn of_subject(
    client: &AccessClient<'_>,
    entity: &Entity,
) -> Result<Vec<Fact>, ApiError> {
    let Some(entity) = within(entity) else {
        return Ok(Vec::new());
    };
    let caller = load_subject(client, &entity).await?;
    Ok(caller.as_ref().map(of_caller).unwrap_or_default())
}

pub(super) async fn of_resource(
    client: &AccessClient<'_>,
    entity: &Entity,
) -> Result<Vec<Fact>, ApiError> {
    let Some(entity) = within(entity) else {
        return Ok(Vec::new());
    };
    let loaded = load_resource(client, &entity).await?;
    Ok(loaded.as_ref().map(of_loaded).unwrap_or_default())
}

pub(crate) fn of_loaded(loaded: &Loaded) -> Vec<Fact> {
    match loaded {
        Loaded::Role(_) | Loaded::Permission(_) | Loaded::AccessKey(..) => Vec::new(),
        Loaded::Organization(it) => vec![organization(it)],
        Loaded::Account(it, of) => vec![account(it), organization(of)],
        Loaded::ServiceAccount(it, within, of) => {
            vec![service_account(it), account(within), organization(of)]
        }
        Loaded::User(it, of) => vec![user(it), organization(of)],
    }
}

pub(crate) fn of_caller(caller: &Caller) -> Vec<Fact> {
    match caller {
        Caller::ServiceAccount(caller) => vec![
            service_account(caller.service_account()),
            account(caller.account()),
            organization(caller.organization()),
        ],
        Caller::User(caller) => vec![user(caller.user()), organization(caller.organization())],
    }
}

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

/// Puts the id that policies have into an entity and its properties: a record of the store may also be named by UUID.
pub(super) fn respell(entity: &mut Entity) {
    if let Some(id) = policies_id(&entity.of, &entity.id) {
        entity.id = id;
    }
    respell_values(&mut entity.properties);
}

/// The same within values, wherever they name an entity: `{"type": …, "id": …}`, also within `__entity`.
pub(super) fn respell_values(values: &mut Map<String, Value>) {
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
        properties: Map::new(),
    })
}

fn uid(of: &str, id: impl ToString) -> Uid {
    Uid {
        of: format!("{NAMESPACE}{of}"),
        id: id.to_string(),
    }
}

fn fact(uid: Uid, attributes: Value, parents: Vec<Uid>) -> Fact {
    Fact {
        uid,
        attributes: match attributes {
            Value::Object(attributes) => attributes,
            _ => Map::new(),
        },
        parents,
    }
}

fn organization(it: &Organization) -> Fact {
    let attributes = json!({
        "code": it.code.as_str(),
        "slug": it.slug.as_str(),
        "is_active": it.is_active,
        "plan_tier": it.plan_tier.as_str(),
    });
    fact(uid("Organization", it.id), attributes, Vec::new())
}

fn account(it: &Account) -> Fact {
    let organization = uid("Organization", it.organization_id);
    let attributes = json!({
        "organization": organization,
        "code": it.code.as_str(),
        "name": it.name.as_str(),
        "is_active": it.is_active,
    });
    fact(uid("Account", it.id), attributes, vec![organization])
}

fn service_account(it: &ServiceAccount) -> Fact {
    let organization = uid("Organization", it.organization_id);
    let account = uid("Account", it.account_id);
    let attributes = json!({
        "organization": organization,
        "account": account,
        "name": it.name.as_str(),
        "is_active": it.is_active,
        "roles": it.roles.to_vec(),
        "permissions": it.permissions.to_vec(),
    });
    fact(
        uid("ServiceAccount", it.id),
        attributes,
        vec![account, organization],
    )
}

fn user(it: &User) -> Fact {
    let organization = uid("Organization", it.organization_id);
    let attributes = json!({
        "organization": organization,
        "role": it.role,
        "is_active": it.is_active,
        "email_verified": it.email_verified,
    });
    fact(uid("User", it.id), attributes, vec![organization])
}
