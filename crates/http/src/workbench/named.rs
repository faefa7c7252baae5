//! Records that a question names by type and id, loaded from the store.

use serde_json::{Map, Value};

use charter_authn::operator::Operator;
use charter_authz::resource::Resource;
use charter_domain::access_key::AccessKey;
use charter_domain::account::Account;
use charter_domain::caller::Caller;
use charter_domain::id::{OrganizationId, UserId};
use charter_domain::organization::Organization;
use charter_domain::permission::Permission;
use charter_domain::service_account::ServiceAccount;
use charter_domain::user::User;
use charter_store::{self as store, EntityRef};

use crate::extract::body_value::Broken;
use crate::respond::{ApiError, echo};

/// Types that may act.
pub(super) const SUBJECTS: [&str; 2] = ["ServiceAccount", "User"];
/// Types that may be acted upon.
pub(super) const RESOURCES: [&str; 7] = [
    "Organization",
    "Account",
    "ServiceAccount",
    "AccessKey",
    "User",
    "Role",
    "Permission",
];

/// What a question names.
#[derive(Debug, Clone)]
pub(super) enum Named {
    Record(EntityRef),
    Role(String),
    Permission(String),
    /// A well-formed type with an id that nothing can have.
    Nothing,
}

/// A record that is acted upon.
#[derive(Debug, Clone)]
pub(super) enum Loaded {
    Organization(Organization),
    Account(Account, Organization),
    ServiceAccount(ServiceAccount, Account, Organization),
    AccessKey(AccessKey, ServiceAccount, Account, Organization),
    User(User, Organization),
    Role(String),
    Permission(String),
}

/// Reads `{"type": …, "id": …}` with one of these types.
pub(super) fn named(object: &Map<String, Value>, types: &[&str]) -> Result<Named, Broken> {
    let (of, id) = (text(object, "type")?, text(object, "id")?);
    if !types.contains(&of) {
        let known = types.join("`, `");
        return Err(Broken::at("/type", format!("must be one of `{known}`")));
    }
    let record = match of {
        "Role" => return Ok(Named::Role(id.to_owned())),
        "Permission" => return Ok(Named::Permission(id.to_owned())),
        "Organization" => organization(id).map(EntityRef::Organization),
        "Account" => id.parse().ok().map(EntityRef::Account),
        "ServiceAccount" => id.parse().ok().map(EntityRef::ServiceAccount),
        "AccessKey" => id.parse().ok().map(EntityRef::AccessKey),
        _ => {
            let known = id.parse().ok();
            known
                .or_else(|| UserId::parse_uuid(id))
                .map(EntityRef::User)
        }
    };
    Ok(record.map_or(Named::Nothing, Named::Record))
}

/// An organization's id in either form.
pub(super) fn organization(id: &str) -> Option<OrganizationId> {
    let typed = id.parse().ok();
    typed.or_else(|| OrganizationId::parse_uuid(id))
}

/// Reads `{"name": …}` of an action.
pub(super) fn permission(object: &Map<String, Value>) -> Result<Permission, Broken> {
    let name = text(object, "name")?;
    name.parse()
        .map_err(|_| Broken::at("/name", format!("there is no action {}", echo(name))))
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a str, Broken> {
    object
        .get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| Broken::at(format!("/{name}"), "must be a string"))
}

/// The one who acts; `None` if there is none of that id.
pub(super) async fn subject(
    operator: &Operator<'_>,
    named: &Named,
) -> Result<Option<Caller>, ApiError> {
    let Named::Record(named) = named else {
        return Ok(None);
    };
    let found = async { operator.tenant_of(*named).await?.caller(*named).await };
    Ok(found_or_none(found.await)?.flatten())
}

/// Whether requests of this caller get as far as policy.
pub(super) fn is_enabled(caller: &Caller) -> bool {
    match caller {
        Caller::ServiceAccount(caller) => {
            caller.service_account().is_active && caller.account().is_active
        }
        Caller::User(caller) => caller.user().is_active,
    }
}

/// What is acted upon; `None` if there is none of that id.
pub(super) async fn resource(
    operator: &Operator<'_>,
    named: &Named,
) -> Result<Option<Loaded>, ApiError> {
    match named {
        Named::Record(named) => Ok(found_or_none(load(operator, *named).await)?),
        Named::Role(name) => Ok(Some(Loaded::Role(name.clone()))),
        Named::Permission(name) => Ok(Some(Loaded::Permission(name.clone()))),
        Named::Nothing => Ok(None),
    }
}

async fn load(operator: &Operator<'_>, named: EntityRef) -> Result<Loaded, store::Error> {
    let tenant = operator.tenant_of(named).await?;
    let organization = tenant.organization().await?;
    Ok(match named {
        EntityRef::Organization(_) => Loaded::Organization(organization),
        EntityRef::Account(id) => Loaded::Account(tenant.account(id).await?, organization),
        EntityRef::User(id) => Loaded::User(tenant.member(id).await?, organization),
        EntityRef::ServiceAccount(id) => {
            let service_account = tenant.service_account(id).await?;
            let account = tenant.account(service_account.account_id).await?;
            Loaded::ServiceAccount(service_account, account, organization)
        }
        EntityRef::AccessKey(id) => {
            let key = tenant.find_key(id).await?;
            let service_account = tenant.service_account(key.service_account_id).await?;
            let account = tenant.account(service_account.account_id).await?;
            Loaded::AccessKey(key, service_account, account, organization)
        }
    })
}

pub(super) fn found_or_none<T>(found: Result<T, store::Error>) -> Result<Option<T>, store::Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(store::Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Loaded {
    /// The organization that it belongs to; roles and permissions belong to none.
    pub(super) const fn organization(&self) -> Option<OrganizationId> {
        match self {
            Self::Organization(organization)
            | Self::Account(_, organization)
            | Self::ServiceAccount(_, _, organization)
            | Self::AccessKey(_, _, _, organization)
            | Self::User(_, organization) => Some(organization.id),
            Self::Role(_) | Self::Permission(_) => None,
        }
    }

    /// As policies name it.
    pub(super) fn id(&self) -> String {
        match self {
            Self::Organization(organization) => organization.id.to_string(),
            Self::Account(account, _) => account.id.to_string(),
            Self::ServiceAccount(service_account, ..) => service_account.id.to_string(),
            Self::AccessKey(access_key, ..) => access_key.id.to_string(),
            Self::User(user, _) => user.id.to_string(),
            Self::Role(name) | Self::Permission(name) => name.clone(),
        }
    }

    pub(super) fn as_resource(&self) -> Resource<'_> {
        match self {
            Self::Organization(organization) => Resource::Organization(organization),
            Self::Account(account, organization) => Resource::Account {
                account,
                organization,
            },
            Self::ServiceAccount(service_account, account, organization) => {
                Resource::ServiceAccount {
                    service_account,
                    account,
                    organization,
                }
            }
            Self::AccessKey(access_key, service_account, account, organization) => {
                Resource::AccessKey {
                    access_key,
                    service_account,
                    account,
                    organization,
                }
            }
            Self::User(user, organization) => Resource::User { user, organization },
            Self::Role(name) => Resource::Role(name),
            Self::Permission(name) => Resource::Permission(name),
        }
    }
}
