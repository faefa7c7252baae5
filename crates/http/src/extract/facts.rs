//! What the store says of an organization, an account, a service account or a user, for domains whose schema declares
//! `Charter::Organization` and so on. It stands over what a request says.

use serde_json::{Map, Value, json};

use charter_authz::custom_domain::Fact;
use charter_authz::json::Uid;
use charter_domain::account::Account;
use charter_domain::caller::Caller;
use charter_domain::organization::Organization;
use charter_domain::service_account::ServiceAccount;
use charter_domain::user::User;

use super::loaded::Loaded;

/// Of the types that the service itself knows.
pub(crate) const NAMESPACE: &str = "Charter::";

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
