//! Service accounts of one tenant. A deleted one is found only by lists that ask for it.

use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect, Select};
use serde_json::{Value, json};

use super::audit::{Action, Changes, Entry};
use super::entity::{access_key, service_account, stored_time};
use super::listing::{self, Sort};
use super::write::{Write, check_version, one_row};
use super::{Error, TenantReader, TenantWriter};
use charter_domain::id::{AccountId, ServiceAccountId};
use charter_domain::metadata::Metadata;
use charter_domain::page::{Page, PageRequest, ResourceOrder};
use charter_domain::permission::Permission;
use charter_domain::service_account::ServiceAccount;
use charter_domain::text::{Description, Name};
use charter_domain::timestamp;

/// A service account to be made.
#[derive(Debug, Clone)]
pub struct NewServiceAccount {
    /// The account it belongs to, for good.
    pub account_id: AccountId,
    /// Its name.
    pub name: Name,
    /// What it is for.
    pub description: Description,
    /// Role names, none twice.
    pub roles: Vec<String>,
    /// Permission names, none twice.
    pub permissions: Vec<String>,
    /// The tenant's own notes.
    pub metadata: Metadata,
}

/// Which service accounts a list shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServiceAccountFilter {
    /// Only those of this account.
    pub account: Option<AccountId>,
    /// Those that are switched off too.
    pub include_inactive: bool,
    /// Those that were deleted too.
    pub include_deleted: bool,
}

impl TenantReader<'_> {
    fn service_accounts(&self) -> Select<service_account::Entity> {
        service_account::Entity::find()
            .filter(service_account::Column::OrganizationId.eq(self.scope.organization_id().uuid()))
    }

    /// One page of the service accounts.
    ///
    /// # Errors
    ///
    /// Those of the database.
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
            nulls_are_earliest: true,
        };
        listing::page(self, query.filter(shown), &page, sort, Column::Id).await
    }

    /// One service account.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], also for a deleted one, and those of the database.
    pub async fn service_account(&self, id: ServiceAccountId) -> Result<ServiceAccount, Error> {
        self.service_accounts()
            .filter(service_account::Column::Id.eq(id.uuid()))
            .filter(service_account::Column::DeletedAt.is_null())
            .one(&self.store.reader)
            .await?
            .ok_or(Error::NotFound)?
            .try_into()
    }

    pub(super) async fn lock_service_account(
        &self,
        write: &Write<'_>,
        id: ServiceAccountId,
    ) -> Result<ServiceAccount, Error> {
        self.service_accounts()
            .filter(service_account::Column::Id.eq(id.uuid()))
            .filter(service_account::Column::DeletedAt.is_null())
            .lock_exclusive()
            .one(&write.transaction)
            .await?
            .ok_or(Error::NotFound)?
            .try_into()
    }
}

impl TenantWriter<'_> {
    /// Makes a service account.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if the tenant has no such account; [`Error::OrganizationInactive`];
    /// and those of the database.
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
            roles: new.roles,
            permissions: new.permissions,
            metadata: new.metadata,
            deleted_at: None,
            last_used_at: None,
            version: 1,
            created_at: at,
            updated_at: at,
        };
        let row = service_account::ActiveModel::from(&service_account);
        service_account::Entity::insert(row)
            .exec_without_returning(&write.transaction)
            .await?;
        let entry = Entry {
            action: Action::Permission(Permission::CreateServiceAccount),
            resource: service_account.id.to_string(),
            changes: Changes::created(view(&service_account)),
        };
        write.record(organization.id, entry).await?;
        write.commit().await?;
        Ok(service_account)
    }

    /// Changes a service account: `change` sees the current one, locked, and its error ends the
    /// transaction. Ids, times and deletion are not its to change. What is left as it was writes
    /// nothing.
    ///
    /// # Errors
    ///
    /// Those of `change`; [`Error::NotFound`]; [`Error::Stale`] if `expected` is not the current
    /// version; [`Error::OrganizationInactive`]; and those of the database.
    pub async fn update_service_account<E: From<Error>>(
        &self,
        id: ServiceAccountId,
        expected: Option<i64>,
        change: impl FnOnce(&mut ServiceAccount) -> Result<(), E> + Send,
    ) -> Result<ServiceAccount, E> {
        let (write, _) = self.begin().await?;
        let before = self.tenant.lock_service_account(&write, id).await?;
        check_version(expected, before.version)?;
        let mut after = before.clone();
        change(&mut after)?;
        after.deleted_at = before.deleted_at;
        let action = Permission::UpdateServiceAccount;
        Ok(save(write, action, before, after).await?)
    }

    /// Deletes a service account: its row stays, its keys are revoked, nothing finds it any more.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], the second time too; [`Error::Stale`] if `expected` is not the
    /// current version; [`Error::OrganizationInactive`]; and those of the database.
    pub async fn delete_service_account(
        &self,
        id: ServiceAccountId,
        expected: Option<i64>,
    ) -> Result<(), Error> {
        let (write, _) = self.begin_always().await?;
        let before = self.tenant.lock_service_account(&write, id).await?;
        check_version(expected, before.version)?;
        let of_service_account = access_key::Column::OrganizationId
            .eq(before.organization_id.uuid())
            .and(access_key::Column::ServiceAccountId.eq(id.uuid()));
        write.revoke_keys(of_service_account).await?;
        let after = ServiceAccount {
            is_active: false,
            deleted_at: Some(write.at()),
            ..before.clone()
        };
        save(write, Permission::DeleteServiceAccount, before, after).await?;
        Ok(())
    }
}

async fn save(
    mut write: Write<'_>,
    action: Permission,
    before: ServiceAccount,
    after: ServiceAccount,
) -> Result<ServiceAccount, Error> {
    let mut after = ServiceAccount {
        name: after.name,
        description: after.description,
        is_active: after.is_active,
        roles: after.roles,
        permissions: after.permissions,
        metadata: after.metadata,
        deleted_at: after.deleted_at,
        ..before.clone()
    };
    if after == before {
        return Ok(before);
    }
    after.version = before.version.saturating_add(1);
    after.updated_at = write.at();
    let updated = service_account::Entity::update_many()
        .set(service_account::changeable(&after))
        .filter(service_account::Column::Id.eq(before.id.uuid()))
        .filter(service_account::Column::OrganizationId.eq(before.organization_id.uuid()))
        .filter(service_account::Column::Version.eq(before.version))
        .exec(&write.transaction)
        .await?;
    one_row(updated.rows_affected)?;
    let entry = Entry {
        action: Action::Permission(action),
        resource: before.id.to_string(),
        changes: Changes::between(view(&before), view(&after)),
    };
    write.record(before.organization_id, entry).await?;
    write.commit().await?;
    Ok(after)
}

/// What the audit log shows of a service account.
fn view(service_account: &ServiceAccount) -> Value {
    json!({
        "account_id": service_account.account_id.to_string(),
        "name": service_account.name.as_str(),
        "description": service_account.description.as_str(),
        "is_active": service_account.is_active,
        "roles": service_account.roles,
        "permissions": service_account.permissions,
        "metadata": service_account.metadata.as_object(),
        "deleted_at": service_account.deleted_at.map(|at| timestamp::format(stored_time(at))),
        "version": service_account.version,
    })
}
