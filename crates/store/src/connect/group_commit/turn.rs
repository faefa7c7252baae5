//! A turn on the writer's connection, and the wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::{
    ConnectionTrait as _, DatabaseTransaction, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement,
};
use tokio::sync::oneshot::{Receiver, Sender, channel};

use super::opening::Opening;
use crate::connect::health::Health;
use crate::error::is_disk_failure;

/// What a turn is a turn of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TurnKind {
    /// A savepoint in a transaction that other turns share.
    Shared,
    /// A transaction of its own.
    Alone,
    /// The connection, outside of a transaction.
    Outside,
}

/// Whom to tell that the transaction is committed, or that nothing of it is.
pub(super) type Answer = Sender<Result<(), DbErr>>;

/// How a turn ends that is not given up.
pub(super) struct Ending {
    /// Statements that are left to do.
    pub(super) last: Option<Statement>,
    pub(super) answer: Answer,
}

/// The right to use the connection. Dropped without [`Turn::commit`], what it did is undone.
pub(crate) struct Turn {
    connection: Arc<DatabaseTransaction>,
    opening: Arc<Opening>,
    health: Arc<Health>,
    /// Dropped, it says that the turn was given up.
    ended: Sender<Ending>,
}

impl Turn {
    pub(crate) fn connection(&self) -> &DatabaseTransaction {
        &self.connection
    }

    pub(crate) async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.opening.open(&self.connection).await?;
        self.connection.execute_raw(statement).await
    }

    pub(crate) async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.opening.open(&self.connection).await?;
        self.connection.execute_unprepared(sql).await
    }

    /// Begins the transaction on the way, if that is due.
    pub(crate) async fn query_first(
        &self,
        statement: Statement,
    ) -> Result<Option<QueryResult>, DbErr> {
        let query = |statement| self.connection.query_one_raw(statement);
        self.opening.with(statement, query).await
    }

    pub(crate) async fn query_one_raw(
        &self,
        statement: Statement,
    ) -> Result<Option<QueryResult>, DbErr> {
        self.opening.open(&self.connection).await?;
        self.connection.query_one_raw(statement).await
    }

    pub(crate) async fn query_all_raw(
        &self,
        statement: Statement,
    ) -> Result<Vec<QueryResult>, DbErr> {
        self.opening.open(&self.connection).await?;
        self.connection.query_all_raw(statement).await
    }

    /// Ends the turn with these last statements, and waits until what it did is on the disk. Given up while it
    /// waits, it is committed all the same.
    ///
    /// # Errors
    ///
    /// That of a last statement, and nothing is there of this turn; those of the commit, and nothing is there of
    /// any turn that shared it.
    pub(crate) async fn commit(self, last: Option<Statement>) -> Result<(), DbErr> {
        let (answer, committed) = channel();
        drop(self.connection);
        // Without a driver nobody answers.
        drop(self.ended.send(Ending { last, answer }));
        committed.await.unwrap_or_else(|_| Err(is_gone()))
    }

    /// The same, after the turn's one statement; one that failed is undone.
    pub(crate) async fn end<T>(self, answer: Result<T, DbErr>) -> Result<T, DbErr> {
        if let Err(error) = &answer
            && is_disk_failure(error)
        {
            self.health.distrust(error);
        }
        let answer = answer?;
        self.commit(None).await?;
        Ok(answer)
    }
}

/// Somebody in the line.
pub(super) struct Waiting {
    pub(super) kind: TurnKind,
    is_called: Arc<AtomicBool>,
    turn: Sender<Result<Turn, DbErr>>,
}

impl Waiting {
    pub(super) fn new(kind: TurnKind) -> (Self, Receiver<Result<Turn, DbErr>>) {
        let (turn, receiver) = channel();
        let is_called = Arc::default();
        let waiting = Self {
            kind,
            is_called,
            turn,
        };
        (waiting, receiver)
    }

    /// Whether its turn has come, though the connection may still be on its way.
    pub(super) fn is_called(&self) -> impl FnOnce() -> bool + Send + use<> {
        let is_called = Arc::clone(&self.is_called);
        move || is_called.load(Ordering::Acquire)
    }

    /// False if nobody waits here any more.
    pub(super) fn call(&self) -> bool {
        self.is_called.store(true, Ordering::Release);
        !self.turn.is_closed()
    }

    pub(super) fn refuse(self, error: DbErr) {
        drop(self.turn.send(Err(error)));
    }

    /// Lends the connection until the turn has ended; how it ended, unless it was given up.
    pub(super) async fn lend(
        self,
        connection: &Arc<DatabaseTransaction>,
        opening: &Arc<Opening>,
        health: &Arc<Health>,
    ) -> Option<Ending> {
        let (ended, ending) = channel();
        let turn = Turn {
            connection: Arc::clone(connection),
            opening: Arc::clone(opening),
            health: Arc::clone(health),
            ended,
        };
        // Somebody who has just gone gives the turn up at once.
        drop(self.turn.send(Ok(turn)));
        ending.await.ok()
    }
}

/// Of a driver that went away with its runtime.
pub(super) fn is_gone() -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(
        "the database's writer has ended".to_owned(),
    ))
}
