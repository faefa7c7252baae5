//! The guard of a single process: claims, and the opening and dropping of buckets. Everything that
//! waits on the disk holds the ledger and stays off the requests' path.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use parking_lot::{Mutex, RwLock};

use super::bucket::Bucket;
use super::closed::Closed;
use super::directory::{Directory, State};
use super::fingerprint::Fingerprints;
use super::half_minute::{GRACE, HalfMinute};
use super::journal::{ReadError, Record};
use super::quota::{Exhausted, Quota};
use super::set::{ExactSet, Insertion};
use super::telemetry::Telemetry;
use super::{Refusal, Status};
use crate::domain::clock::Clock;
use crate::domain::id::AccessKeyId;
use crate::domain::timestamp::Timestamp;

/// How far the wall clock may fall behind the monotonic one before it counts as set back.
const TOLERATED_STEP_MILLISECONDS: i64 = 1_000;

/// What became of a claim that was not refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It is remembered, and in the journal.
    Claimed,
    /// Its bucket must be opened first, off the requests' path.
    NoBucket(HalfMinute),
}

/// The guard of a single process.
pub(super) struct Memory {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) window: Duration,
    pub(super) fingerprints: Fingerprints,
    pub(super) quota: Quota,
    /// Owns the buckets. Unbounded and without expiry of its own: a cache that evicts forgets, and
    /// its answers decide nothing.
    pub(super) buckets: Cache<HalfMinute, Arc<Bucket>>,
    /// The same ones in a row: a claim looks through all of them.
    pub(super) row: RwLock<Vec<Arc<Bucket>>>,
    /// The newest half minute that was forgotten with nonces in it; `i64::MIN` for none.
    pub(super) floor: AtomicI64,
    pub(super) closed: RwLock<Closed>,
    /// Whoever opens or drops a bucket holds it.
    pub(super) ledger: Mutex<Ledger>,
    pub(super) telemetry: Telemetry,
    /// Whether [`Memory::last_error`] is set; read on each claim.
    pub(super) failing: AtomicBool,
    pub(super) last_error: Mutex<Option<String>>,
    /// Whether a date below the floor was reported since the last maintenance.
    pub(super) alarmed: AtomicBool,
}

/// What is on disk, and the clocks as they were last seen.
pub(super) struct Ledger {
    pub(super) directory: Directory,
    pub(super) state: State,
    pub(super) stopped: bool,
    pub(super) seen: (Timestamp, Duration),
}

impl Memory {
    pub(super) fn claim(
        &self,
        key: AccessKeyId,
        nonce: &str,
        date: Timestamp,
    ) -> Result<Attempt, Refusal> {
        let attempt = self.attempt(key, nonce, date);
        match &attempt {
            Ok(Attempt::Claimed) => self.telemetry.claimed(),
            Ok(Attempt::NoBucket(_)) => {}
            Err(refusal) => self.telemetry.refused(refusal),
        }
        attempt
    }

    fn attempt(&self, key: AccessKeyId, nonce: &str, date: Timestamp) -> Result<Attempt, Refusal> {
        let now = self.clock.now();
        let id = HalfMinute::of(date);
        self.check_date(id, date, now)?;
        let Some(bucket) = self.buckets.get(&id) else {
            let closed = self.closed.read();
            return if closed.contains(id) {
                Err(Refusal::Closed {
                    retry_after: closed.retry_after(now),
                })
            } else {
                Ok(Attempt::NoBucket(id))
            };
        };
        let record = Record {
            key: key.uuid().as_u128(),
            fingerprint: self.fingerprints.of(key, nonce),
        };
        self.quota
            .reserve(record.key, id)
            .map_err(|exhausted| self.exhausted(exhausted, now))?;
        match bucket.set.insert(record.fingerprint) {
            // Looked for after it went in: of two that come at once under two dates, the later one
            // to look finds the other. It stays where it went in, which does no harm.
            Insertion::New if self.is_remembered_elsewhere(id, record.fingerprint) => {
                return Err(Refusal::Replayed);
            }
            Insertion::New => {}
            Insertion::Present => {
                self.quota.release(record.key, id);
                return Err(Refusal::Replayed);
            }
            Insertion::Sealed => {
                self.quota.release(record.key, id);
                return Err(Refusal::OutsideWindow);
            }
        }
        // After the set has chosen the one winner. If this fails, the nonce stays in the set: spent
        // for this process, and never answered as accepted for the next.
        bucket
            .journal
            .append(id, record, &self.fingerprints)
            .map_err(|error| self.unavailable(error))?;
        self.recovered();
        Ok(Attempt::Claimed)
    }

    /// Whether a request of another half minute has claimed it: a nonce is claimed once, whatever
    /// date it is signed with the second time (contract section 3).
    fn is_remembered_elsewhere(&self, id: HalfMinute, fingerprint: u128) -> bool {
        let row = self.row.read();
        row.iter()
            .any(|bucket| bucket.id != id && bucket.set.contains(fingerprint))
    }

    /// Refuses what no bucket can stand for. Who calls has checked the window already, but time has
    /// passed since, perhaps a slow body's.
    fn check_date(&self, id: HalfMinute, date: Timestamp, now: Timestamp) -> Result<(), Refusal> {
        let distance = date.signed_duration_since(now).abs().to_std();
        let distance = distance.unwrap_or(Duration::MAX);
        if distance > self.window.saturating_add(GRACE) {
            return Err(Refusal::OutsideWindow);
        }
        if id.0 <= self.floor.load(Ordering::Acquire) {
            if distance <= self.window && !self.alarmed.swap(true, Ordering::Relaxed) {
                tracing::error!(
                    %date, %now,
                    "the clock was set back: nonces of dates that it calls current are forgotten, \
                     so such requests are refused until it has caught up"
                );
            }
            return Err(Refusal::BelowFloor);
        }
        Ok(())
    }

    fn exhausted(&self, exhausted: Exhausted, now: Timestamp) -> Refusal {
        let after = |id: HalfMinute| id.remaining(self.window, now).max(Duration::from_secs(1));
        match exhausted {
            Exhausted::Key { oldest } => Refusal::KeyQuota {
                limit: self.quota.per_key() as u64,
                retry_after: after(oldest),
            },
            Exhausted::Total => {
                let buckets = self.buckets.iter().map(|(_, bucket)| bucket);
                let oldest = buckets
                    .filter(|bucket| bucket.set.len() > 0)
                    .map(|bucket| bucket.id);
                Refusal::Full {
                    retry_after: after(oldest.min().unwrap_or_else(|| HalfMinute::of(now))),
                }
            }
        }
    }

    /// Whether a claim would find that bucket.
    pub(super) fn is_open(&self, id: HalfMinute) -> bool {
        self.buckets.contains_key(&id)
    }

    /// Opens a bucket, so that a claim finds it. Waits on the disk.
    pub(super) fn open_bucket(&self, id: HalfMinute) -> Result<(), Refusal> {
        let opened = self.open_in(&self.ledger.lock(), id);
        if let Err(refusal) = &opened {
            self.telemetry.refused(refusal);
        }
        opened
    }

    pub(super) fn open_in(&self, ledger: &Ledger, id: HalfMinute) -> Result<(), Refusal> {
        if ledger.stopped {
            let stopped = io::Error::other("the replay guard has stopped");
            return Err(Refusal::Unavailable(stopped));
        }
        // Asked again, for the bucket may have been dropped since: only the floor knows of it.
        if id.0 <= self.floor.load(Ordering::Acquire) {
            return Err(Refusal::BelowFloor);
        }
        if id.is_over(self.window, self.clock.now()) {
            return Err(Refusal::OutsideWindow);
        }
        if self.is_open(id) || self.closed.read().contains(id) {
            return Ok(());
        }
        self.load(&ledger.directory, id)
            .map_err(|error| self.unavailable(io::Error::other(error)))?;
        self.recovered();
        Ok(())
    }

    /// Opens a bucket with whatever its journal holds.
    pub(super) fn load(&self, directory: &Directory, id: HalfMinute) -> Result<(), ReadError> {
        let set = ExactSet::new();
        let restore = |record: Record| {
            if set.insert(record.fingerprint) == Insertion::New {
                self.quota.restore(record.key, id);
            }
        };
        let journal = directory
            .open_journal(id, &self.fingerprints, restore)
            .inspect_err(|_| self.quota.forget(id, set.len()))?;
        let remaining = id.remaining(self.window, self.clock.now());
        let bucket = Bucket {
            id,
            set,
            journal,
            expires: self.clock.monotonic().saturating_add(remaining),
        };
        let bucket = Arc::new(bucket);
        self.row.write().push(Arc::clone(&bucket));
        self.buckets.insert(id, bucket);
        Ok(())
    }

    /// Drops what is over and opens what comes next: the half minute of now and the one after it,
    /// which are marked half a minute before they are needed. No more, for each mark is a half
    /// minute that stays closed should the machine go down.
    pub(super) fn maintain(&self) {
        let mut ledger = self.ledger.lock();
        if ledger.stopped {
            return;
        }
        let now = self.clock.now();
        let monotonic = self.clock.monotonic();
        self.watch_clock(&mut ledger, now, monotonic);
        if let Err(error) = self.drop_over(&mut ledger, now, monotonic) {
            self.failed(&error);
        }
        let current = HalfMinute::of(now);
        for id in [current, current.next()] {
            // A failure is recorded by then; below the floor there is nothing to open.
            let _refused = self.open_in(&ledger, id);
        }
        drop(ledger);
        self.alarmed.store(false, Ordering::Relaxed);
        self.telemetry.report(&self.status());
    }

    fn watch_clock(&self, ledger: &mut Ledger, now: Timestamp, monotonic: Duration) {
        let (last, last_monotonic) = std::mem::replace(&mut ledger.seen, (now, monotonic));
        let elapsed = monotonic.saturating_sub(last_monotonic).as_millis();
        let behind = i64::try_from(elapsed)
            .unwrap_or(i64::MAX)
            .saturating_sub(now.signed_duration_since(last).num_milliseconds());
        if behind > TOLERATED_STEP_MILLISECONDS {
            tracing::error!(milliseconds = behind, "the clock was set back");
            self.telemetry.clock_stepped_back.increment(1);
        }
    }

    /// Drops the buckets that both clocks call over. One clock alone is not asked: a wall clock
    /// that jumps ahead and back would raise the floor above the present.
    fn drop_over(
        &self,
        ledger: &mut Ledger,
        now: Timestamp,
        monotonic: Duration,
    ) -> io::Result<()> {
        let mut over: Vec<_> = self.buckets.iter().map(|(_, bucket)| bucket).collect();
        over.retain(|bucket| bucket.id.is_over(self.window, now) && bucket.expires <= monotonic);
        for bucket in &over {
            let sealed = bucket.set.seal();
            self.quota.forget(bucket.id, sealed);
            // Where nothing was remembered nothing is forgotten.
            if bucket.set.len() > 0 {
                self.floor.fetch_max(bucket.id.0, Ordering::AcqRel);
            }
        }
        let mut closed = self.closed.read().clone();
        if let Some(newest) = closed.remove_over(self.window, now) {
            self.floor.fetch_max(newest.0, Ordering::AcqRel);
            *self.closed.write() = closed;
        }
        // The floor must be on disk before the nonces that it stands for are gone from there.
        let before = ledger.state.closed.clone();
        self.write_state(ledger)?;
        for id in before.difference(&ledger.state.closed) {
            self.remove_journal(ledger, *id);
        }
        for bucket in over {
            // What stays is sealed and empty, and tried again.
            if self.remove_journal(ledger, bucket.id) {
                self.buckets.invalidate(&bucket.id);
            }
        }
        let mut row = self.row.write();
        row.retain(|bucket| self.buckets.contains_key(&bucket.id));
        drop(row);
        // A dropped bucket still holds its file until the cache lets go of it.
        self.buckets.run_pending_tasks();
        Ok(())
    }

    /// Removes an old journal. A failure refuses nobody: it costs room on the disk, no more.
    fn remove_journal(&self, ledger: &Ledger, id: HalfMinute) -> bool {
        let removed = ledger.directory.remove_journal(id);
        if let Err(error) = &removed {
            self.telemetry.journal_errors.increment(1);
            tracing::warn!(half_minute = id.0, %error, "an old replay journal cannot be removed");
        }
        removed.is_ok()
    }

    /// Writes the floor and what is closed, if they have changed.
    fn write_state(&self, ledger: &mut Ledger) -> io::Result<()> {
        let floor = self.floor.load(Ordering::Acquire);
        let closed = self.closed.read().clone();
        let state = State {
            floor: (floor > i64::MIN).then_some(HalfMinute(floor)),
            closed_through: closed.through,
            closed: closed.each,
            ..ledger.state.clone()
        };
        if state != ledger.state {
            ledger.directory.write_state(&state)?;
            ledger.state = state;
        }
        Ok(())
    }

    /// Syncs everything, refuses everything from then on, and leaves the clean-stop mark.
    pub(super) fn clean_stop(&self) -> io::Result<()> {
        let mut ledger = self.ledger.lock();
        ledger.stopped = true;
        let mut synced = Ok(());
        for (_, bucket) in &self.buckets {
            // All must stop, even if one cannot be synced.
            synced = synced.and(bucket.journal.stop());
        }
        synced?;
        self.write_state(&mut ledger)?;
        let state = State {
            clean_stop: true,
            ..ledger.state.clone()
        };
        ledger.directory.write_state(&state)?;
        ledger.state = state;
        Ok(())
    }

    pub(super) fn status(&self) -> Status {
        let mut status = Status {
            remembered: self.quota.remembered(),
            bytes: 0,
            buckets: 0,
            closed_until: self.closed.read().until(self.clock.now()),
            last_error: self.last_error.lock().clone(),
        };
        for (_, bucket) in &self.buckets {
            status.bytes = status.bytes.saturating_add(bucket.set.bytes());
            status.buckets = status.buckets.saturating_add(1);
        }
        status
    }

    fn unavailable(&self, error: io::Error) -> Refusal {
        self.failed(&error);
        Refusal::Unavailable(error)
    }

    /// Notes that the disk refused; says so once until it works again.
    fn failed(&self, error: &io::Error) {
        self.telemetry.journal_errors.increment(1);
        *self.last_error.lock() = Some(error.to_string());
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "the replay journal cannot be written, requests are refused");
        }
    }

    fn recovered(&self) {
        if self.failing.load(Ordering::Relaxed) {
            *self.last_error.lock() = None;
            self.failing.store(false, Ordering::Relaxed);
            tracing::info!("the replay journal can be written again");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use secrecy::SecretBox;

    use super::super::{Config, recovery};
    use super::*;
    use crate::domain::clock::SystemClock;
    use crate::domain::entropy::OsEntropy;

    #[test]
    fn a_nonce_that_could_not_be_written_is_neither_accepted_nor_accepted_later() {
        let directory = tempfile::tempdir().expect("a directory");
        let config = Config {
            window: Duration::from_mins(5),
            per_key_quota: 10,
            total: 10,
            directory: directory.path().to_owned(),
            hash_key: SecretBox::new(Box::new([7; 32])),
            installation_is_older: false,
        };
        let clock = Arc::new(SystemClock::start());
        let (now, key) = (clock.now(), AccessKeyId::generate(clock.now(), &OsEntropy));
        let memory = recovery::open(&config, clock).expect("a guard");
        let bucket = memory
            .buckets
            .get(&HalfMinute::of(now))
            .expect("it is open");
        let full = OpenOptions::new().append(true).open("/dev/full");
        let file = bucket.journal.replace_file(full.expect("/dev/full"));
        let refused = memory.claim(key, "nonce-1", now);
        assert!(
            matches!(refused, Err(Refusal::Unavailable(_))),
            "{refused:?}"
        );
        assert!(memory.status().last_error.is_some());
        bucket.journal.replace_file(file);
        let again = memory.claim(key, "nonce-1", now);
        assert!(matches!(again, Err(Refusal::Replayed)), "{again:?}");
        let other = memory.claim(key, "nonce-2", now);
        assert!(matches!(other, Ok(Attempt::Claimed)), "{other:?}");
        assert_eq!(memory.status().last_error, None);
    }
}
