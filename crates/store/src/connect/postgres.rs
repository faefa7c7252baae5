//! PostgreSQL pools. Connections are checked before use and closed if they do not answer. Session settings are set
//! by statements, not startup parameters, so that poolers in session mode work.

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
use super::primary::Primary;
use crate::Error;
use crate::config::Config;

const LOCK_TIMEOUT: Duration = Duration::from_secs(3);
const IDLE_IN_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);
/// For transactions of different tenants; those of one tenant queue anyway.
const WRITERS: u32 = 8;
/// A look at what has changed takes milliseconds; one that does not end is tried again on another connection.
const FEED_DEADLINE: Duration = Duration::from_secs(1);
/// Added to the server's statement timeout for the network.
const SLACK: Duration = Duration::from_secs(1);

/// Makes a session read-only.
const READ_ONLY: &str = "SET default_transaction_read_only = on;";

pub(super) async fn connect(config: &Config) -> Result<Pools, Error> {
    Box::pin(connect_as(config, "")).await
}

pub(super) async fn connect_read_only(config: &Config) -> Result<Pools, Error> {
    Box::pin(connect_as(config, READ_ONLY)).await
}

async fn connect_as(config: &Config, writers: &str) -> Result<Pools, Error> {
    let options = postgres_url::options(config.connection.url.expose_secret())?
        .application_name("charter")
        // Poolers refuse startup parameters that they do not know.
        .extra_float_digits(None)
        .disable_statement_logging();
    let primary = config.is_server.then(Primary::default).map(Arc::new);
    let deadline = config.connection.acquire_timeout;
    reach(&options, deadline, primary.as_deref()).await?;
    let idle = Checked::AfterIdle(config.ping_after_idle);
    let pool = |size, more, checked| Pool::new(config, primary.as_ref(), size, more, checked);
    let writer = pool(WRITERS, writers, Checked::ByRollback);
    let reader = pool(config.connection.max_readers, READ_ONLY, idle).repeating();
    let feed = pool(1, READ_ONLY, idle);
    Ok(Pools {
        writer: writer.open(options.clone()).await?,
        reader: reader.open(options.clone()).await?,
        feed: feed.within(FEED_DEADLINE).open_lazily(options),
        presence: Presence::Sessions,
    })
}

/// Connects once without a pool: a pool reports only a timeout, a connection reports the cause.
async fn reach(
    options: &PgConnectOptions,
    patience: Duration,
    primary: Option<&Primary>,
) -> Result<(), Error> {
    let reached = async {
        let mut connection = options.connect().await.map_err(Error::of_connecting)?;
        if let Some(primary) = primary {
            primary.check(&mut connection).await?;
        }
        Ok(connection.close().await?)
    };
    let reached = tokio::time::timeout(patience, reached).await;
    reached.unwrap_or_else(|elapsed| Err(Error::unavailable(elapsed)))
}

/// How a connection is checked before use.
#[derive(Clone, Copy)]
enum Checked {
    /// A transaction whose begin was cancelled is still open on the server, unknown to the driver. Without this
    /// check, later writes would join it and be lost.
    ByRollback,
    /// Only if it was idle for longer.
    AfterIdle(Duration),
}

struct Pool {
    options: PgPoolOptions,
    health: Arc<Health>,
    deadline: Duration,
    repeats: bool,
}

impl Pool {
    fn new(
        config: &Config,
        primary: Option<&Arc<Primary>>,
        size: u32,
        more: &str,
        checked: Checked,
    ) -> Self {
        let health = Arc::new(Health::default());
        if let Some(primary) = primary {
            primary.add(&health);
        }
        let (primary, at_connect) = (primary.cloned(), Arc::clone(&health));
        let setup = Arc::<str>::from(session(config, more));
        let patience = config.connection.acquire_timeout / 2;
        let (at_acquire, at_release) = (Arc::clone(&health), Arc::clone(&health));
        let options = PgPoolOptions::new()
            .max_connections(size)
            // Sessions show that a server runs, so one is always open.
            .min_connections(u32::from(config.is_server))
            .acquire_timeout(config.connection.acquire_timeout)
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                let (setup, primary) = (Arc::clone(&setup), primary.clone());
                let health = Arc::clone(&at_connect);
                Box::pin(async move {
                    if let Some(primary) = primary {
                        primary.check(connection).await?;
                    }
                    let setup = sqlx::raw_sql(AssertSqlSafe(&*setup));
                    setup.execute(connection).await?;
                    health.connected();
                    Ok(())
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
                        // A connection whose peer is gone is closed.
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
            repeats: false,
        }
    }

    /// Runs a statement again whose connection the server has closed; for reads only.
    fn repeating(self) -> Self {
        Self {
            repeats: true,
            ..self
        }
    }

    fn within(self, deadline: Duration) -> Self {
        // Looked through all the time, and each new connection makes what is in memory worthless.
        let options = self.options.min_connections(0).max_lifetime(None);
        let options = options.idle_timeout(None).acquire_timeout(deadline);
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
            repeats: self.repeats,
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
            // `BEGIN` first, because a lone rollback logs a warning on the server. In a failed transaction it
            // fails, and the connection is closed.
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

/// Session settings. The keepalives are the server's: it releases the locks of a client that vanished.
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
