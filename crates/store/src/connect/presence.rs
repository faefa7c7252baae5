//! Whether a server runs on the database, so that nobody takes its schema from under it.
//!
//! On PostgreSQL every session of a server holds a lock, shared with those of other servers, as long as
//! it is open. On SQLite the process holds one on a file beside the database. Either goes with the
//! process, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

use super::transaction::Transaction;
use crate::Error;
use charter_system::private;

/// Any number that nobody else locks: `charter` in ASCII, and one.
const LOCK: &str = "27980790435702131";

/// How others on the database are told of this one, and this one of others.
pub(crate) enum Presence {
    /// Told by the sessions themselves.
    Sessions,
    /// Told by a file.
    Beside {
        path: PathBuf,
        /// Held while a server runs here.
        _held: Option<Held>,
    },
}

/// A lock on a file. Let go of by name: a child that is being started holds a copy of every open
/// file until it runs its own program.
pub(crate) struct Held(File);

impl Drop for Held {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the lock beside the database could not be let go of");
        }
    }
}

/// What each session of a server does first.
pub(super) fn announce() -> String {
    format!("SELECT pg_advisory_lock_shared({LOCK});")
}

impl Presence {
    /// On the database in that file. A server waits there while a schema is taken back. Blocks.
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

    /// Refuses while a server runs, and keeps servers from starting until the transaction has ended
    /// and the answer is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`], and those of the database.
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
