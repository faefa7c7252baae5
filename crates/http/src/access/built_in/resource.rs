//! What may be asked about, loaded.

use charter_authn::access_clients::AccessClient;
use charter_authz::resource::Resource;
use charter_domain::access_key::AccessKey;
use charter_domain::account::Account;
use charter_domain::id::{OrganizationId, UserId};
use charter_domain::organization::Organization;
use charter_domain::service_account::ServiceAccount;
use charter_domain::user::User;
use charter_store::{self as store, EntityRef};

use super::found::found_or_none;
use crate::access::question::Entity;
use crate::respond::ApiError;

#[derive(Debug)]
pub(crate) enum Loaded {
    Organization(Organization),
    Account(Account, Organization),
    ServiceAccount(ServiceAccount, Account, Organization),
    AccessKey(AccessKey, ServiceAccount, Account, Organization),
    User(User, Organization),
    Role(String),
    Permission(String),
}

impl Loaded {
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

    /// `None` for roles and permissions, which belong to nobody.
    pub(super) const fn organization(&self) -> Option<&Organization> {
        match self {
            Self::Organization(organization)
            | Self::Account(_, organization)
            | Self::ServiceAccount(_, _, organization)
            | Self::AccessKey(_, _, _, organization)
            | Self::User(_, organization) => Some(organization),
            Self::Role(_) | Self::Permission(_) => None,
        }
    }
}

/// `None` for what there is not.
pub(crate) async fn load(
    client: &AccessClient<'_>,
    entity: &Entity,
) -> Result<Option<Loaded>, ApiError> {
    let id = entity.id.as_str();
    let named = match entity.of.as_str() {
        "Role" => return Ok(Some(Loaded::Role(id.to_owned()))),
        "Permission" => return Ok(Some(Loaded::Permission(id.to_owned()))),
        // Access tokens name people and organizations by UUID.
        "Organization" => {
            let known = id.parse().ok().or_else(|| OrganizationId::parse_uuid(id));
            known.map(EntityRef::Organization)
        }
        "Account" => id.parse().ok().map(EntityRef::Account),
        "ServiceAccount" => id.parse().ok().map(EntityRef::ServiceAccount),
        "AccessKey" => id.parse().ok().map(EntityRef::AccessKey),
        "User" => {
            let known = id.parse().ok().or_else(|| UserId::parse_uuid(id));
            known.map(EntityRef::User)
        }
        _ => None,
    };
    match named {
        Some(named) => Ok(found_or_none(find(client, named).await)?),
        None => Ok(None),
    }
}

async fn find(client: &AccessClient<'_>, named: EntityRef) -> Result<Loaded, store::Error> {
    let tenant = client.tenant_of(named).await?;
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
