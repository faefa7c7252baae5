//! A transaction that is committed here or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};

use super::deadline::within;
use super::health::Health;
use super::place::Place;
use crate::Error;
use crate::error::is_disk_failure;

/// Dropping it rolls back.
pub(crate) struct Transaction {
    inner: DatabaseTransaction,
    health: Arc<Health>,
    place: Option<Arc<Place>>,
    deadline: Option<Duration>,
    /// A statement failed. The database may have rolled back, so the transaction must not be committed.
    has_failed: AtomicBool,
}

impl Transaction {
    pub(super) const fn new(
        inner: DatabaseTransaction,
        health: Arc<Health>,
        place: Option<Arc<Place>>,
        deadline: Option<Duration>,
    ) -> Self {
        Self {
            inner,
            health,
            place,
            deadline,
            has_failed: AtomicBool::new(false),
        }
    }

    /// Removes the deadline, for migrations.
    pub(crate) const fn unhurried(mut self) -> Self {
        self.deadline = None;
        self
    }

    pub(crate) const fn for_migrations(&self) -> &DatabaseTransaction {
        &self.inner
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
            return Err(Error::Unexpected(
                "a statement of the transaction has failed".into(),
            ));
        }
        if let Some(fault) = self.place.as_ref().and_then(|place| place.fault()) {
            return Err(Error::unavailable(fault));
        }
        match within(self.deadline, &self.health, self.inner.commit()).await {
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
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.run(self.inner.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.run(self.inner.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.run(self.inner.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.run(self.inner.query_all_raw(statement)).await
    }
}
