//! Detects whether a server uses the database, so that nobody reverts its migrations meanwhile.
//!
//! On PostgreSQL each session of a server holds a shared advisory lock. On SQLite the process locks a file next to
//! the database. Both are released when the process ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

use super::transaction::Transaction;
use crate::Error;
use charter_system::private;

/// An arbitrary number that nothing else locks: `charter` in ASCII, plus one.
const LOCK: &str = "27980790435702131";

/// How servers on the database are detected.
pub(crate) enum Presence {
    /// By their sessions.
    Sessions,
    /// By a lock file.
    Beside {
        path: PathBuf,
        /// Held while a server runs here.
        _held: Option<Held>,
    },
}

/// A file lock. It is released explicitly, because a child process inherits open files until it executes its
/// program.
pub(crate) struct Held(File);

impl Drop for Held {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the lock beside the database could not be let go of");
        }
    }
}

/// Run first in each session of a server.
pub(super) fn announce() -> String {
    format!("SELECT pg_advisory_lock_shared({LOCK});")
}

impl Presence {
    /// For a SQLite database. A server waits while migrations are being reverted. Blocks.
    pub(super) fn beside(database: &Path, is_server: bool) -> io::Result<Self> {
        let mut name = database.file_name().unwrap_or_default().to_owned();
        name.push("-server");
        let path = database.with_file_name(name);
        let held = if is_server {
            let file = open(&path)?;
            file.lock_shared()?;
            Some(Held(file))
        } else {
            None
        };
        Ok(Self::Beside { path, _held: held })
    }

    /// Fails while a server runs, and keeps servers from starting until the transaction has ended and the result
    /// is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`].
    pub(crate) async fn require_nobody(
        &self,
        transaction: &Transaction,
    ) -> Result<Option<Held>, Error> {
        let Self::Beside { path, .. } = self else {
            let sql = format!("SELECT pg_try_advisory_xact_lock({LOCK}) AS alone");
            let statement = Statement::from_string(DbBackend::Postgres, sql);
            let row = transaction.query_one_raw(statement).await?;
            let alone = row.map(|row| row.try_get("", "alone")).transpose()?;
            return if alone == Some(true) {
                Ok(None)
            } else {
                Err(Error::InUse)
            };
        };
        let file = open(path).map_err(|error| Error::Setup(in_words(path, &error)))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Held(file))),
            Err(TryLockError::WouldBlock) => Err(Error::InUse),
            Err(TryLockError::Error(error)) => Err(Error::Setup(in_words(path, &error))),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut how = OpenOptions::new();
    how.read(true).write(true).create(true).truncate(false);
    private::open(path, &mut how)
}

fn in_words(path: &Path, error: &io::Error) -> String {
    format!("cannot lock `{}`: {error}", path.display())
}
