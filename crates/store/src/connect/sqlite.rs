//! SQLite pools. There is one writer, so writes queue here and not at the file lock.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sea_orm::SqlxSqliteConnector;
use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::sqlx::{self, ConnectOptions, Connection as _, Executor as _};
use secrecy::ExposeSecret as _;

use super::connection::Connection;
use super::group_commit::Writer;
use super::health::Health;
use super::place::DatabaseFiles;
use super::pools::Pools;
use super::presence::Presence;
use super::unusable;
use crate::Error;
use crate::config::Config;
use charter_system::private;

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Values that every connection must report (sqlite.org/pragma.html).
const REQUIRED_PRAGMAS: [(&str, &str); 5] = [
    ("journal_mode", "wal"),
    ("synchronous", "2"),
    ("foreign_keys", "1"),
    ("busy_timeout", "5000"),
    ("trusted_schema", "0"),
];

pub(super) async fn connect(config: &Config) -> Result<Pools, Error> {
    let options = options(config)?;
    let path = options.get_filename().to_owned();
    let opened = open(config, options).await;
    opened.map_err(|error| match directory_of(&path) {
        Ok(directory) => unusable::explain(&path, &directory, error),
        Err(_) => error,
    })
}

async fn open(config: &Config, options: SqliteConnectOptions) -> Result<Pools, Error> {
    let path = options.get_filename().to_owned();
    let presence = prepare_file(&options, config).await?;
    // Set when both pools are open. Connections opened later must use the same file.
    let place: Arc<OnceLock<Arc<DatabaseFiles>>> = Arc::default();
    let pool = || {
        let place = Arc::clone(&place);
        SqlitePoolOptions::new()
            .acquire_timeout(config.connection.acquire_timeout)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(move |connection, _| {
                let misplaced = place.get().and_then(|place| place.fault());
                Box::pin(async move {
                    if let Some(fault) = misplaced {
                        return Err(sqlx::Error::Configuration(fault.into()));
                    }
                    read_back(connection).await
                })
            })
    };
    let health = Arc::new(Health::default());
    let (at_acquire, at_release) = (Arc::clone(&health), Arc::clone(&health));
    let writer = pool()
        .max_connections(1)
        .min_connections(1)
        .before_acquire(move |connection, known| {
            let health = Arc::clone(&at_acquire);
            Box::pin(async move { Ok(may_be_used(connection, known.age, &health).await) })
        })
        // Checked on return too, so that nobody waits for the lock of an abandoned transaction.
        .after_release(move |connection, known| {
            let health = Arc::clone(&at_release);
            Box::pin(async move { Ok(may_be_used(connection, known.age, &health).await) })
        })
        .connect_with(options.clone())
        .await
        .map_err(refused)?;
    let options = options.pragma("query_only", "ON");
    let feed = pool().max_connections(1).connect_lazy_with(options.clone());
    let reader = pool()
        .max_connections(config.connection.max_readers)
        .connect_with(options)
        .await
        .map_err(refused)?;
    // The first transaction creates the files next to the database.
    sqlx::query("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&reader)
        .await?;
    let found = DatabaseFiles::of(&path).map_err(|error| cannot("look at", &path, &error))?;
    let found = place.get_or_init(|| Arc::new(found)).clone();
    let [feed, reader, pool] =
        [feed, reader, writer].map(SqlxSqliteConnector::from_sqlx_sqlite_pool);
    let wait_timeout = config.connection.acquire_timeout;
    let writer = Writer::new(pool.clone(), Arc::clone(&health), found, wait_timeout);
    Ok(Pools {
        reader: Connection::new(reader, Arc::default(), None),
        writer: Connection::of_writer(pool, health, writer),
        feed: Connection::new(feed, Arc::default(), None),
        presence,
    })
}

pub(super) fn options(config: &Config) -> Result<SqliteConnectOptions, Error> {
    let url = config.connection.url.expose_secret();
    if let Some((_, options)) = url.split_once('?')
        && !["", "mode=rw", "mode=rwc"].contains(&options)
    {
        return Err(Error::Setup(format!(
            "the database url has the options `{options}`, and a service writes the file and its log: leave out `?` \
             and what follows"
        )));
    }
    let options: SqliteConnectOptions = url
        .parse()
        .map_err(|error| Error::Setup(format!("the database url is malformed: {error}")))?;
    Ok(options
        .busy_timeout(BUSY_TIMEOUT)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging())
}

/// The directory of a database file.
pub(super) fn directory_of(path: &Path) -> Result<PathBuf, Error> {
    if path.to_string_lossy().starts_with("file:") {
        return Err(Error::Setup(
            "the database must be a file: what is in memory is lost with the process".to_owned(),
        ));
    }
    Ok(match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => Path::new(".").to_owned(),
    })
}

pub(super) fn cannot(what: &str, at: &Path, error: &std::io::Error) -> Error {
    Error::Setup(format!("cannot {what} `{}`: {error}", at.display()))
}

/// Whether a connection is outside of a transaction.
///
/// SQLite rolls back by itself when a commit or a write fails (`sqlite.org/lang_transaction.html`, section 2.3).
/// The driver's own rollback then fails, so it still counts the transaction, and turns the next one into a
/// savepoint that is never committed. `BEGIN` detects this: it fails inside a transaction and takes no lock
/// outside of one. The driver's counter is read afterwards, when queued commands are done.
async fn may_be_used(connection: &mut SqliteConnection, age: Duration, health: &Health) -> bool {
    let outside = connection.execute("BEGIN DEFERRED; ROLLBACK").await;
    let fault = match outside {
        Err(error) => format!("a connection was inside a transaction: {error}"),
        Ok(_) if connection.is_in_transaction() => {
            "a transaction was rolled back by SQLite".to_owned()
        }
        Ok(_) => return health.trusts(age),
    };
    // A failed commit has been reported with its cause.
    if health.trusts(age) {
        health.distrust(fault);
    }
    false
}

/// Creates the file with owner-only permissions and switches it to WAL, one process at a time. The switch needs
/// exclusive access and ignores the busy timeout.
async fn prepare_file(options: &SqliteConnectOptions, config: &Config) -> Result<Presence, Error> {
    let (is_server, may_create) = (config.is_server, config.may_create);
    let path = options.get_filename().to_owned();
    let directory = directory_of(&path)?;
    let (lock, presence) = tokio::task::spawn_blocking(move || {
        // Lock the directory, not the file: closing a file drops SQLite's locks on it.
        let lock = std::fs::File::open(&directory)
            .and_then(|lock| lock.lock().map(|()| lock))
            .map_err(|error| cannot("open the database's directory", &directory, &error))?;
        if may_create {
            create_private(&path).map_err(|error| cannot("create the database", &path, &error))?;
        } else if let Err(error) = std::fs::metadata(&path) {
            return Err(cannot("find the database", &path, &error));
        }
        let presence = Presence::beside(&path, is_server)
            .map_err(|error| cannot("lock what stands beside", &path, &error))?;
        Ok::<_, Error>((lock, presence))
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
    Ok(presence)
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
        // Pragmas return a number or a word.
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
