//! Who begins and commits: a task of its own, so that a write which is dropped, wherever it waits,
//! leaves neither a transaction open nor others without an answer.

use std::sync::Arc;

use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, RuntimeErr,
    Statement, TransactionTrait as _,
};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::turn::{Answer, Kind, Waiting};
use crate::connect::health::Health;
use crate::connect::place::Place;

/// Turns in one transaction: whoever had the first one is answered after the last one.
pub(super) const MOST_TURNS: usize = 64;

const BEGIN: &str = "BEGIN IMMEDIATE; SAVEPOINT turn";
/// After a turn whose changes stay. It fails where SQLite has rolled the transaction back by itself:
/// a savepoint outside of one would begin another one.
const GO_ON: &str = "RELEASE turn; SAVEPOINT turn";
/// After one that was given up. The savepoint is there still, for the next turn.
const UNDO: &str = "ROLLBACK TO turn";
const COMMIT: &str = "COMMIT";
const UNDO_AND_COMMIT: &str = "ROLLBACK TO turn; COMMIT";

pub(super) struct Driver {
    pool: DatabaseConnection,
    health: Arc<Health>,
    place: Arc<Place>,
    queue: UnboundedReceiver<Waiting>,
    open: Option<Open>,
}

/// The connection, kept from one transaction to the next. `sea_orm` lends a connection as a
/// transaction only; the one that it began is ended at once, and those of the turns are begun and
/// committed by statements.
struct Open {
    connection: Arc<DatabaseTransaction>,
    since: Instant,
}

impl Driver {
    pub(super) const fn new(
        pool: DatabaseConnection,
        health: Arc<Health>,
        place: Arc<Place>,
        queue: UnboundedReceiver<Waiting>,
    ) -> Self {
        Self {
            pool,
            health,
            place,
            queue,
            open: None,
        }
    }

    /// Serves the line until nobody can join it any more.
    pub(super) async fn run(mut self) {
        let mut next = None;
        loop {
            let first = match next.take() {
                Some(waiting) => Some(waiting),
                None => self.queue.recv().await,
            };
            let Some(first) = first else { break };
            if first.call() {
                next = self.serve(first).await;
            }
        }
        self.let_go().await;
    }

    /// Serves that one and those behind it, as far as they share a transaction; who comes after them,
    /// if anybody waits.
    async fn serve(&mut self, first: Waiting) -> Option<Waiting> {
        let begun = match first.kind {
            Kind::Outside => self.open().await,
            Kind::Shared | Kind::Alone => self.begin().await,
        };
        match begun {
            Err(error) => first.refuse(error),
            Ok(connection) if first.kind == Kind::Outside => {
                first.lend(&connection, &self.health).await;
            }
            Ok(connection) => return self.share(&connection, first).await,
        }
        None
    }

    /// Turns in the transaction that has begun, and its end.
    async fn share(
        &mut self,
        connection: &Arc<DatabaseTransaction>,
        first: Waiting,
    ) -> Option<Waiting> {
        let mut done = Vec::new();
        let mut turn = first;
        for left in (0..MOST_TURNS).rev() {
            let kind = turn.kind;
            let answer = turn.lend(connection, &self.health).await;
            let was_given_up = answer.is_none();
            done.extend(answer);
            if !self.is_trusted() {
                self.fail(done, "a write in the same transaction failed");
                return None;
            }
            let next = match kind {
                Kind::Shared if left > 0 => self.next(),
                _ => None,
            };
            let next = match next {
                Some(next) if next.kind == Kind::Shared => next,
                other => {
                    self.end(connection, was_given_up, done).await;
                    return other;
                }
            };
            let step = if was_given_up { UNDO } else { GO_ON };
            if let Err(error) = execute(connection, step).await {
                self.fail(done, &error.to_string());
                return Some(next);
            }
            turn = next;
        }
        None
    }

    /// Who waits, without waiting for anybody.
    fn next(&mut self) -> Option<Waiting> {
        std::iter::from_fn(|| self.queue.try_recv().ok()).find(Waiting::call)
    }

    async fn end(
        &mut self,
        connection: &Arc<DatabaseTransaction>,
        was_given_up: bool,
        done: Vec<Answer>,
    ) {
        let fault = self.place.fault();
        if done.is_empty() || fault.is_some() {
            if let Err(error) = execute(connection, "ROLLBACK").await {
                return self.fail(done, &error.to_string());
            }
            let fault = fault.unwrap_or_default();
            return tell(done, || Err(unavailable(&fault)));
        }
        let commit = if was_given_up {
            UNDO_AND_COMMIT
        } else {
            COMMIT
        };
        match execute(connection, commit).await {
            Ok(()) => {
                self.health.works();
                tell(done, || Ok(()));
            }
            Err(error) => self.fail(done, &error.to_string()),
        }
    }

    /// Nothing of the transaction is committed: the connection is closed, whatever state it is in.
    fn fail(&mut self, done: Vec<Answer>, reason: &str) {
        if self.is_trusted() {
            self.health.distrust(reason);
        }
        self.open = None;
        tell(done, || Err(unavailable(reason)));
    }

    async fn begin(&mut self) -> Result<Arc<DatabaseTransaction>, DbErr> {
        if let Some(fault) = self.place.fault() {
            return Err(unavailable(&fault));
        }
        let connection = self.open().await?;
        if let Err(error) = execute(&connection, BEGIN).await {
            drop(connection);
            // Another process has the lock; else the pool finds it out.
            self.let_go().await;
            return Err(error);
        }
        Ok(connection)
    }

    async fn open(&mut self) -> Result<Arc<DatabaseTransaction>, DbErr> {
        if let Some(open) = &self.open
            && self.is_trusted()
        {
            return Ok(Arc::clone(&open.connection));
        }
        self.open = None;
        let connection = self.pool.begin().await?;
        let since = Instant::now();
        execute(&connection, COMMIT).await?;
        let connection = Arc::new(connection);
        self.open = Some(Open {
            connection: Arc::clone(&connection),
            since,
        });
        Ok(connection)
    }

    fn is_trusted(&self) -> bool {
        let trusts = |open: &Open| self.health.trusts(open.since.elapsed());
        self.open.as_ref().is_some_and(trusts)
    }

    /// Gives the connection back to the pool, which asks it whether it is outside of a transaction.
    async fn let_go(&mut self) {
        let Some(open) = self.open.take() else { return };
        // The driver's counter has a transaction, which is rolled back when it is dropped.
        if let Err(error) = execute(&open.connection, "BEGIN").await {
            self.health.distrust(error);
        }
    }
}

async fn execute(connection: &DatabaseTransaction, sql: &str) -> Result<(), DbErr> {
    // As a statement with values, of which there are none: it is prepared once.
    let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, []);
    connection.execute_raw(statement).await.map(|_| ())
}

fn tell(answers: Vec<Answer>, outcome: impl Fn() -> Result<(), DbErr>) {
    for answer in answers {
        // Somebody who has gone hears nothing.
        drop(answer.send(outcome()));
    }
}

fn unavailable(reason: &str) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(reason.to_owned()))
}
