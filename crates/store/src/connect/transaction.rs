//! A transaction that is committed here or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::sea_query::SelectStatement;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};

use super::deadline::within;
use super::effects::{self, Effect};
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
            Inner::Turn(turn) => return Ok(turn.commit(None).await?),
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

    /// The one row of a transaction's first query, which is run with the begin where that is due. It binds no limit.
    ///
    /// # Errors
    ///
    /// Those of the begin and of the query.
    pub(crate) async fn query_first(
        &self,
        query: &SelectStatement,
    ) -> Result<Option<QueryResult>, DbErr> {
        let statement = self.get_database_backend().build(query);
        self.run(async {
            match &self.inner {
                Inner::Whole(transaction) => transaction.query_one_raw(statement).await,
                Inner::Turn(turn) => turn.query_first(statement).await,
            }
        })
        .await
    }

    /// Runs all of them, in one trip; whether each changed one row. On PostgreSQL none sees another's changes.
    ///
    /// # Errors
    ///
    /// The first that fails; then the transaction can only be dropped.
    pub(crate) async fn run_together(&self, effects: Vec<Effect>) -> Result<bool, DbErr> {
        if self.get_database_backend() == DbBackend::Postgres {
            let count = effects.len();
            let rows = self.query_all(&effects::as_one_query(effects)).await?;
            return effects::are_done(&rows, count);
        }
        match self.execute_raw(effects::as_script(effects)).await {
            Err(error) if effects::is_refused(&error) => Ok(false),
            done => done.map(|_| true),
        }
    }

    /// As [`Self::run_together`] and [`Self::commit`], on SQLite in one trip. False, and nothing is committed, if
    /// one of them did not change one row.
    ///
    /// # Errors
    ///
    /// Those of both.
    pub(crate) async fn commit_with(self, effects: Vec<Effect>) -> Result<bool, Error> {
        match self.inner {
            Inner::Turn(turn) if !effects.is_empty() => {
                if self.has_failed.into_inner() {
                    return Err(Error::Unexpected(HAS_FAILED.into()));
                }
                match turn.commit(Some(effects::as_script(effects))).await {
                    Err(error) if effects::is_refused(&error) => Ok(false),
                    done => Ok(done.map(|()| true)?),
                }
            }
            inner => {
                let transaction = Self { inner, ..self };
                let all = effects.is_empty() || transaction.run_together(effects).await?;
                if all {
                    transaction.commit().await?;
                }
                Ok(all)
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
        self.run(async {
            match &self.inner {
                Inner::Whole(transaction) => transaction.execute_raw(statement).await,
                Inner::Turn(turn) => turn.execute_raw(statement).await,
            }
        })
        .await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.run(async {
            match &self.inner {
                Inner::Whole(transaction) => transaction.execute_unprepared(sql).await,
                Inner::Turn(turn) => turn.execute_unprepared(sql).await,
            }
        })
        .await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.run(async {
            match &self.inner {
                Inner::Whole(transaction) => transaction.query_one_raw(statement).await,
                Inner::Turn(turn) => turn.query_one_raw(statement).await,
            }
        })
        .await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.run(async {
            match &self.inner {
                Inner::Whole(transaction) => transaction.query_all_raw(statement).await,
                Inner::Turn(turn) => turn.query_all_raw(statement).await,
            }
        })
        .await
    }
}
