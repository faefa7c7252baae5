//! Objects of the machine surface, loaded within the caller's tenant.

use crate::extract::objects::OwnOrganization;
use crate::extract::operation::Object;
use crate::respond::{ApiError, Code};
use charter_authz::resource::Resource;
use charter_domain::access_key::AccessKey;
use charter_domain::account::Account;
use charter_domain::caller::Caller;
use charter_domain::id::{AccessKeyId, AccountId, ServiceAccountId};
use charter_domain::service_account::ServiceAccount;
use charter_store::TenantReader;

impl Object for Account {
    /// `None` for a malformed id.
    type Reference = Option<AccountId>;

    async fn load(tenant: TenantReader<'_>, reference: Self::Reference) -> Result<Self, ApiError> {
        let id = reference.ok_or_else(ApiError::not_found)?;
        Ok(tenant.account(id).await?)
    }

    fn as_resource<'a>(&'a self, caller: &'a Caller) -> Resource<'a> {
        Resource::Account {
            account: self,
            organization: caller.organization(),
        }
    }
}

/// A service account and the account it belongs to.
#[derive(Clone)]
pub(crate) struct ServiceAccountObject {
    pub service_account: ServiceAccount,
    pub account: Account,
}

impl Object for ServiceAccountObject {
    type Reference = Option<ServiceAccountId>;

    async fn load(tenant: TenantReader<'_>, reference: Self::Reference) -> Result<Self, ApiError> {
        let id = reference.ok_or_else(ApiError::not_found)?;
        let service_account = tenant.service_account(id).await?;
        let account = tenant.account(service_account.account_id).await?;
        Ok(Self {
            service_account,
            account,
        })
    }

    fn as_resource<'a>(&'a self, caller: &'a Caller) -> Resource<'a> {
        Resource::ServiceAccount {
            service_account: &self.service_account,
            account: &self.account,
            organization: caller.organization(),
        }
    }
}

/// An access key with its service account.
#[derive(Clone)]
pub(crate) struct AccessKeyObject {
    pub key: AccessKey,
    pub owner: ServiceAccountObject,
}

impl Object for AccessKeyObject {
    type Reference = (Option<ServiceAccountId>, Option<AccessKeyId>);

    async fn load(
        tenant: TenantReader<'_>,
        (service_account, key): Self::Reference,
    ) -> Result<Self, ApiError> {
        let key = key.ok_or_else(ApiError::not_found)?;
        let owner = ServiceAccountObject::load(tenant, service_account).await?;
        let key = tenant.key(owner.service_account.id, key).await?;
        Ok(Self { key, owner })
    }

    fn as_resource<'a>(&'a self, caller: &'a Caller) -> Resource<'a> {
        Resource::AccessKey {
            access_key: &self.key,
            service_account: &self.owner.service_account,
            account: &self.owner.account,
            organization: caller.organization(),
        }
    }
}

/// The scope of a list of service accounts: one account, or the organization.
pub(crate) enum ServiceAccountsIn {
    /// `account_id` was given.
    Account(Account),
    /// `account_id` was not given.
    Organization,
}

impl ServiceAccountsIn {
    #[must_use]
    pub(crate) const fn account(&self) -> Option<AccountId> {
        match self {
            Self::Account(account) => Some(account.id),
            Self::Organization => None,
        }
    }
}

impl Object for ServiceAccountsIn {
    /// `None` for the organization, `Some(None)` for a malformed account id.
    type Reference = Option<Option<AccountId>>;

    async fn load(tenant: TenantReader<'_>, reference: Self::Reference) -> Result<Self, ApiError> {
        match reference {
            None => Ok(Self::Organization),
            Some(id) => find_account(tenant, id)
                .await?
                .map(Self::Account)
                .ok_or_else(|| {
                    ApiError::invalid(
                        Code::BadParameter,
                        "`account_id` names no account of this organization",
                    )
                }),
        }
    }

    fn as_resource<'a>(&'a self, caller: &'a Caller) -> Resource<'a> {
        match self {
            Self::Account(account) => account.as_resource(caller),
            Self::Organization => OwnOrganization.as_resource(caller),
        }
    }
}

/// The scope of a list of keys; the organization is authorized.
pub(crate) struct KeysIn(pub ServiceAccountsIn);

impl Object for KeysIn {
    /// As for [`ServiceAccountsIn`].
    type Reference = Option<Option<AccountId>>;

    async fn load(tenant: TenantReader<'_>, reference: Self::Reference) -> Result<Self, ApiError> {
        ServiceAccountsIn::load(tenant, reference).await.map(Self)
    }

    fn as_resource<'a>(&'a self, caller: &'a Caller) -> Resource<'a> {
        OwnOrganization.as_resource(caller)
    }
}

/// The account of a new service account.
pub(crate) struct AccountOfNew(pub Account);

impl Object for AccountOfNew {
    /// `None` for the default account, `Some(None)` for a malformed id.
    type Reference = Option<Option<AccountId>>;

    async fn load(tenant: TenantReader<'_>, reference: Self::Reference) -> Result<Self, ApiError> {
        match reference {
            None => Ok(Self(tenant.default_account().await?)),
            Some(id) => find_account(tenant, id).await?.map(Self).ok_or_else(|| {
                ApiError::broken("/account_id", "names no account of this organization")
            }),
        }
    }

    fn as_resource<'a>(&'a self, caller: &'a Caller) -> Resource<'a> {
        self.0.as_resource(caller)
    }
}

/// Malformed, missing and other tenants' accounts get the same error.
async fn find_account(
    tenant: TenantReader<'_>,
    id: Option<AccountId>,
) -> Result<Option<Account>, ApiError> {
    let Some(id) = id else { return Ok(None) };
    match tenant.account(id).await {
        Ok(account) => Ok(Some(account)),
        Err(charter_store::Error::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
