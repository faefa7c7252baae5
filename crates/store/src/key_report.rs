//! All access keys of an organization, each with its service account.

use std::collections::HashMap;

use sea_orm::prelude::{Expr, Uuid};
use sea_orm::sea_query::{ExprTrait as _, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::access_keys::is_active;
use super::entity::{access_key, service_account, stored_time};
use super::listing;
use super::{Error, TenantReader};
use charter_domain::access_key::AccessKey;
use charter_domain::id::{AccountId, ServiceAccountId};
use charter_domain::page::{KeyOrder, Page, PageRequest};
use charter_domain::timestamp::Timestamp;

/// Which keys are listed: those that meet every condition. Keys of deleted service accounts never are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyFilter {
    /// Only those of this account.
    pub account: Option<AccountId>,
    /// Revoked and expired ones, too.
    pub include_inactive: bool,
    /// Last used then or earlier; a key that was never used counts from its creation.
    pub unused_since: Option<Timestamp>,
    /// Made then or earlier.
    pub made_by: Option<Timestamp>,
    /// Expires then or earlier.
    pub expires_by: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct OwnedKey {
    pub key: AccessKey,
    pub owner: KeyOwner,
}

/// What a list of keys says of a service account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOwner {
    pub id: ServiceAccountId,
    pub account_id: AccountId,
    pub name: String,
    pub is_active: bool,
}

impl TenantReader<'_> {
    /// One page of the organization's keys.
    pub async fn list_all_keys(
        &self,
        page: PageRequest<KeyOrder>,
        filter: KeyFilter,
    ) -> Result<Page<OwnedKey>, Error> {
        use access_key::Column;
        let mut owners = Query::select();
        owners
            .column(service_account::Column::Id)
            .from(service_account::Entity)
            .and_where(
                service_account::Column::OrganizationId.eq(self.scope.organization_id().uuid()),
            )
            .and_where(service_account::Column::DeletedAt.is_null());
        if let Some(account) = filter.account {
            owners.and_where(service_account::Column::AccountId.eq(account.uuid()));
        }
        let mut query = self
            .keys_of_all()
            .filter(Column::ServiceAccountId.in_subquery(owners));
        if !filter.include_inactive {
            query = query.filter(is_active(stored_time(self.store.clock.now())));
        }
        if let Some(since) = filter.unused_since {
            let last = Expr::col(Column::LastUsedAt.as_column_ref())
                .if_null(Expr::col(Column::CreatedAt.as_column_ref()));
            query = query.filter(last.lte(stored_time(since)));
        }
        if let Some(made_by) = filter.made_by {
            query = query.filter(Column::CreatedAt.lte(stored_time(made_by)));
        }
        if let Some(expires_by) = filter.expires_by {
            query = query.filter(Column::ExpiresAt.lte(stored_time(expires_by)));
        }
        let sort = super::access_keys::sort(page.order);
        let keys: Page<AccessKey> = listing::page(self, query, &page, sort, Column::Id).await?;
        let owners = self.owners_of(&keys.results).await?;
        let with_owner = |key: AccessKey| {
            let owner = owners.get(&key.service_account_id).cloned();
            let missing = || Error::corrupt("access_keys.service_account_id", "no such row");
            let owner = owner.ok_or_else(missing)?;
            Ok(OwnedKey { key, owner })
        };
        let results: Result<_, Error> = keys.results.into_iter().map(with_owner).collect();
        Ok(Page {
            total: keys.total,
            results: results?,
        })
    }

    async fn owners_of(
        &self,
        keys: &[AccessKey],
    ) -> Result<HashMap<ServiceAccountId, KeyOwner>, Error> {
        use service_account::Column;
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let mut ids: Vec<Uuid> = keys
            .iter()
            .map(|key| key.service_account_id.uuid())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        // Not whole rows: a service account may have 16 KiB of metadata.
        let rows: Vec<(Uuid, Uuid, String, bool)> = service_account::Entity::find()
            .select_only()
            .columns([
                Column::Id,
                Column::AccountId,
                Column::Name,
                Column::IsActive,
            ])
            .filter(Column::OrganizationId.eq(self.scope.organization_id().uuid()))
            .filter(Column::Id.is_in(ids))
            .into_tuple()
            .all(&self.store.reader)
            .await?;
        let owner = |(id, account_id, name, is_active)| {
            let id = ServiceAccountId::from_uuid(id);
            let owner = KeyOwner {
                id,
                account_id: AccountId::from_uuid(account_id),
                name,
                is_active,
            };
            (id, owner)
        };
        Ok(rows.into_iter().map(owner).collect())
    }
}
