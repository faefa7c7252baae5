//! PostgreSQL: pools whose connections are asked before they are used, and closed when they do not
//! answer. What a session needs is set by statements, not at its start, so that a pooler in session
//! mode can stand between.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::pool::PoolConnectionMetadata;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use sea_orm::{DatabaseConnection, SqlxPostgresConnector};
use secrecy::ExposeSecret as _;

use super::connection::{Connection, Server};
use super::health::Health;
use super::pools::Pools;
use super::postgres_url;
use super::presence::{self, Presence};
use crate::Error;
use crate::config::Config;

const LOCK_TIMEOUT: Duration = Duration::from_secs(3);
const IDLE_IN_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);
/// Enough for transactions of different tenants at once; those of one tenant queue anyway.
const WRITERS: u32 = 8;
/// A look at what has changed takes milliseconds; one that does not end is tried again on another connection.
const FEED_DEADLINE: Duration = Duration::from_secs(1);
/// Beyond the server's own limit for a statement, for the way there and back.
const SLACK: Duration = Duration::from_secs(1);

/// What a session sets in which nothing can be written.
const READ_ONLY: &str = "SET default_transaction_read_only = on;";

pub(super) async fn connect(config: &Config) -> Result<Pools, Error> {
    connect_as(config, "").await
}

/// Without anything that could be written.
pub(super) async fn connect_read_only(config: &Config) -> Result<Pools, Error> {
    connect_as(config, READ_ONLY).await
}

async fn connect_as(config: &Config, writers: &str) -> Result<Pools, Error> {
    let options = postgres_url::options(config.connection.url.expose_secret())?
        .application_name("charter")
        // A pooler takes no startup parameter that it does not know.
        .extra_float_digits(None)
        .disable_statement_logging();
    reach(&options, config.connection.acquire_timeout).await?;
    let writer = Pool::new(config, WRITERS, writers, Checked::ByRollback);
    let reader = Pool::new(
        config,
        config.connection.max_readers,
        READ_ONLY,
        Checked::AfterIdle(config.ping_after_idle),
    );
    let feed = Pool::new(config, 1, READ_ONLY, Checked::AfterIdle(config.ping_after_idle));
    Ok(Pools {
        writer: writer.open(options.clone()).await?,
        reader: reader.open(options.clone()).await?,
        feed: feed.within(FEED_DEADLINE).open_lazily(options),
        presence: Presence::Sessions,
    })
}

/// A pool only says that it has waited; a connection says what is wrong.
async fn reach(options: &PgConnectOptions, patience: Duration) -> Result<(), Error> {
    match tokio::time::timeout(patience, options.connect()).await {
        Ok(connection) => Ok(connection?.close().await?),
        Err(elapsed) => Err(Error::unavailable(elapsed)),
    }
}

/// How a connection is asked whether it still lives.
#[derive(Clone, Copy)]
enum Checked {
    /// A transaction whose begin was cancelled is still open on the server, and the driver does not
    /// know: without this, later writes would end up in it and be lost.
    ByRollback,
    /// If it has not been used for so long.
    AfterIdle(Duration),
}

struct Pool {
    options: PgPoolOptions,
    health: Arc<Health>,
    deadline: Duration,
}

impl Pool {
    fn new(config: &Config, size: u32, more: &str, checked: Checked) -> Self {
        let health = Arc::new(Health::default());
        let setup = Arc::<str>::from(session(config, more));
        let patience = config.connection.acquire_timeout / 2;
        let (at_acquire, at_release) = (Arc::clone(&health), Arc::clone(&health));
        let options = PgPoolOptions::new()
            .max_connections(size)
            // The presence of a server is told by its sessions, so there is always one.
            .min_connections(u32::from(config.is_server))
            .acquire_timeout(config.connection.acquire_timeout)
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                let setup = Arc::clone(&setup);
                Box::pin(async move {
                    let setup = sqlx::raw_sql(AssertSqlSafe(&*setup));
                    setup.execute(connection).await.map(|_| ())
                })
            })
            .before_acquire(move |connection, known| {
                let health = Arc::clone(&at_acquire);
                Box::pin(async move {
                    if !health.trusts(known.age) {
                        return Ok(false);
                    }
                    let check = is_well(connection, &known, checked);
                    if let Ok(checked) = tokio::time::timeout(patience, check).await {
                        // One whose other end has gone is closed, as after a restart.
                        return Ok(checked.unwrap_or(false));
                    }
                    health.distrust("a connection to the database did not answer");
                    Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into()))
                })
            })
            .after_release(move |_, known| {
                let is_trusted = at_release.trusts(known.age);
                Box::pin(async move { Ok(is_trusted) })
            });
        Self {
            options,
            health,
            deadline: config.connection.acquire_timeout
                + config.connection.statement_timeout
                + SLACK,
        }
    }

    fn within(self, deadline: Duration) -> Self {
        let options = self.options.min_connections(0).acquire_timeout(deadline);
        Self {
            options,
            deadline,
            ..self
        }
    }

    async fn open(self, options: PgConnectOptions) -> Result<Connection, Error> {
        let pool = self.options.clone().connect_with(options.clone()).await?;
        Ok(self.over(pool, options))
    }

    fn open_lazily(self, options: PgConnectOptions) -> Connection {
        let pool = self.options.clone().connect_lazy_with(options.clone());
        self.over(pool, options)
    }

    fn over(self, pool: PgPool, options: PgConnectOptions) -> Connection {
        let reopen = move || connector(self.options.clone().connect_lazy_with(options.clone()));
        let server = Server {
            deadline: self.deadline,
            reopen: Box::new(reopen),
        };
        Connection::new(connector(pool), self.health, Some(server))
    }
}

fn connector(pool: PgPool) -> DatabaseConnection {
    SqlxPostgresConnector::from_sqlx_postgres_pool(pool)
}

async fn is_well(
    connection: &mut PgConnection,
    known: &PoolConnectionMetadata,
    checked: Checked,
) -> Result<bool, sqlx::Error> {
    match checked {
        Checked::ByRollback => {
            // With a begin before it: a rollback alone is a warning in the server's log each time. In a
            // transaction that has failed the begin fails, and the connection is closed.
            connection.execute("BEGIN; ROLLBACK").await?;
            Ok(!connection.is_in_transaction())
        }
        Checked::AfterIdle(time) => {
            if known.idle_for >= time {
                connection.ping().await?;
            }
            Ok(true)
        }
    }
}

/// What every session sets. The keepalives are the server's: it lets go of what a vanished client
/// has locked.
fn session(config: &Config, more: &str) -> String {
    let presence = if config.is_server {
        presence::announce()
    } else {
        String::new()
    };
    format!(
        "SET statement_timeout = {}; SET lock_timeout = {}; \
         SET idle_in_transaction_session_timeout = {}; \
         SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3; \
         SET client_min_messages = error; {more} {presence}",
        config.connection.statement_timeout.as_millis(),
        LOCK_TIMEOUT.as_millis(),
        IDLE_IN_TRANSACTION_TIMEOUT.as_millis(),
    )
}
