//! A connection pool whose statements have a deadline.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _,
};

use super::deadline::within;
use super::health::Health;
use super::place::Place;
use super::transaction::Transaction;
use crate::Error;
use crate::error::is_disk_failure;

/// How long closing waits for a connection in use.
const CLOSING: Duration = Duration::from_secs(5);

/// Runs single statements on some connection of the pool, and begins transactions.
pub(crate) struct Connection {
    pool: ArcSwap<DatabaseConnection>,
    health: Arc<Health>,
    server: Option<Server>,
    place: Option<Arc<Place>>,
}

/// Settings for a database server.
pub(super) struct Server {
    /// Limit for an answer, including the wait for a connection. Then the connection is closed.
    pub(super) deadline: Duration,
    /// Makes a new pool without connecting.
    pub(super) reopen: Box<dyn Fn() -> DatabaseConnection + Send + Sync>,
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
            place: None,
        }
    }

    /// Refuses writes while the database's files are not where they were opened.
    pub(super) fn at(mut self, place: Arc<Place>) -> Self {
        self.place = Some(place);
        self
    }

    fn require_place(&self) -> Result<(), DbErr> {
        let fault = self.place.as_ref().and_then(|place| place.fault());
        fault.map_or(Ok(()), |fault| {
            Err(DbErr::Conn(RuntimeErr::Internal(fault)))
        })
    }

    fn deadline(&self) -> Option<Duration> {
        self.server.as_ref().map(|server| server.deadline)
    }

    /// Begins a transaction. On SQLite it takes the write lock at once: a transaction that reads first and locks
    /// later fails without waiting.
    pub(crate) async fn begin(&self) -> Result<Transaction, Error> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.require_place()?;
        let pool = self.pool.load_full();
        let begun = pool.begin_with_options(options);
        let begun = within(self.deadline(), &self.health, begun).await;
        let begun = begun.inspect_err(|error| self.replace_if_stuck(error))?;
        let health = Arc::clone(&self.health);
        Ok(Transaction::new(
            begun,
            health,
            self.place.clone(),
            self.deadline(),
        ))
    }

    /// The latest failure, until something succeeds.
    pub(crate) fn fault(&self) -> Option<String> {
        let misplaced = self.place.as_ref().and_then(|place| place.fault());
        misplaced.or_else(|| self.health.fault())
    }

    /// Closes all connections, except those that are not returned in time.
    pub(crate) async fn close(&self) -> Result<(), DbErr> {
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
        self.require_place()?;
        let pool = self.pool.load_full();
        self.run(pool.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let pool = self.pool.load_full();
        self.run(pool.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.require_place()?;
        let pool = self.pool.load_full();
        self.run(pool.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.require_place()?;
        let pool = self.pool.load_full();
        self.run(pool.query_all_raw(statement)).await
    }
}
