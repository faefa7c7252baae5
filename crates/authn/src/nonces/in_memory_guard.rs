//! The guard of a single process: its claims. What waits for the disk is in `upkeep`.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use parking_lot::{Mutex, RwLock};

use super::bucket::Bucket;
use super::claim_error::ClaimError;
use super::config::ReplayGuardConfig;
use super::directory::Directory;
use super::fingerprint::Fingerprints;
use super::half_minute::HalfMinute;
use super::half_minutes::HalfMinutes;
use super::journal::Record;
use super::quota::Quota;
use super::record_counts::RecordCounts;
use super::set::{Insertion, NonceTable};
use super::state::State;
use super::telemetry::Telemetry;
use charter_domain::clock::Clock;
use charter_domain::id::{AccessKeyId, OrganizationId};
use charter_domain::timestamp::Timestamp;

/// The result of a claim that was not refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ClaimAttempt {
    /// It is remembered and in the journal.
    Claimed,
    /// Its bucket must be opened first.
    NoBucket(HalfMinute),
}

/// The guard of a single process.
pub(super) struct InMemoryGuard {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) window: Duration,
    pub(super) fingerprints: Fingerprints,
    pub(super) quota: Quota,
    /// Owns the buckets. Unbounded and without expiry: a cache that evicts would forget nonces.
    pub(super) buckets: Cache<HalfMinute, Arc<Bucket>>,
    /// The nonces of all buckets.
    pub(super) nonces: Arc<NonceTable>,
    /// Half minutes that were dropped with nonces in them. One by one, so that a clock that was ahead for a while
    /// does not close the present.
    pub(super) forgotten: RwLock<HalfMinutes>,
    /// The newest of them, so that most claims need no lock; `i64::MIN` for none.
    pub(super) newest_forgotten: AtomicI64,
    /// Half minutes whose nonces may have been lost.
    pub(super) closed: RwLock<HalfMinutes>,
    /// Half minutes that the database says this process may open; `None` asks no database.
    pub(super) granted: RwLock<Option<HalfMinutes>>,
    /// How many records each journal holds. Appends hold the read lock.
    pub(super) record_counts: RwLock<RecordCounts>,
    /// Half minutes whose journals vanished while the service runs: their nonces are in memory only.
    pub(super) lost: RwLock<HalfMinutes>,
    /// Locked while a bucket is opened or dropped.
    pub(super) disk: Mutex<DiskState>,
    /// Locked while unread journals are retried; acquired before `disk`.
    pub(super) reading: Mutex<()>,
    pub(super) telemetry: Telemetry,
    /// Whether [`InMemoryGuard::last_error`] is set; read on each claim.
    pub(super) failing: AtomicBool,
    pub(super) last_error: Mutex<Option<String>>,
    /// Whether a date in a forgotten half minute was reported since the last maintenance.
    pub(super) alarmed: AtomicBool,
}

/// What is on disk, and the clocks as last read.
pub(super) struct DiskState {
    /// Shared, so that unread journals are read without this lock.
    pub(super) directory: Arc<Directory>,
    pub(super) state: State,
    /// Half minutes whose journals could not be read at the start, with the minimal number of records of each.
    /// Closed, but not for the next start.
    pub(super) unread: BTreeMap<HalfMinute, u64>,
    pub(super) stopped: bool,
    pub(super) clocks: ClocksRead,
}

/// Both clocks at one moment.
#[derive(Clone, Copy)]
pub(super) struct ClocksRead {
    pub(super) now: Timestamp,
    pub(super) monotonic: Duration,
}

impl ClocksRead {
    pub(super) fn of(clock: &dyn Clock) -> Self {
        Self {
            now: clock.now(),
            monotonic: clock.monotonic(),
        }
    }
}

impl InMemoryGuard {
    /// Without a nonce.
    pub(super) fn empty(
        config: &ReplayGuardConfig,
        fingerprints: Fingerprints,
        record_counts: RecordCounts,
        disk: DiskState,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let forgotten = disk.state.forgotten.clone();
        // Nothing until the database has recorded this run.
        let granted = disk.state.run.as_ref().map(|_| HalfMinutes::default());
        Self {
            window: config.window,
            fingerprints,
            quota: Quota::new(config.bounds),
            buckets: Cache::builder().build(),
            nonces: Arc::new(NonceTable::new()),
            newest_forgotten: AtomicI64::new(
                forgotten.newest().map_or(i64::MIN, |newest| newest.0),
            ),
            forgotten: RwLock::new(forgotten),
            closed: RwLock::default(),
            granted: RwLock::new(granted),
            record_counts: RwLock::new(record_counts),
            lost: RwLock::default(),
            telemetry: Telemetry::new(),
            failing: AtomicBool::new(false),
            last_error: Mutex::new(None),
            alarmed: AtomicBool::new(false),
            reading: Mutex::default(),
            disk: Mutex::new(disk),
            clock,
        }
    }

    pub(super) async fn claim(
        &self,
        key: AccessKeyId,
        organization: OrganizationId,
        nonce: &str,
        date: Timestamp,
    ) -> Result<ClaimAttempt, ClaimError> {
        let attempt = self.attempt(key, organization, nonce, date).await;
        match &attempt {
            Ok(ClaimAttempt::Claimed) => self.telemetry.claimed(),
            Ok(ClaimAttempt::NoBucket(_)) => {}
            Err(refusal) => self.telemetry.refused(refusal),
        }
        attempt
    }

    async fn attempt(
        &self,
        key: AccessKeyId,
        organization: OrganizationId,
        nonce: &str,
        date: Timestamp,
    ) -> Result<ClaimAttempt, ClaimError> {
        let now = self.clock.now();
        let id = HalfMinute::of(date);
        self.check_date(id, date, now)?;
        let Some(bucket) = self.buckets.get(&id) else {
            ClaimError::check_open(&self.closed.read(), id, now)?;
            return Ok(ClaimAttempt::NoBucket(id));
        };
        let record = Record {
            key: key.uuid().as_u128(),
            fingerprint: self.fingerprints.of(key, nonce),
        };
        self.quota
            .reserve(record.key, organization, id)
            .map_err(|exceeded| {
                let oldest = || self.oldest();
                exceeded.claim_error(self.window, now, oldest)
            })?;
        match bucket.set.insert(record.fingerprint) {
            Insertion::New => {}
            Insertion::Present => {
                self.quota.release(record.key, id);
                return Err(ClaimError::Replayed);
            }
            Insertion::Sealed => {
                self.quota.release(record.key, id);
                return Err(ClaimError::OutsideWindow);
            }
        }
        // If this fails, the nonce stays in the set: this process refuses it, and it was never accepted.
        let write = |records: &[u8]| {
            let counts = self.record_counts.read();
            let count = |records| counts.set(id, records, &self.fingerprints);
            bucket.journal.append(records, count)
        };
        bucket
            .writes
            .write(&record.encode(id, &self.fingerprints), write)
            .await
            .map_err(|error| self.unavailable(error))?;
        self.clear_error();
        Ok(ClaimAttempt::Claimed)
    }

    /// Checks that the date can have a bucket. The caller checked the window, but a slow body takes time.
    fn check_date(
        &self,
        id: HalfMinute,
        date: Timestamp,
        now: Timestamp,
    ) -> Result<(), ClaimError> {
        let distance = ClaimError::check_window(date, now, self.window)?;
        if self.is_forgotten(id) {
            if distance <= self.window && !self.alarmed.swap(true, Ordering::Relaxed) {
                tracing::error!(
                    %date, %now,
                    "the clock was set back: nonces of current dates were already dropped; requests with these dates are \
                     refused"
                );
            }
            return Err(ClaimError::Forgotten);
        }
        Ok(())
    }

    /// Whether a half minute was dropped with nonces in it.
    pub(super) fn is_forgotten(&self, id: HalfMinute) -> bool {
        id.0 <= self.newest_forgotten.load(Ordering::Acquire) && self.forgotten.read().contains(id)
    }

    /// The oldest half minute in which anything is remembered.
    fn oldest(&self) -> Option<HalfMinute> {
        let filled = self
            .buckets
            .iter()
            .filter(|(_, bucket)| bucket.set.len() > 0);
        filled.map(|(id, _)| *id).min()
    }

    pub(super) fn unavailable(&self, error: io::Error) -> ClaimError {
        self.failed(&error);
        ClaimError::Unavailable(error)
    }

    /// Records an error of the disk; logs the first until one write succeeds.
    pub(super) fn failed(&self, error: &io::Error) {
        self.telemetry.journal_errors.increment(1);
        *self.last_error.lock() = Some(error.to_string());
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "cannot write the replay journal; requests are refused");
        }
    }

    pub(super) fn clear_error(&self) {
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

    use super::super::{ReplayGuardConfig, recovery};
    use super::*;
    use charter_domain::clock::SystemClock;
    use charter_domain::entropy::OsEntropy;

    #[tokio::test]
    async fn a_nonce_that_could_not_be_written_is_neither_accepted_nor_accepted_later() {
        let directory = tempfile::tempdir().expect("a directory");
        let config = ReplayGuardConfig::of_test(directory.path());
        let clock = Arc::new(SystemClock::start());
        let (now, key) = (clock.now(), AccessKeyId::generate(clock.now(), &OsEntropy));
        let acme = OrganizationId::generate(now, &OsEntropy);
        let found = recovery::find(&config).expect("a directory");
        let memory = recovery::open(&config, clock, found, None).expect("a guard");
        let bucket = memory
            .buckets
            .get(&HalfMinute::of(now))
            .expect("it is open");
        let full = OpenOptions::new().append(true).open("/dev/full");
        let file = bucket.journal.replace_file(full.expect("/dev/full"));
        let refused = memory.claim(key, acme, "nonce-1", now).await;
        assert!(
            matches!(refused, Err(ClaimError::Unavailable(_))),
            "{refused:?}"
        );
        assert!(memory.status().last_error.is_some());
        bucket.journal.replace_file(file);
        let again = memory.claim(key, acme, "nonce-1", now).await;
        assert!(matches!(again, Err(ClaimError::Replayed)), "{again:?}");
        let other = memory.claim(key, acme, "nonce-2", now).await;
        assert!(matches!(other, Ok(ClaimAttempt::Claimed)), "{other:?}");
        assert_eq!(memory.status().last_error, None);
    }
}
