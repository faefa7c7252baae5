//! Opens the two pools: readers, and the writers that run transactions.
//!
//! SQLite has one writer, so that writes queue here and not at the file's lock.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::sqlx::{self, ConnectOptions, Connection, Executor};
use sea_orm::{DatabaseConnection, SqlxPostgresConnector, SqlxSqliteConnector};

use super::{Config, Error};
use crate::system::private;

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const LOCK_TIMEOUT: Duration = Duration::from_secs(3);
const IDLE_IN_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);
/// Enough for transactions of different tenants at once; those of one tenant queue anyway.
const POSTGRES_WRITERS: u32 = 8;
const PING_AFTER_IDLE: Duration = Duration::from_secs(5);

/// What every SQLite connection must say when asked (sqlite.org/pragma.html).
const REQUIRED_PRAGMAS: [(&str, &str); 5] = [
    ("journal_mode", "wal"),
    ("synchronous", "2"),
    ("foreign_keys", "1"),
    ("busy_timeout", "5000"),
    ("trusted_schema", "0"),
];

pub(super) struct Pools {
    pub(super) reader: DatabaseConnection,
    pub(super) writer: DatabaseConnection,
}

pub(super) async fn connect(config: &Config) -> Result<Pools, Error> {
    let scheme = config.url.split(':').next().unwrap_or_default();
    match scheme {
        "sqlite" => connect_sqlite(config).await,
        "postgres" | "postgresql" => connect_postgres(config).await,
        // The URL may hold a password: only its scheme is repeated.
        other => Err(Error::Setup(format!(
            "the database url starts with `{other}`, expected `sqlite://` or `postgres://`"
        ))),
    }
}

async fn connect_postgres(config: &Config) -> Result<Pools, Error> {
    let options: PgConnectOptions = config
        .url
        .parse()
        .map_err(|error| Error::Setup(format!("the database url is malformed: {error}")))?;
    let options = options
        .application_name("charter")
        .options([
            ("statement_timeout", milliseconds(config.statement_timeout)),
            ("lock_timeout", milliseconds(LOCK_TIMEOUT)),
            (
                "idle_in_transaction_session_timeout",
                milliseconds(IDLE_IN_TRANSACTION_TIMEOUT),
            ),
            // The ROLLBACK below warns when there is nothing to roll back, which is the rule.
            ("client_min_messages", "error".to_owned()),
        ])
        .disable_statement_logging();
    let pool = || {
        PgPoolOptions::new()
            .acquire_timeout(config.acquire_timeout)
            .test_before_acquire(false)
    };
    let writer = pool()
        .max_connections(POSTGRES_WRITERS)
        // A transaction whose begin was cancelled is still open on the server, and the driver
        // does not know: without this, later writes would end up in it and be lost.
        .before_acquire(|connection, _| {
            Box::pin(async move { connection.execute("ROLLBACK").await.map(|_| true) })
        })
        .connect_with(options.clone())
        .await?;
    let reader = pool()
        .max_connections(config.max_readers)
        .before_acquire(|connection, state| {
            Box::pin(async move {
                if state.idle_for >= PING_AFTER_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(options.options([("default_transaction_read_only", "on")]))
        .await?;
    Ok(Pools {
        reader: SqlxPostgresConnector::from_sqlx_postgres_pool(reader),
        writer: SqlxPostgresConnector::from_sqlx_postgres_pool(writer),
    })
}

fn milliseconds(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

async fn connect_sqlite(config: &Config) -> Result<Pools, Error> {
    let options: SqliteConnectOptions = config
        .url
        .parse()
        .map_err(|error| Error::Setup(format!("the database url is malformed: {error}")))?;
    let options = options
        .busy_timeout(BUSY_TIMEOUT)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging();
    prepare_file(&options).await?;
    let pool = || {
        SqlitePoolOptions::new()
            .acquire_timeout(config.acquire_timeout)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(|connection, _| Box::pin(read_back(connection)))
    };
    let writer = pool()
        .max_connections(1)
        .min_connections(1)
        .connect_with(options.clone())
        .await
        .map_err(refused)?;
    let reader = pool()
        .max_connections(config.max_readers)
        .connect_with(options.pragma("query_only", "ON"))
        .await
        .map_err(refused)?;
    Ok(Pools {
        reader: SqlxSqliteConnector::from_sqlx_sqlite_pool(reader),
        writer: SqlxSqliteConnector::from_sqlx_sqlite_pool(writer),
    })
}

/// Creates the file for its owner alone and switches it to WAL, one process at a time: the switch
/// needs the file to itself and does not wait for it, whatever the busy timeout says.
async fn prepare_file(options: &SqliteConnectOptions) -> Result<(), Error> {
    let path = options.get_filename().to_owned();
    if path.to_string_lossy().starts_with("file:") {
        return Err(Error::Setup(
            "the database must be a file: what is in memory is lost with the process".to_owned(),
        ));
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => Path::new(".").to_owned(),
    };
    let setup = |what: &str, at: &Path, error: std::io::Error| {
        Error::Setup(format!("cannot {what} `{}`: {error}", at.display()))
    };
    let lock = tokio::task::spawn_blocking(move || {
        // The directory is locked, not the file: closing a file drops SQLite's own locks on it.
        let lock = std::fs::File::open(&directory)
            .and_then(|lock| lock.lock().map(|()| lock))
            .map_err(|error| setup("open the database's directory", &directory, error))?;
        create_private(&path).map_err(|error| setup("create the database", &path, error))?;
        Ok::<_, Error>(lock)
    })
    .await
    .map_err(|error| Error::Unexpected(error.into()))??;
    let mut connection = options
        .clone()
        .journal_mode(SqliteJournalMode::Wal)
        .connect()
        .await?;
    read_back(&mut connection).await.map_err(refused)?;
    connection.close().await?;
    drop(lock);
    Ok(())
}

fn create_private(path: &Path) -> std::io::Result<()> {
    use std::io::ErrorKind::AlreadyExists;
    match private::open(path, OpenOptions::new().write(true).create_new(true)) {
        Err(error) if error.kind() != AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

async fn read_back(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    for (pragma, required) in REQUIRED_PRAGMAS {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA {pragma}")))
            .fetch_one(&mut *connection)
            .await?;
        // Some pragmas answer a number, some a word.
        let found = sqlx::Row::try_get_unchecked::<String, _>(&row, 0)?;
        if found != required {
            return Err(sqlx::Error::Configuration(
                format!("sqlite says `{pragma}` is `{found}`, required is `{required}`").into(),
            ));
        }
    }
    Ok(())
}

fn refused(error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::Configuration(reason) => Error::Setup(reason.to_string()),
        other => other.into(),
    }
}
