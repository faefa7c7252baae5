//! The journal's directory: its lock, its state file, and one file for each bucket.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::OpenError;
use super::fingerprint::Fingerprints;
use super::half_minute::HalfMinute;
use super::journal::{Journal, ReadError, Record};

const STATE: &str = "state.json";
const LOCK: &str = "lock";
const TEMPORARY: &str = "new";
const EXTENSION: &str = "journal";

/// What one run leaves for the next. Whatever is missing here is taken for lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// The boot that wrote it; `None` where the system tells none, which never counts as the same.
    pub(super) boot_id: Option<String>,
    /// Whether everything was synced and nothing accepted since.
    pub(super) clean_stop: bool,
    /// The newest half minute that was forgotten.
    pub(super) floor: Option<HalfMinute>,
    /// Everything up to here may have been forgotten.
    pub(super) closed_through: Option<HalfMinute>,
    /// These may have been forgotten.
    pub(super) closed: BTreeSet<HalfMinute>,
}

/// A directory that this process alone uses.
pub(super) struct Directory {
    path: PathBuf,
    /// To sync the names in it.
    handle: File,
    lock: File,
}

/// Lets go of the lock itself, not of this process's end of it alone: a child that is being started
/// holds a copy of every open file until it runs its own program.
impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "the replay journal's lock could not be let go of");
        }
    }
}

impl Directory {
    /// Makes the directory if need be and locks it.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Directory {
            path: path.to_owned(),
            source,
        };
        std::fs::create_dir_all(path).map_err(failed)?;
        // The directory's own name must outlive the machine as well.
        if let Some(parent) = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            sync_names(parent).map_err(failed)?;
        }
        let lock = File::create(path.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Locked(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        Ok(Self {
            path: path.to_owned(),
            handle: File::open(path).map_err(failed)?,
            lock,
        })
    }

    /// The last run's state; `None` when there is none that can be understood.
    pub(super) fn read_state(&self) -> io::Result<Option<State>> {
        let path = self.path.join(STATE);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)
                .inspect_err(|error| {
                    let path = path.display();
                    tracing::error!(%path, %error, "the replay guard's state is damaged");
                })
                .ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the state, durably and as a whole.
    pub(super) fn write_state(&self, state: &State) -> io::Result<()> {
        let temporary = self.path.join(TEMPORARY);
        let mut file = File::create(&temporary)?;
        file.write_all(&serde_json::to_vec(state)?)?;
        file.sync_all()?;
        std::fs::rename(&temporary, self.path.join(STATE))?;
        self.handle.sync_all()
    }

    /// The half minutes that have a file, which is the mark that they may hold nonces.
    pub(super) fn marked(&self) -> io::Result<BTreeSet<HalfMinute>> {
        let mut marked = BTreeSet::new();
        for entry in std::fs::read_dir(&self.path)? {
            let path = PathBuf::from(entry?.file_name());
            let number = path
                .file_stem()
                .and_then(|stem| stem.to_str()?.parse().ok());
            if path
                .extension()
                .is_some_and(|extension| extension == EXTENSION)
            {
                marked.extend(number.map(HalfMinute));
            }
        }
        Ok(marked)
    }

    /// Opens a half minute's journal: a new one, durably marked before this returns, or the one
    /// that is there.
    pub(super) fn open_journal(
        &self,
        id: HalfMinute,
        fingerprints: &Fingerprints,
        each: impl FnMut(Record),
    ) -> Result<Journal, ReadError> {
        let path = self.journal_path(id);
        if path.try_exists()? {
            return Journal::reopen(&path, id, fingerprints, each);
        }
        let temporary = self.path.join(TEMPORARY);
        let journal = Journal::create(&temporary, id, fingerprints)?;
        std::fs::rename(&temporary, &path)?;
        self.handle.sync_all()?;
        Ok(journal)
    }

    /// Removes a half minute's journal. Need not be durable: one that comes back is over.
    pub(super) fn remove_journal(&self, id: HalfMinute) -> io::Result<()> {
        match std::fs::remove_file(self.journal_path(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn journal_path(&self, id: HalfMinute) -> PathBuf {
        self.path.join(id.0.to_string()).with_extension(EXTENSION)
    }
}

/// Makes the names in a directory durable.
fn sync_names(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_goes_with_the_directory_though_a_child_still_holds_a_copy_of_the_file() {
        let place = tempfile::tempdir().expect("a directory");
        let directory = Directory::open(place.path()).expect("a directory");
        let refused = Directory::open(place.path());
        assert!(matches!(refused, Err(OpenError::Locked(_))));
        // What a fork does to every open file.
        let copy = directory.lock.try_clone().expect("a copy");
        drop(directory);
        Directory::open(place.path()).expect("free again");
        drop(copy);
    }
}
