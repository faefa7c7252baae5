//! When keys and service accounts were last used, written in batches outside of requests.

use std::collections::BTreeMap;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};

use super::entity::{access_key, service_account, stored_time};
use super::{Error, Store};
use charter_domain::id::{AccessKeyId, ServiceAccountId};
use charter_domain::timestamp::Timestamp;

impl Store {
    /// Records times of last use; earlier times than the recorded ones change nothing. There are no versions and
    /// no audit events.
    pub async fn touch_last_used(
        &self,
        batch: &[(AccessKeyId, ServiceAccountId, Timestamp)],
    ) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        // Sorted, and service accounts before keys as everywhere, to avoid deadlocks.
        let service_accounts = latest(batch.iter().map(|(_, id, at)| (*id, *at)));
        let keys = latest(batch.iter().map(|(id, _, at)| (*id, *at)));
        let transaction = self.writer.begin().await?;
        for (id, at) in service_accounts {
            use service_account::Column;
            service_account::Entity::update_many()
                .col_expr(Column::LastUsedAt, Expr::value(at))
                .filter(Column::Id.eq(id.uuid()))
                .filter(earlier(Column::LastUsedAt, at))
                .exec(&transaction)
                .await?;
        }
        for (id, at) in keys {
            use access_key::Column;
            access_key::Entity::update_many()
                .col_expr(Column::LastUsedAt, Expr::value(at))
                .filter(Column::Id.eq(id.uuid()))
                .filter(earlier(Column::LastUsedAt, at))
                .exec(&transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

impl Store {
    /// Whether any recorded key was ever used.
    pub async fn any_key_was_used(&self) -> Result<bool, Error> {
        let used = access_key::Entity::find()
            .filter(access_key::Column::LastUsedAt.is_not_null())
            .limit(1)
            .count(&self.reader)
            .await?;
        Ok(used > 0)
    }
}

fn latest<Id: Ord>(uses: impl Iterator<Item = (Id, Timestamp)>) -> BTreeMap<Id, Timestamp> {
    let mut latest = BTreeMap::new();
    for (id, at) in uses {
        let at = stored_time(at);
        latest
            .entry(id)
            .and_modify(|noted: &mut Timestamp| *noted = (*noted).max(at))
            .or_insert(at);
    }
    latest
}

fn earlier(column: impl ColumnTrait, at: Timestamp) -> Condition {
    Condition::any().add(column.is_null()).add(column.lt(at))
}
