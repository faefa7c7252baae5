//! A transaction that is committed here or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};

use super::deadline::within;
use super::group_commit::Turn;
use super::health::Health;
use crate::Error;
use crate::error::is_disk_failure;

const HAS_FAILED: &str = "a statement of the transaction has failed";

/// Dropping it rolls back.
pub(crate) struct Transaction {
    inner: Inner,
    health: Arc<Health>,
    deadline: Option<Duration>,
    /// A statement failed. The database may have rolled back, so nothing more is done or committed.
    has_failed: AtomicBool,
}

enum Inner {
    Whole(DatabaseTransaction),
    /// Committed together with others.
    Turn(Turn),
}

impl Inner {
    fn connection(&self) -> &DatabaseTransaction {
        match self {
            Self::Whole(transaction) => transaction,
            Self::Turn(turn) => turn.connection(),
        }
    }
}

impl Transaction {
    pub(super) const fn new(
        inner: DatabaseTransaction,
        health: Arc<Health>,
        deadline: Option<Duration>,
    ) -> Self {
        Self::of(Inner::Whole(inner), health, deadline)
    }

    pub(super) const fn of_turn(turn: Turn, health: Arc<Health>) -> Self {
        Self::of(Inner::Turn(turn), health, None)
    }

    const fn of(inner: Inner, health: Arc<Health>, deadline: Option<Duration>) -> Self {
        Self {
            inner,
            health,
            deadline,
            has_failed: AtomicBool::new(false),
        }
    }

    /// Removes the deadline, for migrations.
    pub(crate) const fn unhurried(mut self) -> Self {
        self.deadline = None;
        self
    }

    pub(crate) fn for_migrations(&self) -> &DatabaseTransaction {
        self.inner.connection()
    }

    /// Commits. If that fails, the connection is closed: the database may have rolled back, or only the answer may
    /// be lost.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`], whether or not the commit happened; [`Error::Unexpected`].
    pub(crate) async fn commit(self) -> Result<(), Error> {
        if self.has_failed.into_inner() {
            // PostgreSQL answers such a commit with a rollback and no error.
            return Err(Error::Unexpected(HAS_FAILED.into()));
        }
        let transaction = match self.inner {
            Inner::Turn(turn) => return Ok(turn.commit().await?),
            Inner::Whole(transaction) => transaction,
        };
        match within(self.deadline, &self.health, transaction.commit()).await {
            Ok(()) => {
                self.health.works();
                Ok(())
            }
            Err(error) => {
                let error = Error::from(error);
                self.health.distrust(error.with_cause());
                Err(error)
            }
        }
    }

    async fn run<T>(
        &self,
        statement: impl Future<Output = Result<T, DbErr>> + Send,
    ) -> Result<T, DbErr> {
        if self.has_failed.load(Ordering::Acquire) {
            // Outside of the transaction, if that is gone, it would be committed at once.
            return Err(DbErr::Custom(HAS_FAILED.to_owned()));
        }
        let answer = within(self.deadline, &self.health, statement).await;
        match &answer {
            Ok(_) => self.health.answers(),
            Err(error) => {
                self.has_failed.store(true, Ordering::Release);
                if is_disk_failure(error) {
                    self.health.distrust(error);
                }
            }
        }
        answer
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.connection().get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.run(self.inner.connection().execute_raw(statement))
            .await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.run(self.inner.connection().execute_unprepared(sql))
            .await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.run(self.inner.connection().query_one_raw(statement))
            .await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.run(self.inner.connection().query_all_raw(statement))
            .await
    }
}
