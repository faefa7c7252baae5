//! Follows the table `changes`, so that what is kept in memory is never older than a second.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::ChangeFeed as _;
use super::look::{Cursor, News, Position, array};
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

/// What looks over the present connection could see, and when; oldest first.
type Seen = Mutex<VecDeque<(Duration, (u64, Position))>>;

/// Where one process stands.
struct Follower<'a> {
    cursor: Cursor,
    seen: &'a Seen,
    /// When the last look that succeeded began.
    looked: Option<Duration>,
    is_failing: bool,
}

impl Store {
    /// Follows other processes' writes until it is stopped. While it does not run, or cannot reach the
    /// database, rows are read anew for every request.
    pub async fn follow_changes(&self, stop: CancellationToken) {
        let seen = Seen::default();
        // Beside each other: a deletion that waits for its turn to write holds up no look.
        tokio::join!(
            self.look_again_and_again(&seen, &stop),
            self.prune_changes(&seen, &stop)
        );
    }

    async fn look_again_and_again(&self, seen: &Seen, stop: &CancellationToken) {
        let mut follower = Follower {
            cursor: Cursor::default(),
            seen,
            looked: None,
            is_failing: false,
        };
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            follower.look(self).await;
        }
    }

    /// Now and then deletes what every process has seen.
    async fn prune_changes(&self, seen: &Seen, stop: &CancellationToken) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let now = self.clock.monotonic();
            let is_old = |(at, _): &mut (Duration, _)| now.saturating_sub(*at) >= KEPT;
            let mut old = None;
            while let Some((_, (_, position))) = seen.lock().pop_front_if(is_old) {
                old = Some(position);
            }
            let Some(old) = old else { continue };
            if let Err(error) = delete_before(self, &old).await {
                tracing::warn!(%error, "rows of `changes` could not be deleted, they are kept for the next try");
            }
        }
    }
}

impl Follower<'_> {
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
        self.remember(began);
        store.changes.extend_lease(began + LEASE);
    }

    /// Keeps what can be deleted up to there later.
    fn remember(&self, now: Duration) {
        let Some(latest) = self.cursor.latest() else {
            return;
        };
        let mut seen = self.seen.lock();
        // Elsewhere it may name rows that nobody has seen.
        seen.retain(|(_, (connection, _))| *connection == latest.0);
        let is_due = |(at, _): &(Duration, _)| now.saturating_sub(*at) >= PRUNING;
        if seen.back().is_none_or(is_due) {
            seen.push_back((now, latest.clone()));
        }
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
