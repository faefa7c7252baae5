//! A connection pool whose statements have a deadline.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement, TransactionTrait as _,
};

use super::deadline::within;
use super::group_commit::{TurnKind, Writer};
use super::health::Health;
use super::transaction::Transaction;
use crate::Error;
use crate::error::{is_connection_lost, is_disk_failure};

/// How long closing waits for a connection in use.
const CLOSING: Duration = Duration::from_secs(5);

/// Runs single statements on some connection of the pool, and begins transactions.
pub(crate) struct Connection {
    pool: ArcSwap<DatabaseConnection>,
    health: Arc<Health>,
    server: Option<Server>,
    /// Has the pool's one connection to itself, and lends it in turns.
    writer: Option<Writer>,
}

/// Settings for a database server.
pub(super) struct Server {
    /// Limit for an answer, including the wait for a connection. Then the connection is closed.
    pub(super) deadline: Duration,
    /// Makes a new pool without connecting.
    pub(super) reopen: Box<dyn Fn() -> DatabaseConnection + Send + Sync>,
    /// Whether a query is run again, once, if the server has closed its connection, as when it restarts.
    pub(super) repeats: bool,
}

impl Connection {
    pub(super) fn new(
        pool: DatabaseConnection,
        health: Arc<Health>,
        server: Option<Server>,
    ) -> Self {
        Self {
            pool: ArcSwap::from_pointee(pool),
            health,
            server,
            writer: None,
        }
    }

    /// Commits together what comes together.
    pub(super) fn of_writer(pool: DatabaseConnection, health: Arc<Health>, writer: Writer) -> Self {
        Self {
            writer: Some(writer),
            ..Self::new(pool, health, None)
        }
    }

    fn deadline(&self) -> Option<Duration> {
        self.server.as_ref().map(|server| server.deadline)
    }

    /// Begins a transaction. On SQLite it may share its commit with others, and has the write lock from
    /// the start: a transaction that reads first and asks for it later is refused without waiting.
    pub(crate) async fn begin(&self) -> Result<Transaction, Error> {
        self.begin_as(TurnKind::Shared).await
    }

    /// Begins a transaction that shares its commit with none.
    pub(crate) async fn begin_alone(&self) -> Result<Transaction, Error> {
        self.begin_as(TurnKind::Alone).await
    }

    async fn begin_as(&self, kind: TurnKind) -> Result<Transaction, Error> {
        let health = Arc::clone(&self.health);
        if let Some(writer) = &self.writer {
            return Ok(Transaction::of_turn(writer.turn(kind).await?, health));
        }
        let pool = self.pool.load_full();
        let begun = within(self.deadline(), &self.health, pool.begin()).await;
        let begun = begun.inspect_err(|error| self.replace_if_stuck(error))?;
        Ok(Transaction::new(begun, health, self.deadline()))
    }

    /// The latest failure, until something succeeds.
    pub(crate) fn fault(&self) -> Option<String> {
        let misplaced = self.writer.as_ref().and_then(Writer::fault);
        misplaced.or_else(|| self.health.fault())
    }

    /// Grows with each connection to a server. For a pool of one: the number of the connection that answered last.
    pub(crate) fn number(&self) -> u64 {
        self.health.connections()
    }

    /// Closes all connections, except those that are not returned in time.
    pub(crate) async fn close(&self) -> Result<(), DbErr> {
        if let Some(writer) = &self.writer {
            writer.stop();
        }
        let closed = DatabaseConnection::clone(&self.pool.load()).close();
        match tokio::time::timeout(CLOSING, closed).await {
            Ok(closed) => closed,
            Err(elapsed) => Err(DbErr::Conn(RuntimeErr::Internal(elapsed.to_string()))),
        }
    }

    /// Replaces a pool whose connections are all stuck. When a connection is returned, the driver waits for an
    /// answer without a deadline; once all wait, no statement can run.
    fn replace_if_stuck(&self, error: &DbErr) {
        if let (Some(server), DbErr::ConnectionAcquire(_)) = (&self.server, error)
            && self.health.is_silent_for(server.deadline * 2)
        {
            tracing::warn!("no database connection comes free, the pool is made anew");
            self.pool.store(Arc::new((server.reopen)()));
        }
    }

    /// What is asked again on another connection.
    fn copy_to_repeat(&self, statement: &Statement) -> Option<Statement> {
        let repeats = self.server.as_ref().is_some_and(|server| server.repeats);
        repeats.then(|| statement.clone())
    }

    /// Whether the answer is that the server has closed the connection; then no other open one is used.
    fn is_lost<T>(&self, answer: &Result<T, DbErr>) -> bool {
        let lost = answer.as_ref().is_err_and(is_connection_lost);
        if lost {
            self.health.renew();
        }
        lost
    }

    async fn run<T>(
        &self,
        statement: impl Future<Output = Result<T, DbErr>> + Send,
    ) -> Result<T, DbErr> {
        let answer = within(self.deadline(), &self.health, statement).await;
        match &answer {
            Ok(_) => self.health.works(),
            Err(error) if is_disk_failure(error) => self.health.distrust(error),
            Err(error) => self.replace_if_stuck(error),
        }
        answer
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Connection {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.load().get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        if let Some(writer) = &self.writer {
            let turn = writer.turn(TurnKind::Shared).await?;
            let answer = turn.execute_raw(statement).await;
            return turn.end(answer).await;
        }
        let pool = self.pool.load_full();
        self.run(pool.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        if let Some(writer) = &self.writer {
            // No transaction: there are statements that are refused within one.
            let turn = writer.turn(TurnKind::Outside).await?;
            return self.run(turn.connection().execute_unprepared(sql)).await;
        }
        let pool = self.pool.load_full();
        self.run(pool.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        if let Some(writer) = &self.writer {
            let turn = writer.turn(TurnKind::Shared).await?;
            let answer = turn.query_one_raw(statement).await;
            return turn.end(answer).await;
        }
        let (pool, again) = (self.pool.load_full(), self.copy_to_repeat(&statement));
        let answer = self.run(pool.query_one_raw(statement)).await;
        match again {
            Some(again) if self.is_lost(&answer) => self.run(pool.query_one_raw(again)).await,
            _ => answer,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        if let Some(writer) = &self.writer {
            let turn = writer.turn(TurnKind::Shared).await?;
            let answer = turn.query_all_raw(statement).await;
            return turn.end(answer).await;
        }
        let (pool, again) = (self.pool.load_full(), self.copy_to_repeat(&statement));
        let answer = self.run(pool.query_all_raw(statement)).await;
        match again {
            Some(again) if self.is_lost(&answer) => self.run(pool.query_all_raw(again)).await,
            _ => answer,
        }
    }
}
