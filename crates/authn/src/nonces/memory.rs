//! The guard of a single process: its claims. What waits on the disk is in `upkeep`.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use parking_lot::{Mutex, RwLock};

use super::bucket::Bucket;
use super::claim_error::ClaimError;
use super::directory::Directory;
use super::fingerprint::Fingerprints;
use super::half_minute::{GRACE, HalfMinute, until};
use super::half_minutes::HalfMinutes;
use super::journal::Record;
use super::quota::{Quota, QuotaExceeded};
use super::set::{Insertion, NonceTable};
use super::state::State;
use super::tally::Tally;
use super::telemetry::Telemetry;
use charter_budgets::{self as budgets, Resource};
use charter_domain::clock::Clock;
use charter_domain::id::{AccessKeyId, OrganizationId};
use charter_domain::timestamp::Timestamp;

/// What became of a claim that was not refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ClaimAttempt {
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
    /// The nonces of all of them.
    pub(super) nonces: Arc<NonceTable>,
    /// Half minutes that were dropped with nonces in them. Each by itself: a clock that was ahead
    /// for a while does not close the present.
    pub(super) forgotten: RwLock<HalfMinutes>,
    /// The newest of them, so that most claims need not look; `i64::MIN` for none.
    pub(super) newest_forgotten: AtomicI64,
    /// Half minutes whose nonces may have been lost.
    pub(super) closed: RwLock<HalfMinutes>,
    /// Half minutes that the database says this process may open; `None` asks no database.
    pub(super) granted: RwLock<Option<HalfMinutes>>,
    /// How many records each journal holds. Held to be read by whoever appends.
    pub(super) tally: RwLock<Tally>,
    /// Half minutes whose journals vanished while the service runs: what is claimed in them is
    /// remembered here alone.
    pub(super) lost: RwLock<HalfMinutes>,
    /// Whoever opens or drops a bucket holds it.
    pub(super) ledger: Mutex<Ledger>,
    /// Whoever reads again what the disk refused at the start holds it; taken before the ledger.
    pub(super) reading: Mutex<()>,
    pub(super) telemetry: Telemetry,
    /// Whether [`Memory::last_error`] is set; read on each claim.
    pub(super) failing: AtomicBool,
    pub(super) last_error: Mutex<Option<String>>,
    /// Whether a date in a forgotten half minute was reported since the last maintenance.
    pub(super) alarmed: AtomicBool,
}

/// What is on disk, and the clocks as they were last seen.
pub(super) struct Ledger {
    /// Shared with whoever reads a journal without the ledger.
    pub(super) directory: Arc<Directory>,
    pub(super) state: State,
    /// Half minutes whose journals the disk refused to read at the start, with the number of records that each
    /// must hold. Closed, but not for the next start.
    pub(super) unread: BTreeMap<HalfMinute, u64>,
    pub(super) stopped: bool,
    pub(super) seen: (Timestamp, Duration),
}

impl Memory {
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
            let closed = self.closed.read();
            return if closed.contains(id) {
                let open = closed.next_outside(HalfMinute::of(now)).start();
                Err(ClaimError::Closed {
                    retry_after: until(open, now).max(Duration::from_secs(1)),
                })
            } else {
                Ok(ClaimAttempt::NoBucket(id))
            };
        };
        let record = Record {
            key: key.uuid().as_u128(),
            fingerprint: self.fingerprints.of(key, nonce),
        };
        self.quota
            .reserve(record.key, organization, id)
            .map_err(|exhausted| self.exhausted(exhausted, now))?;
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
        // After the set has chosen the one winner. If this fails, the nonce stays in the set: spent
        // for this process, and never answered as accepted for the next.
        let write = |records: &[u8]| {
            let tally = self.tally.read();
            let note = |records| tally.note(id, records, &self.fingerprints);
            bucket.journal.append(records, note)
        };
        bucket
            .writes
            .write(&record.encode(id, &self.fingerprints), write)
            .await
            .map_err(|error| self.unavailable(error))?;
        self.recovered();
        Ok(ClaimAttempt::Claimed)
    }

    /// Refuses what no bucket can stand for. Who calls has checked the window already, but time has
    /// passed since, perhaps a slow body's.
    fn check_date(
        &self,
        id: HalfMinute,
        date: Timestamp,
        now: Timestamp,
    ) -> Result<(), ClaimError> {
        let distance = date.signed_duration_since(now).abs().to_std();
        let distance = distance.unwrap_or(Duration::MAX);
        if distance > self.window.saturating_add(GRACE) {
            return Err(ClaimError::OutsideWindow);
        }
        if self.is_forgotten(id) {
            if distance <= self.window && !self.alarmed.swap(true, Ordering::Relaxed) {
                tracing::error!(
                    %date, %now,
                    "the clock was set back: nonces of dates that it calls current are forgotten, \
                     so such requests are refused"
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

    fn exhausted(&self, exhausted: QuotaExceeded, now: Timestamp) -> ClaimError {
        let after = |id: HalfMinute| id.remaining(self.window, now).max(Duration::from_secs(1));
        match exhausted {
            QuotaExceeded::Key { oldest } => ClaimError::KeyQuota {
                limit: self.quota.bounds().per_key as u64,
                retry_after: after(oldest),
            },
            QuotaExceeded::Organization { limit, oldest } => {
                let oldest = oldest.or_else(|| self.oldest());
                ClaimError::Budget(budgets::Exhausted {
                    resource: Resource::Nonces,
                    holder: budgets::Holder::Organization,
                    limit: limit as u64,
                    retry_after: after(oldest.unwrap_or_else(|| HalfMinute::of(now))),
                })
            }
            QuotaExceeded::Total => ClaimError::Full {
                retry_after: after(self.oldest().unwrap_or_else(|| HalfMinute::of(now))),
            },
        }
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

    /// Notes that the disk refused; says so once until it works again.
    pub(super) fn failed(&self, error: &io::Error) {
        self.telemetry.journal_errors.increment(1);
        *self.last_error.lock() = Some(error.to_string());
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "the replay journal cannot be written, requests are refused");
        }
    }

    pub(super) fn recovered(&self) {
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

    use super::super::{Bounds, Config, recovery};
    use super::*;
    use charter_domain::clock::SystemClock;
    use charter_domain::entropy::OsEntropy;

    #[tokio::test]
    async fn a_nonce_that_could_not_be_written_is_neither_accepted_nor_accepted_later() {
        let directory = tempfile::tempdir().expect("a directory");
        let config = Config {
            window: Duration::from_mins(5),
            bounds: Bounds {
                per_key: 10,
                per_organization: 10,
                total: 10,
            },
            directory: directory.path().to_owned(),
            hash_key: SecretBox::new(Box::new([7; 32])),
            installation_is_older: false,
        };
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
