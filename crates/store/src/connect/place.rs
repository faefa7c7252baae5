//! Whether the files of a database are where they were opened: somebody may move or remove them under
//! the running service, whose writes would then be gone with its end.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// The write-ahead log and its index: without them the file alone lacks the latest writes, and another
/// process would begin them anew. As long as one connection is open they stay the same files.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Files by their paths, with device and inode. They are looked at, never opened: closing a file drops
/// SQLite's own locks on it.
pub(super) struct Place {
    files: Vec<(PathBuf, (u64, u64))>,
    is_left: AtomicBool,
}

impl Place {
    /// Of a database that is open, with a transaction behind it.
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

    /// What is wrong, until everything is back.
    pub(super) fn fault(&self) -> Option<String> {
        let fault = self.files.iter().find_map(|(path, opened)| {
            let found = identity(path);
            let path = path.display();
            match found {
                Ok(Some(found)) if found == *opened => None,
                Ok(_) => Some(format!(
                    "`{path}` was moved, removed or replaced under the running service: put the very file back, or start \
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

/// A file whose name is the database's and a suffix.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
