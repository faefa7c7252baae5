//! Records in the order of their ids, for searches that ask policy about each (contract section 7).

use std::collections::{BTreeSet, HashMap};

use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, LikeExpr};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use std::sync::Arc;

use super::entity::{access_key, account, service_account, user};
use super::{Error, TenantReader};
use crate::contention::OrganizationPermit;
use charter_domain::access_key::AccessKey;
use charter_domain::account::Account;
use charter_domain::caller::{Caller, ServiceAccountCaller, UserCaller};
use charter_domain::id::{AccountId, ServiceAccountId, UserId};
use charter_domain::service_account::ServiceAccount;
use charter_domain::user::User;

/// Who a search looks at: whoever has one of these. It may find more, since roles and permissions are compared as
/// texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallerFilter {
    pub roles: Vec<String>,
    pub permissions: Vec<String>,
    pub service_accounts: Vec<ServiceAccountId>,
    pub users: Vec<UserId>,
    pub accounts: Vec<AccountId>,
}

/// Some of the records, from an id on.
#[derive(Debug)]
pub struct Scanned<T> {
    pub found: Vec<(Uuid, T)>,
    /// Where the next read goes on; `None` after the last record.
    pub next: Option<Uuid>,
}

/// Rows of a table, from an id on.
struct ScannedRows<M> {
    rows: Vec<M>,
    next: Option<Uuid>,
    /// For what is read with them, too.
    _turn: OrganizationPermit,
}

impl TenantReader<'_> {
    /// Active service accounts of active accounts, as callers. `None` looks at all.
    #[expect(clippy::disallowed_methods, reason = "the store makes callers")]
    pub async fn service_accounts_who(
        &self,
        filter: Option<&CallerFilter>,
        after: Option<Uuid>,
        limit: u64,
    ) -> Result<Scanned<Caller>, Error> {
        use service_account::Column;
        let mut query = service_account::Entity::find()
            .filter(Column::OrganizationId.eq(self.scope.organization_id().uuid()))
            .filter(Column::DeletedAt.is_null())
            .filter(Column::IsActive.eq(true));
        if let Some(filter) = filter {
            let uuids = filter.service_accounts.iter().map(|id| id.uuid());
            let accounts = filter.accounts.iter().map(|id| id.uuid());
            let mut any = Condition::any()
                .add(Column::Id.is_in(uuids))
                .add(Column::AccountId.is_in(accounts));
            for (column, names) in [
                (Column::Roles, &filter.roles),
                (Column::Permissions, &filter.permissions),
            ] {
                for name in names {
                    any = any.add(mentions(column, name));
                }
            }
            query = query.filter(any);
        }
        let organization = self.organization().await?;
        let scanned = self.scan(query, Column::Id, after, limit, |row| row.id);
        let scanned = scanned.await?;
        let accounts = scanned.rows.iter().map(|row| row.account_id);
        let accounts = self.accounts_of(accounts).await?;
        let mut found = Vec::new();
        for row in scanned.rows {
            let Some(account) = accounts.get(&row.account_id).filter(|it| it.is_active) else {
                continue;
            };
            let id = row.id;
            let caller = ServiceAccountCaller::new(
                row.try_into()?,
                account.clone(),
                organization.clone(),
                None,
            );
            found.push((id, Caller::ServiceAccount(Arc::new(caller))));
        }
        let next = scanned.next;
        Ok(Scanned { found, next })
    }

    /// Active users, as callers. `None` looks at all.
    #[expect(clippy::disallowed_methods, reason = "the store makes callers")]
    pub async fn users_who(
        &self,
        filter: Option<&CallerFilter>,
        after: Option<Uuid>,
        limit: u64,
    ) -> Result<Scanned<Caller>, Error> {
        use user::Column;
        let mut query = user::Entity::find()
            .filter(Column::OrganizationId.eq(self.scope.organization_id().uuid()))
            .filter(Column::IsActive.eq(true));
        if let Some(filter) = filter {
            let any = Condition::any()
                .add(Column::Id.is_in(filter.users.iter().map(|id| id.uuid())))
                .add(Column::Role.is_in(filter.roles.iter().map(String::as_str)));
            query = query.filter(any);
        }
        let organization = self.organization().await?;
        let scanned = self.scan(query, Column::Id, after, limit, |row| row.id);
        let scanned = scanned.await?;
        let found = scanned.rows.into_iter().map(|row| {
            let id = row.id;
            let caller = UserCaller::new(None, row.into(), organization.clone());
            (id, Caller::User(Arc::new(caller)))
        });
        Ok(Scanned {
            found: found.collect(),
            next: scanned.next,
        })
    }

    pub async fn accounts_from(
        &self,
        after: Option<Uuid>,
        limit: u64,
    ) -> Result<Scanned<Account>, Error> {
        use account::Column;
        let query = account::Entity::find()
            .filter(Column::OrganizationId.eq(self.scope.organization_id().uuid()));
        let scanned = self.scan(query, Column::Id, after, limit, |row| row.id);
        let scanned = scanned.await?;
        let found = scanned.rows.into_iter();
        let found = found.map(|row| Ok((row.id, row.try_into()?)));
        Ok(Scanned {
            found: found.collect::<Result<_, Error>>()?,
            next: scanned.next,
        })
    }

    /// Service accounts that are not deleted, each with its account.
    pub async fn service_accounts_from(
        &self,
        after: Option<Uuid>,
        limit: u64,
    ) -> Result<Scanned<(ServiceAccount, Account)>, Error> {
        use service_account::Column;
        let query = service_account::Entity::find()
            .filter(Column::OrganizationId.eq(self.scope.organization_id().uuid()))
            .filter(Column::DeletedAt.is_null());
        let scanned = self.scan(query, Column::Id, after, limit, |row| row.id);
        let scanned = scanned.await?;
        let accounts = scanned.rows.iter().map(|row| row.account_id);
        let accounts = self.accounts_of(accounts).await?;
        let mut found = Vec::new();
        for row in scanned.rows {
            if let Some(account) = accounts.get(&row.account_id) {
                found.push((row.id, (row.try_into()?, account.clone())));
            }
        }
        let next = scanned.next;
        Ok(Scanned { found, next })
    }

    /// Keys of service accounts that are not deleted, each with these.
    pub async fn keys_from(
        &self,
        after: Option<Uuid>,
        limit: u64,
    ) -> Result<Scanned<(AccessKey, ServiceAccount, Account)>, Error> {
        use access_key::Column;
        let organization = self.scope.organization_id().uuid();
        let query = access_key::Entity::find().filter(Column::OrganizationId.eq(organization));
        let scanned = self.scan(query, Column::Id, after, limit, |row| row.id);
        let scanned = scanned.await?;
        let holders = scanned.rows.iter().map(|row| row.service_account_id);
        let holders: BTreeSet<Uuid> = holders.collect();
        let holders = service_account::Entity::find()
            .filter(service_account::Column::OrganizationId.eq(organization))
            .filter(service_account::Column::Id.is_in(holders))
            .filter(service_account::Column::DeletedAt.is_null())
            .all(&self.store.reader)
            .await?;
        let accounts = holders.iter().map(|row| row.account_id);
        let accounts = self.accounts_of(accounts).await?;
        let holders: HashMap<Uuid, service_account::Model> =
            holders.into_iter().map(|row| (row.id, row)).collect();
        let mut found = Vec::new();
        for row in scanned.rows {
            let Some(holder) = holders.get(&row.service_account_id) else {
                continue;
            };
            if let Some(account) = accounts.get(&holder.account_id) {
                let id = row.id;
                let parts = (row.try_into()?, holder.clone().try_into()?, account.clone());
                found.push((id, parts));
            }
        }
        let next = scanned.next;
        Ok(Scanned { found, next })
    }

    pub async fn members_from(
        &self,
        after: Option<Uuid>,
        limit: u64,
    ) -> Result<Scanned<User>, Error> {
        use user::Column;
        let query = user::Entity::find()
            .filter(Column::OrganizationId.eq(self.scope.organization_id().uuid()));
        let scanned = self.scan(query, Column::Id, after, limit, |row| row.id);
        let scanned = scanned.await?;
        let found = scanned.rows.into_iter().map(|row| (row.id, row.into()));
        Ok(Scanned {
            found: found.collect(),
            next: scanned.next,
        })
    }

    async fn scan<E: EntityTrait>(
        &self,
        query: Select<E>,
        id: E::Column,
        after: Option<Uuid>,
        limit: u64,
        id_of: fn(&E::Model) -> Uuid,
    ) -> Result<ScannedRows<E::Model>, Error> {
        let turn = self.wait_for_list().await?;
        let rows = query
            .filter(Condition::all().add_option(after.map(|after| id.gt(after))))
            .order_by_asc(id)
            .limit(limit)
            .all(&self.store.reader)
            .await?;
        let is_full = u64::try_from(rows.len()).is_ok_and(|rows| rows >= limit);
        Ok(ScannedRows {
            next: rows.last().map(id_of).filter(|_| is_full),
            rows,
            _turn: turn,
        })
    }

    async fn accounts_of(
        &self,
        ids: impl Iterator<Item = Uuid>,
    ) -> Result<HashMap<Uuid, Account>, Error> {
        let ids: BTreeSet<Uuid> = ids.collect();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = account::Entity::find()
            .filter(account::Column::OrganizationId.eq(self.scope.organization_id().uuid()))
            .filter(account::Column::Id.is_in(ids))
            .all(&self.store.reader)
            .await?;
        let pairs = rows.into_iter().map(|row| Ok((row.id, row.try_into()?)));
        pairs.collect()
    }
}

/// Whether a JSON array of texts may hold this one.
fn mentions(column: service_account::Column, name: &str) -> sea_orm::sea_query::SimpleExpr {
    let text = Expr::col((service_account::Entity, column)).cast_as(Alias::new("text"));
    if name.contains(['"', '\\']) || name.contains(char::is_control) {
        // It is escaped there.
        return Expr::value(true);
    }
    let escaped = name
        .replace('!', "!!")
        .replace('%', "!%")
        .replace('_', "!_");
    text.like(LikeExpr::new(format!("%\"{escaped}\"%")).escape('!'))
}
