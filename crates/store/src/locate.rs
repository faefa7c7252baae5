//! For operators: which tenant a thing belongs to, given its id alone.

use sea_orm::prelude::Uuid;
use sea_orm::{EntityTrait, QuerySelect};

use super::entity::{access_key, account, organization, service_account, user};
use super::{Error, Store};
use charter_domain::id::{AccessKeyId, AccountId, OrganizationId, ServiceAccountId, UserId};

/// A thing of some tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntityRef {
    /// A tenant itself.
    Organization(OrganizationId),
    /// An account.
    Account(AccountId),
    /// A service account.
    ServiceAccount(ServiceAccountId),
    /// An access key.
    AccessKey(AccessKeyId),
    /// A person.
    User(UserId),
}

/// Where a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// Its tenant.
    pub organization: OrganizationId,
    /// Whose it is, if it is a key.
    pub service_account: Option<ServiceAccountId>,
}

impl Store {
    /// Where that thing is. For authentication and operators: everybody else goes by a scope.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn locate(&self, thing: EntityRef) -> Result<Option<Location>, Error> {
        let found = match thing {
            EntityRef::Organization(id) => {
                let found = organization::Entity::find_by_id(id.uuid())
                    .select_only()
                    .column(organization::Column::Id);
                found.into_tuple::<Uuid>().one(&self.reader).await?
            }
            EntityRef::Account(id) => {
                let found = account::Entity::find_by_id(id.uuid())
                    .select_only()
                    .column(account::Column::OrganizationId);
                found.into_tuple().one(&self.reader).await?
            }
            EntityRef::ServiceAccount(id) => {
                let found = service_account::Entity::find_by_id(id.uuid())
                    .select_only()
                    .column(service_account::Column::OrganizationId);
                found.into_tuple().one(&self.reader).await?
            }
            EntityRef::User(id) => {
                let found = user::Entity::find_by_id(id.uuid())
                    .select_only()
                    .column(user::Column::OrganizationId);
                found.into_tuple().one(&self.reader).await?
            }
            EntityRef::AccessKey(id) => {
                let found = access_key::Entity::find_by_id(id.uuid())
                    .select_only()
                    .columns([
                        access_key::Column::OrganizationId,
                        access_key::Column::ServiceAccountId,
                    ]);
                let found = found.into_tuple::<(Uuid, Uuid)>().one(&self.reader).await?;
                return Ok(found.map(|(organization, owner)| Location {
                    organization: OrganizationId::from_uuid(organization),
                    service_account: Some(ServiceAccountId::from_uuid(owner)),
                }));
            }
        };
        Ok(found.map(|organization: Uuid| Location {
            organization: OrganizationId::from_uuid(organization),
            service_account: None,
        }))
    }
}
