//! Who begins and commits: a task of its own, so that a write which is dropped, wherever it waits,
//! leaves neither a transaction open nor others without an answer.

use std::mem;
use std::sync::Arc;

use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr, RuntimeErr, TransactionTrait as _};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::opening::Opening;
use super::statements::{
    BEGIN, COMMIT, GO_ON, ROLLBACK, UNDO, UNDO_AND_COMMIT, execute, execute_last,
};
use super::turn::{Answer, Ending, TurnKind, Waiting};
use crate::connect::health::Health;
use crate::connect::place::DatabaseFiles;
use crate::error::is_disk_failure;

/// Turns in one transaction: whoever had the first one is answered after the last one.
pub(super) const MOST_TURNS: usize = 64;

pub(super) struct Driver {
    pool: DatabaseConnection,
    health: Arc<Health>,
    place: Arc<DatabaseFiles>,
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
        place: Arc<DatabaseFiles>,
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
        let opened = match first.kind {
            TurnKind::Outside => self.open().await.map(|open| (open, Opening::done())),
            TurnKind::Shared => self.place().await.map(|open| (open, Opening::due())),
            TurnKind::Alone => self.begin().await.map(|open| (open, Opening::done())),
        };
        match opened {
            Err(error) => first.refuse(error),
            Ok((connection, opening)) => {
                let opening = Arc::new(opening);
                if first.kind != TurnKind::Outside {
                    return self.share(&connection, &opening, first).await;
                }
                first.lend(&connection, &opening, &self.health).await;
            }
        }
        None
    }

    /// Turns in one transaction, and its end.
    async fn share(
        &mut self,
        connection: &Arc<DatabaseTransaction>,
        opening: &Arc<Opening>,
        first: Waiting,
    ) -> Option<Waiting> {
        let mut done = Vec::new();
        let mut turn = first;
        for left in (0..MOST_TURNS).rev() {
            let kind = turn.kind;
            let ending = turn.lend(connection, opening, &self.health).await;
            if !self.is_trusted() {
                done.extend(ending.map(|ending| ending.answer));
                self.fail(done, "a write in the same transaction failed");
                return None;
            }
            if opening.is_in_doubt() {
                self.leave(connection).await;
                return None;
            }
            let next = match kind {
                TurnKind::Shared if left > 0 => self.next(),
                _ => None,
            };
            let goes_on = next.as_ref().is_some_and(|it| it.kind == TurnKind::Shared);
            let is_open = match ending {
                Some(ending) => {
                    self.end(connection, opening, ending, goes_on, &mut done)
                        .await
                }
                None => self.undo(connection, opening, goes_on, &mut done).await,
            };
            match next {
                Some(next) if is_open => turn = next,
                next => return next,
            }
        }
        None
    }

    /// Who waits, without waiting for anybody.
    fn next(&mut self) -> Option<Waiting> {
        std::iter::from_fn(|| self.queue.try_recv().ok()).find(Waiting::call)
    }

    /// Ends the turn, and the transaction unless it goes on; whether that is open still.
    async fn end(
        &mut self,
        connection: &DatabaseTransaction,
        opening: &Opening,
        ending: Ending,
        goes_on: bool,
        done: &mut Vec<Answer>,
    ) -> bool {
        let Ending { last, answer } = ending;
        if !goes_on && let Some(fault) = self.place.fault() {
            done.push(answer);
            self.roll_back(connection, opening, mem::take(done), &fault)
                .await;
            return false;
        }
        let (has_last, step) = (last.is_some(), if goes_on { GO_ON } else { COMMIT });
        if let Err(error) = opening.open(connection).await {
            self.distrust_after(&error);
            drop(answer.send(Err(error)));
            self.leave(connection).await;
            return false;
        }
        match execute_last(connection, last, step).await {
            Ok(()) => {
                done.push(answer);
                if !goes_on {
                    self.health.works();
                    tell(mem::take(done), || Ok(()));
                }
                goes_on
            }
            // The transaction is as it was but for this turn, or undoing it fails as well.
            Err(error) if has_last && !is_disk_failure(&error) => {
                let is_open = self.undo(connection, opening, goes_on, done).await;
                let error = match &self.open {
                    Some(_) => error,
                    None => unavailable(&error.to_string()),
                };
                drop(answer.send(Err(error)));
                is_open
            }
            Err(error) => {
                done.push(answer);
                self.fail(mem::take(done), &error.to_string());
                false
            }
        }
    }

    /// Undoes a turn, and ends the transaction unless it goes on; whether that is open still.
    async fn undo(
        &mut self,
        connection: &DatabaseTransaction,
        opening: &Opening,
        goes_on: bool,
        done: &mut Vec<Answer>,
    ) -> bool {
        if opening.is_due() {
            return goes_on;
        }
        if !goes_on && let Some(fault) = self.place.fault() {
            self.roll_back(connection, opening, mem::take(done), &fault)
                .await;
            return false;
        }
        let step = match (goes_on, done.is_empty()) {
            (true, _) => UNDO,
            (false, true) => ROLLBACK,
            (false, false) => UNDO_AND_COMMIT,
        };
        match execute(connection, step).await {
            Ok(()) if goes_on => true,
            Ok(()) => {
                if !done.is_empty() {
                    self.health.works();
                }
                tell(mem::take(done), || Ok(()));
                false
            }
            Err(error) => {
                self.fail(mem::take(done), &error.to_string());
                false
            }
        }
    }

    /// Commits nothing, since the database's files are elsewhere.
    async fn roll_back(
        &mut self,
        connection: &DatabaseTransaction,
        opening: &Opening,
        done: Vec<Answer>,
        fault: &str,
    ) {
        if !opening.is_due()
            && let Err(error) = execute(connection, ROLLBACK).await
        {
            return self.fail(done, &error.to_string());
        }
        tell(done, || Err(unavailable(fault)));
    }

    /// Ends a transaction that may have begun, and whose first turn has ended for that.
    async fn leave(&mut self, connection: &DatabaseTransaction) {
        // It fails if there is none.
        drop(execute(connection, ROLLBACK).await);
        self.let_go().await;
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
        let connection = self.place().await?;
        if let Err(error) = execute(&connection, BEGIN).await {
            drop(connection);
            self.distrust_after(&error);
            // Another process has the lock; else the pool finds it out.
            self.let_go().await;
            return Err(error);
        }
        Ok(connection)
    }

    /// The connection, if the database's files are where they were.
    async fn place(&mut self) -> Result<Arc<DatabaseTransaction>, DbErr> {
        match self.place.fault() {
            Some(fault) => Err(unavailable(&fault)),
            None => self.open().await,
        }
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

    /// A connection that cannot begin, because of its files, is closed.
    fn distrust_after(&self, error: &DbErr) {
        if is_disk_failure(error) {
            self.health.distrust(error);
        }
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

fn tell(answers: Vec<Answer>, outcome: impl Fn() -> Result<(), DbErr>) {
    for answer in answers {
        // Somebody who has gone hears nothing.
        drop(answer.send(outcome()));
    }
}

fn unavailable(reason: &str) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(reason.to_owned()))
}
