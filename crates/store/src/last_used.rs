//! When keys and service accounts were last used, written in batches outside of requests.

use std::collections::BTreeMap;

use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Expr, ExprTrait as _, LockType, Query};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait as _, EntityTrait, PaginatorTrait, QueryFilter,
    QuerySelect,
};

use super::entity::{access_key, latest_right_time, service_account, stored_time};
use super::{Error, Store};
use charter_domain::id::{AccessKeyId, ServiceAccountId};
use charter_domain::timestamp::Timestamp;

/// Rows of a statement, at most.
const MOST_ROWS: usize = 1_024;
/// A statement is as large as the next of these, so that few are prepared.
const SIZES: [usize; 6] = [1, 4, 16, 64, 256, MOST_ROWS];

impl Store {
    /// Records times of last use; earlier times than the recorded ones change nothing, unless those are in the
    /// future, from a wrong clock. There are no versions and no audit events. Many rows are several transactions,
    /// between which others write.
    pub async fn touch_last_used(
        &self,
        batch: &[(AccessKeyId, ServiceAccountId, Timestamp)],
    ) -> Result<(), Error> {
        let uses = batch.iter().map(|(_, id, at)| (id.uuid(), *at));
        self.touch::<service_account::Entity>(
            (
                service_account::Column::Id,
                service_account::Column::LastUsedAt,
            ),
            uses,
        )
        .await?;
        let uses = batch.iter().map(|(id, _, at)| (id.uuid(), *at));
        self.touch::<access_key::Entity>(
            (access_key::Column::Id, access_key::Column::LastUsedAt),
            uses,
        )
        .await
    }

    async fn touch<E: EntityTrait>(
        &self,
        (id, last_used_at): (E::Column, E::Column),
        uses: impl Iterator<Item = (Uuid, Timestamp)>,
    ) -> Result<(), Error> {
        let now = latest_right_time(self.clock.now());
        for (at, rows) in rows_by_time(uses) {
            let earlier = Condition::any()
                .add(last_used_at.is_null())
                .add(last_used_at.lt(at))
                .add(last_used_at.gt(now));
            for rows in rows.chunks(MOST_ROWS) {
                // PostgreSQL locks them in this order, as all who lock several, to avoid deadlocks. Not `FOR
                // UPDATE`, which would make the checks of foreign keys wait.
                let locked = Query::select()
                    .column(id)
                    .from(E::default())
                    .and_where(id.is_in(padded(rows)))
                    .cond_where(earlier.clone())
                    .order_by(id, sea_orm::Order::Asc)
                    .lock(LockType::NoKeyUpdate)
                    .take();
                let update = Query::update()
                    .table(E::default())
                    .value(last_used_at, Expr::value(at))
                    .and_where(Expr::col(id).in_subquery(locked))
                    .take();
                self.writer.execute(&update).await?;
            }
        }
        Ok(())
    }
}

/// The latest use of each row, those of one time together.
fn rows_by_time(uses: impl Iterator<Item = (Uuid, Timestamp)>) -> BTreeMap<Timestamp, Vec<Uuid>> {
    let mut latest = BTreeMap::new();
    for (id, at) in uses {
        let at = stored_time(at);
        let noted = latest.entry(id).or_insert(at);
        *noted = Ord::max(at, *noted);
    }
    let mut rows: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (id, at) in latest {
        rows.entry(at).or_default().push(id);
    }
    rows
}

/// Repeats the last row up to one of the [`SIZES`].
fn padded(rows: &[Uuid]) -> impl Iterator<Item = Uuid> {
    let size = SIZES.into_iter().find(|size| *size >= rows.len());
    let missing = size.unwrap_or_default().saturating_sub(rows.len());
    let last = rows.last().copied();
    let repeated = last.into_iter().cycle().take(missing);
    rows.iter().copied().chain(repeated)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> Uuid {
        Uuid::from_u128(number as u128)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).expect("a time")
    }

    #[test]
    fn the_latest_use_counts_and_uses_of_one_time_go_together() {
        let uses = [(1, 5), (2, 7), (1, 7), (3, 5), (2, 6)];
        let uses = uses.map(|(number, second)| (id(number), at(second)));
        let expected = [(at(5), vec![id(3)]), (at(7), vec![id(1), id(2)])];
        assert_eq!(rows_by_time(uses.into_iter()), expected.into());
    }

    #[test]
    fn statements_have_few_sizes_and_all_rows() {
        for count in 1..=MOST_ROWS {
            let rows: Vec<Uuid> = (0..count).map(id).collect();
            let padded: Vec<Uuid> = padded(&rows).collect();
            assert!(SIZES.contains(&padded.len()), "{count}: {}", padded.len());
            let (kept, repeated) = padded.split_at(count);
            assert_eq!(kept, rows);
            assert!(repeated.iter().all(|row| *row == id(count - 1)), "{count}");
        }
    }
}
