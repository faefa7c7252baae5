//! Loads records named by type and id, with their attributes for policies: for the policy decision point and the
//! workbench.

use charter_authz::resource::Resource;
use charter_domain::access_key::AccessKey;
use charter_domain::account::Account;
use charter_domain::caller::Caller;
use charter_domain::id::{AccessKeyId, AccountId, OrganizationId, ServiceAccountId, UserId};
use charter_domain::organization::Organization;
use charter_domain::service_account::ServiceAccount;
use charter_domain::user::User;
use charter_store::{self as store, EntityRef, TenantReader};

/// Names and addresses of a record: measured, about.
const TEXTS_BYTES: usize = 512;

/// The resource of a question.
#[derive(Debug, Clone)]
pub enum Loaded {
    Organization(Organization),
    Account(Account, Organization),
    ServiceAccount(ServiceAccount, Account, Organization),
    AccessKey(AccessKey, ServiceAccount, Account, Organization),
    User(User, Organization),
    Role(String),
    Permission(String),
}

/// The record of this type and id; `None` for roles, permissions, other types and impossible ids. Each may also be
/// named by UUID, as access tokens and the portal name people and organizations.
pub fn entity_ref(of: &str, id: &str) -> Option<EntityRef> {
    match of {
        "Organization" => OrganizationId::parse_either(id).map(EntityRef::Organization),
        "Account" => AccountId::parse_either(id).map(EntityRef::Account),
        "ServiceAccount" => ServiceAccountId::parse_either(id).map(EntityRef::ServiceAccount),
        "AccessKey" => AccessKeyId::parse_either(id).map(EntityRef::AccessKey),
        "User" => UserId::parse_either(id).map(EntityRef::User),
        _ => None,
    }
}

/// Whether authentication accepts this caller.
pub fn is_enabled(caller: &Caller) -> bool {
    match caller {
        Caller::ServiceAccount(caller) => {
            caller.service_account().is_active && caller.account().is_active
        }
        Caller::User(caller) => caller.user().is_active,
    }
}

/// Turns `NotFound` into `None`.
pub fn found_or_none<T>(found: Result<T, store::Error>) -> Result<Option<T>, store::Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(store::Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Loaded {
    /// Loads a record of the tenant.
    pub async fn load(tenant: TenantReader<'_>, named: EntityRef) -> Result<Self, store::Error> {
        let organization = tenant.organization().await?;
        Ok(match named {
            EntityRef::Organization(_) => Self::Organization(organization),
            EntityRef::Account(id) => Self::Account(tenant.account(id).await?, organization),
            EntityRef::User(id) => Self::User(tenant.member(id).await?, organization),
            EntityRef::ServiceAccount(id) => {
                let service_account = tenant.service_account(id).await?;
                let account = tenant.account(service_account.account_id).await?;
                Self::ServiceAccount(service_account, account, organization)
            }
            EntityRef::AccessKey(id) => {
                let key = tenant.find_key(id).await?;
                let service_account = tenant.service_account(key.service_account_id).await?;
                let account = tenant.account(service_account.account_id).await?;
                Self::AccessKey(key, service_account, account, organization)
            }
        })
    }

    /// `None` for roles and permissions.
    pub const fn organization(&self) -> Option<&Organization> {
        match self {
            Self::Organization(organization)
            | Self::Account(_, organization)
            | Self::ServiceAccount(_, _, organization)
            | Self::AccessKey(_, _, _, organization)
            | Self::User(_, organization) => Some(organization),
            Self::Role(_) | Self::Permission(_) => None,
        }
    }

    /// Its id in policies.
    pub fn id(&self) -> String {
        self.as_resource().id()
    }

    /// About how many bytes of memory it takes.
    pub fn bytes(&self) -> usize {
        let metadata = match self {
            Self::Organization(of) | Self::User(_, of) => of.metadata.bytes(),
            Self::Account(account, of) => account.metadata.bytes() + of.metadata.bytes(),
            Self::ServiceAccount(service_account, account, of)
            | Self::AccessKey(_, service_account, account, of) => {
                service_account.roles.bytes()
                    + service_account.permissions.bytes()
                    + service_account.metadata.bytes()
                    + account.metadata.bytes()
                    + of.metadata.bytes()
            }
            Self::Role(name) | Self::Permission(name) => name.len(),
        };
        size_of::<Self>() + TEXTS_BYTES + metadata
    }

    pub fn as_resource(&self) -> Resource<'_> {
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
