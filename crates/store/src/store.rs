//! The database, shared by all modules here.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::audit::Log;
use super::changes::{ChangeFeed, Versions};
use super::connect::{Connection, Presence};
use super::contention::OrganizationQueue;
use super::error::Error;
use super::write_metrics::WriteMetrics;
use charter_budgets::Budgets;
use charter_domain::clock::Clock;
use charter_domain::entropy::Entropy;

pub struct Store {
    pub(super) reader: Connection,
    pub(super) writer: Connection,
    pub(super) audit: Log,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    /// A connection of its own, so that no crowd of requests keeps changes from being seen.
    pub(super) feed: Connection,
    pub(super) changes: Versions,
    pub(super) find_credential: String,
    pub(super) find_sessions: Vec<(String, usize)>,
    pub(super) rotate_sessions: Vec<(String, usize)>,
    pub(super) wait_timeout: Duration,
    pub(super) writes: OrganizationQueue,
    pub(super) lists: OrganizationQueue,
    pub(super) budgets: Arc<Budgets>,
    pub(super) presence: Presence,
    pub(super) write_metrics: WriteMetrics,
}

impl Store {
    /// Limits what each organization may change and store. Without budgets nothing is limited, as in operators'
    /// commands.
    #[must_use]
    pub fn with_budgets(self, budgets: Arc<Budgets>) -> Self {
        Self { budgets, ..self }
    }

    /// Whether the database answers within the time to get a connection.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        let answer = self.reader.execute_unprepared("SELECT 1");
        match tokio::time::timeout(self.wait_timeout, answer).await {
            Ok(answer) => {
                answer?;
                Ok(())
            }
            Err(elapsed) => Err(Error::unavailable(elapsed)),
        }
    }

    /// The first fault in the structure of an SQLite file, which `PRAGMA quick_check` reads as a whole: seconds for
    /// gigabytes. `None` if it has none, and for PostgreSQL.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if the database does not answer.
    pub async fn damage(&self) -> Result<Option<String>, Error> {
        if self.reader.get_database_backend() != DbBackend::Sqlite {
            return Ok(None);
        }
        let check = Statement::from_string(DbBackend::Sqlite, "PRAGMA quick_check(1)");
        let row = match self.reader.query_one_raw(check).await {
            Ok(row) => row,
            // Damaged so that not even this can be read.
            Err(error) if error.to_string().contains("malformed") => {
                return Ok(Some(error.to_string()));
            }
            Err(error) => return Err(error.into()),
        };
        let found = row
            .map(|row| row.try_get_by_index::<String>(0))
            .transpose()?;
        Ok(found.filter(|found| found != "ok"))
    }

    /// Reports every write, except times of last use.
    #[must_use]
    pub fn changes(&self) -> &dyn ChangeFeed {
        &self.changes
    }

    /// Grows whenever the database may have been replaced by one that lacks the latest writes, such as a standby that
    /// was promoted: with each connection that other processes' writes are followed over.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.feed.number()
    }

    /// Syncs the file of audit heads. Blocks.
    pub fn sync_audit_heads(&self) {
        self.audit.heads().sync();
    }

    #[must_use]
    pub fn audit_heads_fault(&self) -> Option<String> {
        self.audit.heads().fault()
    }

    /// How long a request may wait for the database.
    #[must_use]
    pub const fn wait_timeout(&self) -> Duration {
        self.wait_timeout
    }

    /// The latest failure of the database, until something succeeds.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.writer.fault().or_else(|| self.reader.fault())
    }

    /// Closes all connections. On SQLite it merges the write-ahead log into the file as far as possible without
    /// blocking other processes. If no other process has the database open, the file alone is the database.
    pub async fn close(&self) {
        if self.writer.get_database_backend() == DbBackend::Sqlite {
            let folded = self
                .writer
                .execute_unprepared("PRAGMA wal_checkpoint(PASSIVE)");
            if let Err(error) = folded.await {
                tracing::warn!(%error, "the write-ahead log could not be folded into the database");
            }
        }
        for pool in [&self.reader, &self.writer, &self.feed] {
            // The process ends, so nothing can be done about a connection that does not close.
            if let Err(error) = pool.close().await {
                tracing::warn!(%error, "a database pool did not close cleanly");
            }
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("engine", &self.reader.get_database_backend())
            .field("epoch", &self.changes.epoch())
            .finish_non_exhaustive()
    }
}
