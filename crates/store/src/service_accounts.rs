//! Service accounts of a tenant. Only lists that ask for deleted ones find them.

use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryTrait as _, Select};

use super::audit::Action;
use super::entity::{access_key, service_account};
use super::listing::{self, Nulls, Sort};
use super::lookup::{find, lock};
use super::write::Write;
use super::{Error, TenantReader, TenantWriter};
use charter_domain::id::{AccountId, ServiceAccountId};
use charter_domain::metadata::Metadata;
use charter_domain::page::{Page, PageRequest, ResourceOrder};
use charter_domain::permission::Permission;
use charter_domain::service_account::ServiceAccount;
use charter_domain::text::{Description, Name};

/// A service account to create.
#[derive(Debug, Clone)]
pub struct NewServiceAccount {
    /// Cannot be changed later.
    pub account_id: AccountId,
    pub name: Name,
    pub description: Description,
    /// Role names, without duplicates.
    pub roles: Vec<String>,
    /// Permission names, without duplicates.
    pub permissions: Vec<String>,
    pub metadata: Metadata,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServiceAccountFilter {
    /// Only those of this account.
    pub account: Option<AccountId>,
    pub include_inactive: bool,
    pub include_deleted: bool,
}

impl TenantReader<'_> {
    fn service_accounts(&self) -> Select<service_account::Entity> {
        service_account::Entity::find()
            .filter(service_account::Column::OrganizationId.eq(self.scope.organization_id().uuid()))
    }

    fn live_service_account(&self, id: ServiceAccountId) -> Select<service_account::Entity> {
        self.service_accounts()
            .filter(service_account::Column::Id.eq(id.uuid()))
            .filter(service_account::Column::DeletedAt.is_null())
    }

    pub async fn list_service_accounts(
        &self,
        page: PageRequest<ResourceOrder>,
        filter: ServiceAccountFilter,
    ) -> Result<Page<ServiceAccount>, Error> {
        use service_account::Column;
        let mut query = self.service_accounts();
        if let Some(account) = filter.account {
            query = query.filter(Column::AccountId.eq(account.uuid()));
        }
        let mut live = Condition::all().add(Column::DeletedAt.is_null());
        if !filter.include_inactive {
            live = live.add(Column::IsActive.eq(true));
        }
        let mut shown = Condition::any().add(live);
        if filter.include_deleted {
            shown = shown.add(Column::DeletedAt.is_not_null());
        }
        let sort = Sort {
            column: match page.order {
                ResourceOrder::CreatedAt => Column::CreatedAt,
                ResourceOrder::UpdatedAt => Column::UpdatedAt,
                ResourceOrder::Name => Column::Name,
            },
            nulls: Nulls::None,
        };
        listing::page(self, query.filter(shown), &page, sort, Column::Id).await
    }

    /// One service account, unless it is deleted.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], also for a deleted one.
    pub async fn service_account(&self, id: ServiceAccountId) -> Result<ServiceAccount, Error> {
        find(self.live_service_account(id), &self.store.reader).await
    }

    pub(super) async fn lock_service_account(
        &self,
        write: &Write<'_>,
        id: ServiceAccountId,
    ) -> Result<ServiceAccount, Error> {
        lock(self.live_service_account(id), &write.transaction).await
    }
}

impl TenantWriter<'_> {
    /// Creates a service account.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if the tenant has no such account; [`Error::OrganizationInactive`].
    pub async fn create_service_account(
        &self,
        new: NewServiceAccount,
    ) -> Result<ServiceAccount, Error> {
        let (mut write, organization) = self.begin().await?;
        self.tenant.lock_account(&write, new.account_id).await?;
        let at = write.at();
        let service_account = ServiceAccount {
            id: ServiceAccountId::generate(at, &*self.tenant.store.entropy),
            organization_id: organization.id,
            account_id: new.account_id,
            name: new.name,
            description: new.description,
            is_active: true,
            roles: new.roles.into(),
            permissions: new.permissions.into(),
            metadata: new.metadata,
            deleted_at: None,
            last_used_at: None,
            version: 1,
            created_at: at,
            updated_at: at,
        };
        let row = service_account::ActiveModel::from(&service_account);
        write.will_change(service_account::Entity::insert(row).into_query());
        let action = Action::Permission(Permission::CreateServiceAccount);
        write.record_creation(action, &service_account).await?;
        write.commit().await?;
        Ok(service_account)
    }

    /// Changes a service account. `change` gets the locked record; its error rolls back, and ids, times and
    /// deletion cannot be changed. Without a change nothing is written.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Stale`] if `expected` is not the current version;
    /// [`Error::OrganizationInactive`].
    pub async fn update_service_account<E: From<Error>>(
        &self,
        id: ServiceAccountId,
        expected: Option<i64>,
        change: impl FnOnce(&mut ServiceAccount) -> Result<(), E> + Send,
    ) -> Result<ServiceAccount, E> {
        let (mut write, _) = self.begin().await?;
        let before = self.tenant.lock_service_account(&write, id).await?;
        write.demand_version(expected, before.version);
        let mut after = before.clone();
        change(&mut after)?;
        after.deleted_at = before.deleted_at;
        let action = Action::Permission(Permission::UpdateServiceAccount);
        Ok(write.save_and_commit(action, before, after).await?)
    }

    /// Soft-deletes a service account and revokes its keys.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], also if it is deleted already; [`Error::Stale`] if `expected` is not the current
    /// version; [`Error::OrganizationInactive`].
    pub async fn delete_service_account(
        &self,
        id: ServiceAccountId,
        expected: Option<i64>,
    ) -> Result<(), Error> {
        let (mut write, _) = self.begin_removal().await?;
        let before = self.tenant.lock_service_account(&write, id).await?;
        write.demand_version(expected, before.version);
        let of_service_account = access_key::Column::OrganizationId
            .eq(before.organization_id.uuid())
            .and(access_key::Column::ServiceAccountId.eq(id.uuid()));
        write.revoke_keys(of_service_account).await?;
        let after = ServiceAccount {
            is_active: false,
            deleted_at: Some(write.at()),
            ..before.clone()
        };
        let action = Action::Permission(Permission::DeleteServiceAccount);
        write.save_and_commit(action, before, after).await?;
        Ok(())
    }
}
