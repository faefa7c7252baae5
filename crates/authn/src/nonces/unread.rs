//! Journals of an earlier run: read at the start, or later where the disk refuses then.

use super::bucket::Bucket;
use super::directory::Directory;
use super::half_minute::HalfMinute;
use super::journal::ReadError;
use super::memory::{Ledger, Memory};

impl Memory {
    /// Reads what an earlier run left of a half minute, at least so many records, and counts it anew.
    pub(super) fn restore(
        &self,
        directory: &Directory,
        id: HalfMinute,
        least: u64,
    ) -> Result<Bucket, ReadError> {
        let now = self.clock.now();
        // Some are over by the wall clock alone, which may be wrong now: they are kept for as long
        // as any is open.
        let keep_for = if id.is_over(self.window, now) {
            HalfMinute::longest_open(self.window)
        } else {
            id.remaining(self.window, now)
        };
        let bucket = self.read(directory, id, keep_for)?;
        let counted = if (bucket.set.len() as u64) < least {
            Err(ReadError::Lacking)
        } else {
            self.count(&bucket).map_err(ReadError::from)
        };
        counted.inspect_err(|_| self.quota.forget(id, bucket.set.len()))?;
        Ok(bucket)
    }

    /// Reads the journals that the disk refused at the start.
    pub(super) fn restore_unread(&self, ledger: &mut Ledger) {
        ledger.unread.retain(|id, _| !self.is_forgotten(*id));
        for (id, least) in ledger.unread.clone() {
            let restored = self.restore(&ledger.directory, id, least);
            let saved = restored.and_then(|bucket| {
                let mut state = ledger.state.clone();
                state.journals.insert(id, bucket.journal.records());
                let saved = self.save(ledger, state);
                saved.inspect_err(|_| self.quota.forget(id, bucket.set.len()))?;
                Ok(bucket)
            });
            match saved {
                Ok(bucket) => {
                    tracing::info!(
                        half_minute = id.0,
                        "a replay journal could be read after all"
                    );
                    self.keep(bucket);
                    self.closed.write().remove(id);
                }
                Err(ReadError::Io(_)) => {
                    self.telemetry.journal_errors.increment(1);
                    continue;
                }
                // For good: the next state that is written says so.
                Err(error) => {
                    tracing::error!(half_minute = id.0, %error, "a replay journal cannot be believed");
                }
            }
            ledger.unread.remove(&id);
        }
    }
}
