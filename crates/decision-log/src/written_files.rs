//! The current file, with its directory, lock and head. Each may be moved, removed or cut while the service runs.

use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::chain::Chain;
use super::files::LOCK;
use super::head::{LogHead, LogHeadFile};
use super::log_file::LogFile;
use super::open_error::OpenError;
use super::status::WriterStatus;
use charter_system::private::{self, DirLock};

/// The current file and what belongs to it.
pub(super) struct WrittenFiles {
    pub(super) current: LogFile,
    pub(super) open: File,
    pub(super) length: u64,
    /// Length of its first line.
    pub(super) first_line: u64,
    /// Number of the oldest file, as in the current file's first line.
    pub(super) oldest: u64,
    pub(super) head: LogHeadFile,
    /// All known keys, to authenticate first lines.
    pub(super) keys: Vec<Chain>,
    /// Rendered lines that are not yet written.
    pub(super) pending: Vec<u8>,
    pub(super) lock: DirLock,
}

impl WrittenFiles {
    pub(super) fn dir(&self) -> &Path {
        self.current.path.parent().unwrap_or(Path::new("."))
    }

    /// Whether the current file has, or will have, more than its first line.
    pub(super) const fn has_lines(&self) -> bool {
        self.length > self.first_line || !self.pending.is_empty()
    }

    /// Whether the path still names the current file, at its full length.
    pub(super) fn is_whole(&self) -> io::Result<bool> {
        Ok(self.open.metadata()?.len() >= self.length
            && private::is_at(&self.open, &self.current.path)?)
    }

    /// Creates the directory if it is missing, and locks it if it is a new one.
    pub(super) fn restore_dir(&mut self) -> io::Result<()> {
        let dir = self.dir().to_owned();
        private::create_dir(&dir)?;
        if !self.lock.is_of(&dir)? {
            self.lock = lock(&dir).map_err(|error| match error {
                OpenError::Io { source, .. } => source,
                other => io::Error::other(other.to_string()),
            })?;
        }
        Ok(())
    }

    /// Resumes a partial write, so that a full disk leaves no torn line.
    pub(super) fn write(&mut self, head: &LogHead) -> io::Result<()> {
        while !self.pending.is_empty() {
            let written = self.open.write(&self.pending)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.pending.drain(..written);
            self.length += written as u64;
        }
        self.head.write(head)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.open.sync_all()?;
        self.head.sync()
    }
}

pub(super) fn lock(dir: &Path) -> Result<DirLock, OpenError> {
    let path = dir.to_owned();
    private::lock_dir(dir, LOCK).map_err(|error| match error {
        TryLockError::WouldBlock => OpenError::Locked(path),
        TryLockError::Error(source) => OpenError::Io { path, source },
    })
}

/// Time for gathering lines before a write, and for the sync itself.
const HEADROOM: Duration = Duration::from_millis(100);
/// How often a running sync is checked.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Syncs on separate threads, because a slow sync would fill the queue and block requests.
pub(super) struct Syncer {
    /// Latest time of a sync after a write.
    pub(super) within: Duration,
    /// When the first unsynced line was written, by the monotonic clock.
    dirty_since: Option<Duration>,
    under_way: Arc<Mutex<()>>,
    /// The last sync has failed or not finished.
    is_unsynced: Arc<AtomicBool>,
    status: Arc<Mutex<WriterStatus>>,
}

impl Syncer {
    pub(super) fn new(within: Duration, status: Arc<Mutex<WriterStatus>>) -> Self {
        Self {
            within,
            dirty_since: None,
            under_way: Arc::default(),
            is_unsynced: Arc::default(),
            status,
        }
    }

    /// Records a write.
    pub(super) fn mark_dirty(&mut self, now: Duration) {
        self.dirty_since.get_or_insert(now);
    }

    /// When to check again; `None` if everything is synced.
    pub(super) fn due_in(&self, now: Duration) -> Option<Duration> {
        let is_unsynced = self.is_unsynced.load(Ordering::Relaxed);
        match self.dirty_since {
            Some(since) if !self.under_way.is_locked() => {
                Some(self.after().saturating_sub(now.saturating_sub(since)))
            }
            Some(_) => Some(LOOK_AGAIN),
            None => is_unsynced.then_some(LOOK_AGAIN),
        }
    }

    /// The delay of a sync that still meets `within`.
    fn after(&self) -> Duration {
        self.within.saturating_sub(HEADROOM).max(self.within / 2)
    }

    /// Syncs if it is due.
    pub(super) fn tick(&mut self, files: &WrittenFiles, now: Duration) {
        if self.is_unsynced.load(Ordering::Relaxed) && !self.under_way.is_locked() {
            self.mark_dirty(now);
        }
        let Some(since) = self.dirty_since else {
            return;
        };
        // One sync at a time; later writes are synced next.
        if now.saturating_sub(since) < self.after() || self.under_way.is_locked() {
            return;
        }
        self.dirty_since = None;
        self.sync(files);
    }

    /// Syncs the file before the head that attests it.
    pub(super) fn sync(&self, files: &WrittenFiles) {
        let (under_way, status) = (Arc::clone(&self.under_way), Arc::clone(&self.status));
        let is_unsynced = Arc::clone(&self.is_unsynced);
        is_unsynced.store(true, Ordering::Relaxed);
        let name = files.current.name();
        let parts = files
            .open
            .try_clone()
            .and_then(|file| Ok((file, files.head.try_clone()?)));
        let started = parts.and_then(|(file, head)| {
            std::thread::Builder::new()
                .name("decision-log-sync".to_owned())
                .spawn(move || {
                    let _under_way = under_way.lock();
                    let synced = file.sync_data().and_then(|()| head.sync_data());
                    is_unsynced.store(synced.is_err(), Ordering::Relaxed);
                    record_sync(&status, &name, synced);
                })
        });
        if let Err(error) = started {
            record_sync(&self.status, &files.current.name(), Err(error));
        }
    }
}

fn record_sync(status: &Mutex<WriterStatus>, file: &str, synced: io::Result<()>) {
    let mut status = status.lock();
    match synced {
        Ok(()) => status.sync_error = None,
        Err(error) => {
            metrics::counter!("charter_decision_log_errors_total").increment(1);
            tracing::error!(file, %error, "could not sync the decision log; a power loss may lose recent lines");
            status.sync_error = Some(error.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn written_lines_are_due_for_sync_within_the_interval() {
        let mut syncer = Syncer::new(SECOND, Arc::default());
        assert_eq!(syncer.due_in(SECOND), None);
        syncer.mark_dirty(SECOND);
        // Later writes do not postpone it.
        syncer.mark_dirty(SECOND * 3 / 2);
        let due = |at: Duration| syncer.due_in(at).expect("something is to be synced");
        assert_eq!(due(SECOND), Duration::from_millis(900));
        assert_eq!(due(SECOND * 3 / 2), Duration::from_millis(400));
        assert_eq!(due(SECOND * 2), Duration::ZERO);
        let _under_way = syncer.under_way.lock();
        assert_eq!(due(SECOND * 2), LOOK_AGAIN);
        let short = Syncer::new(HEADROOM, Arc::default());
        assert_eq!(short.after(), HEADROOM / 2);
    }
}
