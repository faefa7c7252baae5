//! The journal's directory: its lock, its state file, and one file for each bucket.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::fingerprint::Fingerprints;
use super::half_minute::HalfMinute;
use super::journal::{Journal, ReadError, Record};
use super::open_error::OpenError;
use super::record_counts::RecordCounts;
use super::state::{FileId, FoundState, State};
use charter_system::atomic;
use charter_system::private::{self, DirLock};

const STATE: &str = "state.json";
const RECORD_COUNTS: &str = "tally";
const LOCK: &str = "lock";
const EXTENSION: &str = "journal";

/// A directory locked by this process.
pub(super) struct Directory {
    path: PathBuf,
    /// For syncing the names in it.
    handle: File,
    lock: DirLock,
    /// The file of the latest state.
    state: Mutex<Option<File>>,
}

impl Directory {
    /// Creates the directory if it is missing, and locks it.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Directory {
            path: path.to_owned(),
            source,
        };
        private::create_dir(path).map_err(failed)?;
        // The directory's own name must be durable, too.
        if let Some(parent) = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            sync_names(parent).map_err(failed)?;
        }
        let lock = match private::lock_dir(path, LOCK) {
            Ok(lock) => lock,
            Err(TryLockError::WouldBlock) => return Err(OpenError::Locked(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        };
        atomic::remove_leftovers(path).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            handle: File::open(path).map_err(failed)?,
            lock,
            state: Mutex::default(),
        })
    }

    /// The state of the previous run; `None` if there is none that can be parsed.
    pub(super) fn read_state(&self) -> io::Result<Option<FoundState>> {
        read_state(&self.path)
    }

    /// Whether its path still names the locked directory.
    pub(super) fn is_in_place(&self) -> io::Result<bool> {
        self.lock.is_of(&self.path)
    }

    /// Files are created by name, so the name must be that of the locked directory.
    fn require_in_place(&self) -> io::Result<()> {
        if self.is_in_place()? {
            return Ok(());
        }
        let path = self.path.display();
        Err(io::Error::other(format!(
            "`{path}` was moved or removed while the service runs: put it back, or start the service again"
        )))
    }

    /// Whether the state file is still the latest that was written.
    pub(super) fn has_state(&self) -> io::Result<bool> {
        let state = self.state.lock();
        state.as_ref().map_or(Ok(false), |state| {
            private::is_at(state, &self.path.join(STATE))
        })
    }

    /// The counts of an earlier run.
    pub(super) fn open_record_counts(&self) -> io::Result<Option<RecordCounts>> {
        RecordCounts::open(&self.path.join(RECORD_COUNTS))
    }

    /// Creates an empty file of counts.
    pub(super) fn new_record_counts(&self) -> io::Result<RecordCounts> {
        self.require_in_place()?;
        RecordCounts::create(&self.path.join(RECORD_COUNTS))
    }

    /// Whether these counts are still in the directory.
    pub(super) fn has_record_counts(&self, counts: &RecordCounts) -> io::Result<bool> {
        counts.is_at(&self.path.join(RECORD_COUNTS))
    }

    /// Whether a journal is still in the directory and complete.
    pub(super) fn has_journal(&self, id: HalfMinute, journal: &Journal) -> io::Result<bool> {
        journal.is_whole_at(&self.journal_path(id))
    }

    /// Replaces the state atomically and durably.
    pub(super) fn write_state(&self, state: &State) -> io::Result<()> {
        self.require_in_place()?;
        let mut written = None;
        // A new file each time, so that it differs from any copy of an earlier one.
        atomic::replace_private_with(&self.path.join(STATE), |file| {
            let id = FileId::of(file)?;
            written = Some(file.try_clone()?);
            file.write_all(&state.to_json(&id)?)
        })?;
        *self.state.lock() = written;
        Ok(())
    }

    /// The half minutes that have a journal file: they may hold nonces.
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

    /// Opens a half minute's journal: the existing one, or a new one, whose file is durable before this returns.
    pub(super) fn open_journal(
        &self,
        id: HalfMinute,
        fingerprints: &Fingerprints,
        each: impl FnMut(Record),
    ) -> Result<Journal, ReadError> {
        self.require_in_place()?;
        let path = self.journal_path(id);
        let journal = if path.try_exists()? {
            Journal::reopen(&path, id, fingerprints, each)?
        } else {
            Journal::create(&path, id, fingerprints)?
        };
        // The run that created it may have failed to sync its name.
        self.handle.sync_all()?;
        Ok(journal)
    }

    /// Removes a half minute's journal. Not synced: one that comes back is over.
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

/// The state of the run that uses or used a directory; needs no lock.
pub(super) fn read_state(directory: &Path) -> io::Result<Option<FoundState>> {
    let path = directory.join(STATE);
    let (bytes, file) = match File::open(&path) {
        Ok(file) => (io::read_to_string(&file)?, FileId::of(&file)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let left = FoundState::read(&bytes, &file).inspect_err(|error| {
        let path = path.display();
        tracing::error!(%path, %error, "the replay guard's state is damaged");
    });
    Ok(left.ok())
}

/// Makes the names in a directory durable.
fn sync_names(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use secrecy::SecretBox;

    use super::*;

    #[test]
    fn a_half_minute_whose_mark_is_not_durable_does_not_open() {
        let place = tempfile::tempdir().expect("a directory");
        let mut directory = Directory::open(place.path()).expect("a directory");
        let fingerprints = Fingerprints::new(&SecretBox::new(Box::new([7; 32])));
        let id = HalfMinute(58_000_000);
        // Nobody can sync that.
        let null = File::open("/dev/null").expect("a device");
        let handle = std::mem::replace(&mut directory.handle, null);
        for _ in 0..2 {
            let refused = directory.open_journal(id, &fingerprints, drop);
            assert!(matches!(refused, Err(ReadError::Io(_))));
        }
        directory.handle = handle;
        let opened = directory.open_journal(id, &fingerprints, drop);
        assert!(opened.is_ok());
    }
}
