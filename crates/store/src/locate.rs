//! Finds the tenant, or the caller, that an operator names by id.

use std::sync::Arc;

use sea_orm::prelude::Uuid;
use sea_orm::{DbErr, EntityTrait, QuerySelect, Select};

use super::entity::{access_key, account, organization, service_account, user};
use super::{Error, Scope, Store, TenantReader};
use charter_domain::caller::{Caller, ServiceAccountCaller, UserCaller};
use charter_domain::id::{AccessKeyId, AccountId, OrganizationId, ServiceAccountId, UserId};

/// A record of some tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntityRef {
    Organization(OrganizationId),
    Account(AccountId),
    ServiceAccount(ServiceAccountId),
    AccessKey(AccessKeyId),
    User(UserId),
}

impl EntityRef {
    /// The id in its typed form, which policies have.
    #[must_use]
    pub fn id(self) -> String {
        match self {
            Self::Organization(id) => id.to_string(),
            Self::Account(id) => id.to_string(),
            Self::ServiceAccount(id) => id.to_string(),
            Self::AccessKey(id) => id.to_string(),
            Self::User(id) => id.to_string(),
        }
    }
}

impl Store {
    /// The tenant of a record that an operator names. All others have the scope of a caller.
    pub async fn locate(&self, entity: EntityRef) -> Result<Scope, Error> {
        let found = match entity {
            EntityRef::Organization(id) => {
                let query = organization::Entity::find_by_id(id.uuid());
                self.first(query, organization::Column::Id).await
            }
            EntityRef::Account(id) => {
                let query = account::Entity::find_by_id(id.uuid());
                self.first(query, account::Column::OrganizationId).await
            }
            EntityRef::ServiceAccount(id) => {
                let query = service_account::Entity::find_by_id(id.uuid());
                let column = service_account::Column::OrganizationId;
                self.first(query, column).await
            }
            EntityRef::AccessKey(id) => {
                let query = access_key::Entity::find_by_id(id.uuid());
                self.first(query, access_key::Column::OrganizationId).await
            }
            EntityRef::User(id) => {
                let query = user::Entity::find_by_id(id.uuid());
                self.first(query, user::Column::OrganizationId).await
            }
        };
        let organization = found?.ok_or(Error::NotFound)?;
        Ok(Scope::of(OrganizationId::from_uuid(organization)))
    }

    async fn first<E: EntityTrait>(
        &self,
        query: Select<E>,
        column: E::Column,
    ) -> Result<Option<Uuid>, DbErr> {
        let column = query.select_only().column(column).into_tuple();
        column.one(&self.reader).await
    }
}

impl TenantReader<'_> {
    /// The caller that an operator asks about, without a credential; `None` for records that are no callers.
    #[expect(clippy::disallowed_methods, reason = "the store makes callers")]
    pub async fn caller(&self, named: EntityRef) -> Result<Option<Caller>, Error> {
        let organization = self.organization().await?;
        Ok(match named {
            EntityRef::ServiceAccount(id) => {
                let service_account = self.service_account(id).await?;
                let account = self.account(service_account.account_id).await?;
                let caller =
                    ServiceAccountCaller::new(service_account, account, organization, None);
                Some(Caller::ServiceAccount(Arc::new(caller)))
            }
            EntityRef::User(id) => {
                let user = self.member(id).await?;
                let caller = UserCaller::new(None, user, organization);
                Some(Caller::User(Arc::new(caller)))
            }
            EntityRef::Organization(_) | EntityRef::Account(_) | EntityRef::AccessKey(_) => None,
        })
    }
}
