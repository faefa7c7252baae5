//! Follows the table `changes`, so that what is kept in memory is never older than a second.

use std::collections::VecDeque;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::ChangeFeed as _;
use super::look::{Cursor, News, Position, array, position};
use crate::{Error, Store};

/// How often the table is looked at.
const INTERVAL: Duration = Duration::from_millis(150);
/// How long after the beginning of a look that has seen everything rows in memory may be used. What was
/// acknowledged before that beginning is known; so nothing is used a second after it was changed.
const LEASE: Duration = Duration::from_millis(900);
/// Rows are deleted when every process has had so long to see them.
const KEPT: Duration = Duration::from_mins(2);
/// A process that could not look for so long takes everything for changed: rows may have been deleted.
const TOO_LONG: Duration = Duration::from_mins(1);
/// How often rows are deleted.
const PRUNING: Duration = Duration::from_secs(30);

/// Where one process stands.
#[derive(Default)]
struct Follower {
    cursor: Cursor,
    /// When the last look that succeeded began.
    looked: Option<Duration>,
    is_failing: bool,
}

impl Store {
    /// Follows other processes' writes until it is stopped. While it does not run, or cannot reach the
    /// database, rows are read anew for every request.
    pub async fn follow_changes(&self, stop: CancellationToken) {
        // Beside each other: a deletion that waits for its turn to write holds up no look.
        tokio::join!(self.look_again_and_again(&stop), self.prune_changes(&stop));
    }

    async fn look_again_and_again(&self, stop: &CancellationToken) {
        let mut follower = Follower::default();
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            follower.look(self).await;
        }
    }

    /// Now and then deletes what every process has seen.
    async fn prune_changes(&self, stop: &CancellationToken) {
        // Where the table ended, and when that was seen; oldest first.
        let mut ends = VecDeque::new();
        let mut tried: Option<Duration> = None;
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let now = self.clock.monotonic();
            if tried.is_some_and(|at| now.saturating_sub(at) < PRUNING) {
                continue;
            }
            tried = Some(now);
            if let Err(error) = self.prune(now, &mut ends).await {
                tracing::warn!(%error, "rows of `changes` could not be deleted, they are kept for the next try");
            }
        }
    }

    async fn prune(
        &self,
        now: Duration,
        ends: &mut VecDeque<(Duration, Position)>,
    ) -> Result<(), Error> {
        ends.push_back((now, position(&self.reader).await?));
        let is_old = |(seen, _): &(Duration, Position)| now.saturating_sub(*seen) >= KEPT;
        let mut old = None;
        while let Some((_, end)) = ends.pop_front_if(|it| is_old(it)) {
            old = Some(end);
        }
        match old {
            Some(end) => delete_before(self, &end).await,
            None => Ok(()),
        }
    }
}

impl Follower {
    async fn look(&mut self, store: &Store) {
        let began = store.clock.monotonic();
        match self.cursor.look(&store.feed).await {
            Ok(news) => {
                self.note(store, news, began);
                if self.is_failing {
                    self.is_failing = false;
                    tracing::info!("changes of other processes are seen again");
                }
            }
            Err(error) => {
                metrics::counter!("charter_store_change_looks_failed_total").increment(1);
                if !self.is_failing {
                    self.is_failing = true;
                    tracing::warn!(%error, "changes of other processes cannot be seen, rows are read for every request");
                }
            }
        }
    }

    /// First what has changed, then the lease: whoever finds it extended finds the changes too.
    fn note(&mut self, store: &Store, news: News, began: Duration) {
        let previous = self.looked.replace(began);
        let is_late = previous.is_none_or(|at| began.saturating_sub(at) > TOO_LONG);
        match news {
            News::Organizations(organizations) if !is_late => {
                if !organizations.is_empty() {
                    store.changes.advance(&organizations);
                }
            }
            _ => store.changes.advance_all(),
        }
        store.changes.extend_lease(began + LEASE);
    }
}

/// Deletes what a look at that position could see: a transaction that stays open, of whichever database of the server,
/// keeps none but its own rows.
async fn delete_before(store: &Store, seen: &Position) -> Result<(), Error> {
    let backend = store.writer.get_database_backend();
    let (text, values) = match backend {
        DbBackend::Sqlite => ("DELETE FROM changes WHERE id < ?", vec![seen.end.into()]),
        _ => (
            "DELETE FROM changes WHERE transaction_id < $1 AND NOT transaction_id = ANY ($2::text::bigint[])",
            vec![seen.end.into(), array(&seen.open).into()],
        ),
    };
    let statement = Statement::from_sql_and_values(backend, text, values);
    store.writer.execute_raw(statement).await?;
    Ok(())
}
