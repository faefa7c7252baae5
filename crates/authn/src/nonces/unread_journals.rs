//! Reads the journals of an earlier run: at the start, or later if the disk fails then.

use std::sync::Arc;

use super::bucket::Bucket;
use super::directory::Directory;
use super::half_minute::HalfMinute;
use super::in_memory_guard::{DiskState, InMemoryGuard};
use super::journal::ReadError;

impl InMemoryGuard {
    /// Reads a half minute of an earlier run, at least `least` records, and counts them anew.
    pub(super) fn restore(
        &self,
        directory: &Directory,
        id: HalfMinute,
        least: u64,
    ) -> Result<Bucket, ReadError> {
        let bucket = self.read_left(directory, id, least)?;
        let counted = self.count(&bucket);
        counted.inspect_err(|_| self.quota.forget(id, bucket.set.len()))?;
        Ok(bucket)
    }

    fn read_left(
        &self,
        directory: &Directory,
        id: HalfMinute,
        least: u64,
    ) -> Result<Bucket, ReadError> {
        let now = self.clock.now();
        // The wall clock may be wrong: those that are over by it alone are kept for as long as any is open.
        let keep_for = if id.is_over(self.window, now) {
            HalfMinute::longest_open(self.window)
        } else {
            id.remaining(self.window, now)
        };
        let bucket = self.read(directory, id, keep_for)?;
        if (bucket.set.len() as u64) < least {
            self.quota.forget(id, bucket.set.len());
            return Err(ReadError::Incomplete);
        }
        Ok(bucket)
    }

    /// Retries the journals that could not be read at the start. Does not hold the lock meanwhile: the disk may never
    /// answer.
    pub(super) fn restore_unread(&self) {
        let Some(_reading) = self.reading.try_lock() else {
            return;
        };
        let mut disk = self.disk.lock();
        disk.unread.retain(|id, _| !self.is_forgotten(*id));
        let (directory, unread) = (Arc::clone(&disk.directory), disk.unread.clone());
        drop(disk);
        for (id, least) in unread {
            let read = self.read_left(&directory, id, least);
            self.take_restored(&mut self.disk.lock(), id, read);
        }
    }

    fn take_restored(&self, disk: &mut DiskState, id: HalfMinute, read: Result<Bucket, ReadError>) {
        // Both may have happened while it was read.
        let is_forgotten = self.is_forgotten(id);
        if disk.stopped || is_forgotten {
            if let Ok(bucket) = read {
                self.quota.forget(id, bucket.set.len());
            }
            if is_forgotten {
                Self::remove_journal(disk, id);
            }
            return;
        }
        let saved = read.and_then(|bucket| {
            let mut state = disk.state.clone();
            state.journals.insert(id, bucket.journal.records());
            let saved = self.count(&bucket).and_then(|()| self.save(disk, state));
            saved.inspect_err(|_| self.quota.forget(id, bucket.set.len()))?;
            Ok(bucket)
        });
        match saved {
            Ok(bucket) => {
                tracing::info!(
                    half_minute = id.0,
                    "read a replay journal that could not be read before"
                );
                self.keep(bucket);
                self.closed.write().remove(id);
            }
            Err(ReadError::Io(_)) => {
                self.telemetry.journal_errors.increment(1);
                return;
            }
            // It stays closed; the next state that is written says so.
            Err(error) => {
                tracing::error!(half_minute = id.0, %error, "a replay journal is damaged; its half minute is closed");
            }
        }
        disk.unread.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions, create_dir, remove_dir, remove_file};
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::thread;

    use charter_domain::clock::{Clock as _, SystemClock};
    use rustix::fs::{FileType, Mode, OFlags, mknodat};

    use super::super::{ReplayGuardConfig, recovery};
    use super::*;

    #[test]
    fn a_disk_whose_reads_hang_does_not_hold_the_ledger() {
        let place = tempfile::tempdir().expect("a directory");
        let config = ReplayGuardConfig::of_test(place.path());
        let clock = Arc::new(SystemClock::start());
        let open = || {
            let found = recovery::find(&config).expect("a directory");
            recovery::open(&config, clock.clone(), found, None).expect("a guard")
        };
        drop(open());
        let id = HalfMinute::of(clock.now());
        let journal = place.path().join(format!("{}.journal", id.0));
        remove_file(&journal).expect("removed");
        create_dir(&journal).expect("nothing that can be read");
        let memory = open();
        assert!(memory.disk.lock().unread.contains_key(&id));
        remove_dir(&journal).expect("removed");
        // Who reads from it waits until something is written to it.
        let at = File::open(place.path()).expect("a directory");
        let name = journal.file_name().expect("its name");
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(&at, name, FileType::Fifo, mode, 0).expect("a pipe");
        thread::scope(|scope| {
            scope.spawn(|| {
                memory.maintain();
                memory.restore_unread();
            });
            let mut pipe = OpenOptions::new();
            let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).expect("a flag");
            pipe.write(true).custom_flags(nonblocking);
            // It opens once there is a reader.
            let mut pipe = loop {
                if let Ok(pipe) = pipe.open(&journal) {
                    break pipe;
                }
            };
            let is_free = memory.disk.try_lock().is_some();
            pipe.write_all(&[0; 16]).expect("sent");
            assert!(is_free, "who reads holds it");
        });
        assert!(memory.disk.lock().unread.is_empty(), "it was damaged");
    }
}
