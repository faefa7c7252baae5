//! The begin of a transaction, which may go to the database with the first query.

use std::sync::atomic::{AtomicU8, Ordering};

use sea_orm::{DatabaseTransaction, DbErr, Statement};

use super::statements::{BEGIN, execute};

/// Shared by the driver and the turn that has the connection.
pub(super) struct Opening(AtomicU8);

const DUE: u8 = 0;
/// It was sent. It may have failed, or nobody waited for the answer.
const IN_DOUBT: u8 = 1;
const DONE: u8 = 2;

impl Opening {
    pub(super) const fn due() -> Self {
        Self(AtomicU8::new(DUE))
    }

    pub(super) const fn done() -> Self {
        Self(AtomicU8::new(DONE))
    }

    pub(super) fn is_due(&self) -> bool {
        self.0.load(Ordering::Acquire) == DUE
    }

    pub(super) fn is_in_doubt(&self) -> bool {
        self.0.load(Ordering::Acquire) == IN_DOUBT
    }

    /// Begins the transaction if that is due, in a trip of its own.
    ///
    /// # Errors
    ///
    /// Those of the begin, for which it waits as long as SQLite does.
    pub(super) async fn open(&self, connection: &DatabaseTransaction) -> Result<(), DbErr> {
        if self.take() {
            execute(connection, BEGIN).await?;
            self.settle();
        }
        Ok(())
    }

    /// Runs the query, with the begin before it if that is due. It must not bind a limit: SQLite prepares such a
    /// statement anew each time, and if that fails after other statements of one text, the driver's thread panics.
    ///
    /// # Errors
    ///
    /// Those of the begin and of the query.
    pub(super) async fn with<T, Running>(
        &self,
        mut statement: Statement,
        query: impl FnOnce(Statement) -> Running + Send,
    ) -> Result<T, DbErr>
    where
        Running: Future<Output = Result<T, DbErr>> + Send,
    {
        let is_first = self.take();
        if is_first {
            statement.sql = format!("{BEGIN}; {}", statement.sql);
        }
        let answer = query(statement).await?;
        if is_first {
            self.settle();
        }
        Ok(answer)
    }

    /// Whether it was due; it is in doubt now.
    fn take(&self) -> bool {
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        let taken = self.0.compare_exchange(DUE, IN_DOUBT, success, failure);
        taken.is_ok()
    }

    fn settle(&self) {
        self.0.store(DONE, Ordering::Release);
    }
}
