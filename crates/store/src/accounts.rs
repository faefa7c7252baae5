//! Accounts of one tenant.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};

use super::audit::Action;
use super::entity::account;
use super::listing::{self, Nulls, Sort};
use super::lookup::{find, lock};
use super::write::Write;
use super::{Error, GrantedNames, TenantReader, TenantWriter, codes, granted_names};
use charter_domain::account::Account;
use charter_domain::code::Code;
use charter_domain::entropy::Entropy;
use charter_domain::id::{AccountId, OrganizationId};
use charter_domain::metadata::Metadata;
use charter_domain::page::{Page, PageRequest, ResourceOrder};
use charter_domain::permission::Permission;
use charter_domain::text::Name;

/// An account to create.
#[derive(Debug, Clone)]
pub struct NewAccount {
    pub name: Name,
    pub metadata: Metadata,
}

impl TenantReader<'_> {
    fn accounts(&self) -> Select<account::Entity> {
        account::Entity::find()
            .filter(account::Column::OrganizationId.eq(self.scope.organization_id().uuid()))
    }

    /// One page of the accounts. Inactive ones only if asked for.
    pub async fn list_accounts(
        &self,
        page: PageRequest<ResourceOrder>,
        include_inactive: bool,
    ) -> Result<Page<Account>, Error> {
        let mut query = self.accounts();
        if !include_inactive {
            query = query.filter(account::Column::IsActive.eq(true));
        }
        let column = match page.order {
            ResourceOrder::CreatedAt => account::Column::CreatedAt,
            ResourceOrder::UpdatedAt => account::Column::UpdatedAt,
            ResourceOrder::Name => account::Column::Name,
        };
        let sort = Sort {
            column,
            nulls: Nulls::None,
        };
        listing::page(self, query, &page, sort, account::Column::Id).await
    }

    pub async fn account(&self, id: AccountId) -> Result<Account, Error> {
        let query = self.accounts().filter(account::Column::Id.eq(id.uuid()));
        find(query, &self.store.reader).await
    }

    /// The account of service accounts that name no other.
    pub async fn default_account(&self) -> Result<Account, Error> {
        let query = self.accounts().filter(account::Column::IsDefault.eq(true));
        find(query, &self.store.reader).await
    }

    pub(super) async fn lock_account(
        &self,
        write: &Write<'_>,
        id: AccountId,
    ) -> Result<Account, Error> {
        lock(
            self.accounts().filter(account::Column::Id.eq(id.uuid())),
            &write.transaction,
        )
        .await
    }
}

impl TenantWriter<'_> {
    pub async fn create_account(&self, new: NewAccount) -> Result<Account, Error> {
        let (mut write, organization) = self.begin().await?;
        let account = insert(
            &mut write,
            &*self.tenant.store.entropy,
            organization.id,
            new.name,
            new.metadata,
            false,
        )
        .await?;
        write.commit().await?;
        Ok(account)
    }

    /// Changes an account's name, metadata or activity. `change` gets the locked record. `wake` gets the roles and
    /// permissions of the service accounts that a reactivation enables again. An error of either rolls back.
    /// Without a change nothing is written.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Stale`] if `expected` is not the current version; [`Error::DefaultAccount`]
    /// if it would be deactivated; [`Error::OrganizationInactive`].
    pub async fn update_account<E: From<Error>>(
        &self,
        id: AccountId,
        expected: Option<i64>,
        change: impl FnOnce(&mut Account) -> Result<(), E> + Send,
        wake: impl FnOnce(&GrantedNames) -> Result<(), E> + Send,
    ) -> Result<Account, E> {
        let (mut write, _) = self.begin().await?;
        let before = self.tenant.lock_account(&write, id).await?;
        write.demand_version(expected, before.version);
        let mut after = before.clone();
        change(&mut after)?;
        if after.is_active && !before.is_active {
            wake(&granted_names::of_account(&write, &before).await?)?;
        }
        if before.is_default && !after.is_active {
            return Err(Error::DefaultAccount.into());
        }
        let action = Action::Permission(Permission::UpdateAccount);
        Ok(write.save_and_commit(action, before, after).await?)
    }
}

/// Inserts an account under a new code, and its audit event.
pub(super) async fn insert(
    write: &mut Write<'_>,
    entropy: &dyn Entropy,
    organization_id: OrganizationId,
    name: Name,
    metadata: Metadata,
    is_default: bool,
) -> Result<Account, Error> {
    let at = write.at();
    let id = AccountId::generate(at, entropy);
    let draft = |code: &Code| Account {
        id,
        organization_id,
        code: code.clone(),
        name: name.clone(),
        is_default,
        is_active: true,
        metadata: metadata.clone(),
        version: 1,
        created_at: at,
        updated_at: at,
    };
    let code = codes::insert(&write.transaction, entropy, account::Column::Code, |code| {
        account::ActiveModel::from(&draft(code))
    })
    .await?;
    let account = draft(&code);
    let action = Action::Permission(Permission::CreateAccount);
    write.record_creation(action, &account).await?;
    Ok(account)
}
