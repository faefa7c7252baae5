//! When keys and service accounts were last used: written in batches, off the requests' path.

use std::collections::BTreeMap;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};

use super::entity::{access_key, service_account, stored_time};
use super::{Error, Store};
use charter_domain::id::{AccessKeyId, ServiceAccountId};
use charter_domain::timestamp::Timestamp;

impl Store {
    /// Notes when keys and their service accounts were last used; an earlier time than the noted
    /// one changes nothing. No versions, no audit events.
    ///
    /// # Errors
    ///
    /// Those of the database; nothing is noted then.
    pub async fn touch_last_used(
        &self,
        batch: &[(AccessKeyId, ServiceAccountId, Timestamp)],
    ) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        // Sorted, and service accounts before keys as everywhere, so that no two transactions
        // wait for each other.
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
    /// Whether any key was ever used, as far as it was noted.
    ///
    /// # Errors
    ///
    /// Those of the database.
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
