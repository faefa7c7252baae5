//! SQLite's writer: writes that come together are committed together, one sync of the file for all
//! (ADR 0027).
//!
//! Each write has its turn on the one connection, within a savepoint of its own. What nobody waits
//! behind is committed, and then all whose turns were in that transaction are answered.

mod driver;
mod opening;
mod statements;
#[cfg(test)]
mod tests;
mod turn;

pub(super) use turn::{Turn, TurnKind};

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sea_orm::{ConnAcquireErr, DatabaseConnection, DbErr};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::health::Health;
use super::place::DatabaseFiles;
use driver::Driver;
use turn::{Waiting, is_gone};

/// The line of those who want to write.
pub(super) struct Writer {
    pool: DatabaseConnection,
    health: Arc<Health>,
    place: Arc<DatabaseFiles>,
    /// How long a turn is waited for.
    wait_timeout: Duration,
    /// To the driver, which is started when it is needed.
    queue: Mutex<UnboundedSender<Waiting>>,
}

impl Writer {
    /// Over a pool of one connection.
    pub(super) fn new(
        pool: DatabaseConnection,
        health: Arc<Health>,
        place: Arc<DatabaseFiles>,
        wait_timeout: Duration,
    ) -> Self {
        Self {
            pool,
            health,
            place,
            wait_timeout,
            queue: Mutex::new(nobodys()),
        }
    }

    /// Waits for a turn. Whoever gives up waiting is passed over.
    ///
    /// # Errors
    ///
    /// If it does not come in time, and those of the begin. Another process may have the lock: once it
    /// is this write's turn, it waits for it as long as SQLite does.
    pub(super) async fn turn(&self, kind: TurnKind) -> Result<Turn, DbErr> {
        let (waiting, mut turn) = Waiting::new(kind);
        let is_called = waiting.is_called();
        self.join(waiting);
        let turn = match timeout(self.wait_timeout, &mut turn).await {
            Ok(turn) => turn,
            Err(_elapsed) if is_called() => turn.await,
            Err(_elapsed) => return Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
        };
        turn.unwrap_or_else(|_| Err(is_gone()))
    }

    /// What is wrong with the place of the database's files.
    pub(super) fn fault(&self) -> Option<String> {
        self.place.fault()
    }

    /// Lets the connection go once nobody waits any more.
    pub(super) fn stop(&self) {
        *self.queue.lock() = nobodys();
    }

    fn join(&self, waiting: Waiting) {
        let mut queue = self.queue.lock();
        if let Err(refused) = queue.send(waiting) {
            // The first one, or the runtime that the driver ran on has ended.
            let (sender, receiver) = unbounded_channel();
            let driver = Driver::new(
                self.pool.clone(),
                Arc::clone(&self.health),
                Arc::clone(&self.place),
                receiver,
            );
            #[expect(
                clippy::disallowed_methods,
                reason = "it ends with the store, and nothing that is acknowledged is left to it then"
            )]
            tokio::spawn(driver.run());
            // It has a receiver now.
            drop(sender.send(refused.0));
            *queue = sender;
        }
    }
}

/// A line that nobody serves.
fn nobodys() -> UnboundedSender<Waiting> {
    unbounded_channel().0
}
