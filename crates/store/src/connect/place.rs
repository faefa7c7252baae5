//! Detects whether the files of an open SQLite database were moved or removed. Writes to such files would be lost
//! when the service ends.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// The write-ahead log and its index. Without them the main file lacks the latest writes, and another process
/// would create new ones. They stay the same while a connection is open.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Paths with device and inode. The files are never opened here: closing one drops SQLite's locks on it.
pub(super) struct DatabaseFiles {
    files: Vec<(PathBuf, (u64, u64))>,
    is_left: AtomicBool,
}

impl DatabaseFiles {
    /// For an open database that has run a transaction.
    pub(super) fn of(database: &Path) -> io::Result<Self> {
        let found = fs::metadata(database)?;
        let mut files = vec![(database.to_owned(), (found.dev(), found.ino()))];
        for suffix in BESIDE {
            let path = beside(database, suffix);
            if let Some(found) = identity(&path)? {
                files.push((path, found));
            }
        }
        Ok(Self {
            files,
            is_left: AtomicBool::new(false),
        })
    }

    /// The fault, until all files are back.
    pub(super) fn fault(&self) -> Option<String> {
        let fault = self.files.iter().find_map(|(path, opened)| {
            let found = identity(path);
            let path = path.display();
            match found {
                Ok(Some(found)) if found == *opened => None,
                Ok(_) => Some(format!(
                    "`{path}` was moved, removed or replaced while the service runs: put the very file back, or start \
                     the service again on the database that you want"
                )),
                Err(error) => Some(format!("`{path}` cannot be looked at: {error}")),
            }
        });
        let was_left = self.is_left.swap(fault.is_some(), Ordering::Relaxed);
        match &fault {
            Some(fault) if !was_left => tracing::error!("nothing is written: {fault}"),
            None if was_left => tracing::info!("the database's files are back"),
            _ => {}
        }
        fault
    }
}

fn identity(path: &Path) -> io::Result<Option<(u64, u64)>> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some((found.dev(), found.ino()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The database's path with a suffix.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
