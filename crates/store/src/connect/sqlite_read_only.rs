//! Reads SQLite without creating or writing files, whether or not a service is running.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sea_orm::SqlxSqliteConnector;
use sea_orm::sqlx::sqlite::SqlitePoolOptions;

use super::connection::Connection;
use super::place::beside;
use super::pools::Pools;
use super::presence::Presence;
use super::sqlite::{self, cannot};
use crate::Error;
use crate::config::Config;
use charter_system::private;

/// `None` if the file does not exist but could be created.
pub(super) async fn connect(config: &Config) -> Result<Option<Pools>, Error> {
    let options = sqlite::options(config)?;
    let path = options.get_filename().to_owned();
    let directory = sqlite::directory_of(&path)?;
    fs::read_dir(&directory)
        .map_err(|error| cannot("open the database's directory", &directory, &error))?;
    if !path
        .try_exists()
        .map_err(|error| cannot("open the database", &path, &error))?
    {
        private::check_dir(&directory)
            .map_err(|error| cannot("create the database", &path, &error))?;
        return Ok(None);
    }
    let how = if is_empty(&beside(&path, "-wal"))? {
        // No process has it open, or none has written since.
        "immutable=1"
    } else if beside(&path, "-shm").exists() {
        // If no process keeps the log's index, it is built in memory.
        "readonly_shm=1"
    } else {
        return Err(Error::Setup(format!(
            "the database `{}` has a write-ahead log without an index, as a copy has, and is not read before its \
             next start has folded the log in",
            path.display()
        )));
    };
    let name = path.to_str().ok_or_else(|| {
        let error = io::Error::from(io::ErrorKind::InvalidFilename);
        cannot("open the database", &path, &error)
    })?;
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    let options = options
        .filename(format!("file:{name}?{how}"))
        .create_if_missing(false)
        .read_only(true);
    let pool = SqlitePoolOptions::new()
        .acquire_timeout(config.connection.acquire_timeout)
        .max_connections(2)
        .connect_with(options)
        .await?;
    let pool = || SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.clone());
    Ok(Some(Pools {
        reader: Connection::new(pool(), Arc::default(), None),
        writer: Connection::new(pool(), Arc::default(), None),
        feed: Connection::new(pool(), Arc::default(), None),
        presence: Presence::beside(&path, false)
            .map_err(|error| cannot("lock what stands beside", &path, &error))?,
    }))
}

fn is_empty(path: &Path) -> Result<bool, Error> {
    match fs::metadata(path) {
        Ok(found) => Ok(found.len() == 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(cannot("look at", path, &error)),
    }
}
