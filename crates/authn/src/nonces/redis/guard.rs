//! Claims on Redis: one round trip each; any doubt is a refusal.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use charter_budgets::Near;
use charter_domain::access_key::SpentNonce;
use charter_domain::clock::Clock;
use charter_domain::entropy::Entropy;
use charter_domain::id::{AccessKeyId, OrganizationId};
use charter_domain::timestamp::Timestamp;
use charter_store::Store;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::address::Address;
use super::connection::RETENTION_MARGIN;
use super::epoch::Epoch;
use crate::nonces::claim_error::ClaimError;
use crate::nonces::fingerprint::Fingerprints;
use crate::nonces::half_minute::HalfMinute;
use crate::nonces::half_minutes::HalfMinutes;
use crate::nonces::nonce_store::NonceStore;
use crate::nonces::quota::Quota;
use crate::nonces::status::Status;
use crate::nonces::telemetry::Telemetry;

/// Stores nonces in Redis, for all replicas. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct RedisGuard {
    pub(super) inner: Arc<RedisGuardInner>,
}

pub(super) struct RedisGuardInner {
    pub(super) store: Arc<Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) address: Address,
    pub(super) window: Duration,
    pub(super) clock_tolerance: Option<Duration>,
    /// The wall clock less the monotonic one, in microseconds, when it last agreed with that of Redis.
    pub(super) agreed_offset: AtomicI64,
    pub(super) lease: Duration,
    pub(super) fingerprints: Fingerprints,
    /// This process's share.
    pub(super) quota: Quota,
    pub(super) telemetry: Telemetry,
    /// The epoch that claims use; `None` while Redis is unreliable.
    pub(super) epoch: ArcSwapOption<Epoch>,
    /// Why Redis is unreliable.
    pub(super) fault: Mutex<Option<String>>,
    /// The process that has taken the database over with a guard of its own.
    pub(super) lost_to: Mutex<Option<String>>,
    /// Half minutes in which this process has accepted nonces, until they are over.
    pub(super) counted: Mutex<HalfMinutes>,
    /// Half minutes with nonces that are over by this process's clock.
    pub(super) forgotten: RwLock<HalfMinutes>,
    /// Half minutes are opened one at a time.
    pub(super) opening: tokio::sync::Mutex<()>,
    /// Wakes the upkeep when an epoch is given up.
    pub(super) wake: Notify,
    pub(super) stopped: AtomicBool,
    /// When the lease was last extended, on the monotonic clock.
    pub(super) lease_extended_at: Mutex<Duration>,
}

impl RedisGuardInner {
    async fn attempt(
        &self,
        key: AccessKeyId,
        organization: OrganizationId,
        nonce: &str,
        date: Timestamp,
    ) -> Result<(), ClaimError> {
        let now = self.clock.now();
        let id = HalfMinute::of(date);
        self.check_date(id, date, now)?;
        let epoch = self.epoch.load_full().ok_or_else(|| self.away())?;
        self.check_steady(&epoch)?;
        ClaimError::check_open(&epoch.closed, id, now)?;
        if !epoch.open.read().contains(id) {
            self.open(&epoch, &[id]).await?;
        }
        let number = key.uuid().as_u128();
        self.quota
            .reserve(number, organization, id)
            .map_err(|exceeded| {
                let oldest = || self.oldest();
                exceeded.claim_error(self.window, now, oldest)
            })?;
        let fingerprint = self.fingerprints.of(key, nonce);
        // Longer than needed, as the clocks of Redis and other replicas differ.
        let keep = id
            .remaining(self.window, now)
            .saturating_add(RETENTION_MARGIN);
        match epoch.connection.claim(fingerprint, keep).await {
            // Claimed before, in whichever epoch.
            Ok(answer) if !answer.is_new => {
                self.quota.release(number, id);
                Err(ClaimError::Replayed)
            }
            Ok(answer) if answer.epoch.as_deref() == Some(&*epoch.name) => {
                // A process that was paused on the way has sent it when Redis had forgotten earlier ones.
                self.check_steady(&epoch)?;
                self.check_date(id, date, self.clock.now())
            }
            Ok(_) => Err(self.give_up(&epoch, "Redis has lost its epoch key".to_owned())),
            // It may have been stored, so it stays counted.
            Err(error) => Err(self.give_up(&epoch, format!("Redis does not answer: {error}"))),
        }
    }

    fn check_date(
        &self,
        id: HalfMinute,
        date: Timestamp,
        now: Timestamp,
    ) -> Result<(), ClaimError> {
        ClaimError::check_window(date, now, self.window)?;
        if self.forgotten.read().contains(id) {
            return Err(ClaimError::Forgotten);
        }
        Ok(())
    }

    /// Whether the wall clock has gone evenly since it agreed with that of Redis. One that was set back makes dates
    /// valid whose nonces Redis has forgotten; one that was set forward makes it forget too early.
    fn check_steady(&self, epoch: &Arc<Epoch>) -> Result<(), ClaimError> {
        let jump = self
            .offset()
            .abs_diff(self.agreed_offset.load(Ordering::Acquire));
        let jump = Duration::from_micros(jump);
        match self.clock_tolerance {
            Some(tolerance) if jump > tolerance => {
                Err(self.give_up(epoch, format!("this machine's clock jumped by {jump:?}")))
            }
            _ => Ok(()),
        }
    }

    /// The wall clock less the monotonic one, in microseconds.
    pub(super) fn offset(&self) -> i64 {
        let monotonic = i64::try_from(self.clock.monotonic().as_micros()).unwrap_or(i64::MAX);
        self.clock
            .now()
            .timestamp_micros()
            .saturating_sub(monotonic)
    }

    /// Stops using this epoch; the upkeep finds the next one.
    pub(super) fn give_up(&self, epoch: &Arc<Epoch>, why: String) -> ClaimError {
        let seen = self.epoch.compare_and_swap(epoch, None);
        if seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, epoch)) {
            tracing::error!(
                why,
                "Redis is unreliable; signed requests are refused until the state is settled"
            );
            *self.fault.lock() = Some(why);
            self.wake.notify_one();
        }
        self.away()
    }

    pub(super) fn away(&self) -> ClaimError {
        if self.stopped.load(Ordering::Acquire) {
            return ClaimError::Unavailable(io::Error::other("the replay guard has stopped"));
        }
        if let Some(holder) = self.lost_to.lock().clone() {
            return ClaimError::NotHeld(holder);
        }
        let why = self.fault.lock().clone();
        let why = why.unwrap_or_else(|| "Redis was not asked yet".to_owned());
        ClaimError::Unavailable(io::Error::other(why))
    }

    /// The oldest half minute in which this process has accepted nonces.
    fn oldest(&self) -> Option<HalfMinute> {
        let counted = self.counted.lock();
        let first = counted.since(HalfMinute(i64::MIN)).next();
        first.map(|(first, _)| first)
    }
}

#[async_trait]
impl NonceStore for RedisGuard {
    async fn claim(
        &self,
        key: AccessKeyId,
        organization: OrganizationId,
        nonce: &str,
        date: Timestamp,
    ) -> Result<(), ClaimError> {
        let claimed = self.inner.attempt(key, organization, nonce, date).await;
        match &claimed {
            Ok(()) => self.inner.telemetry.claimed(),
            Err(refusal) => self.inner.telemetry.refused(refusal),
        }
        claimed
    }

    fn row_of(&self, key: AccessKeyId, nonce: &str, date: Timestamp) -> Option<SpentNonce> {
        let mut claim = [0; 16];
        self.inner.entropy.fill(&mut claim);
        Some(SpentNonce {
            fingerprint: self.inner.fingerprints.of(key, nonce).to_be_bytes(),
            claim,
            // As long as in Redis, and by the clocks of all replicas.
            over_at: HalfMinute::of(date)
                .over_at(self.inner.window)
                .saturating_add_unsigned(RETENTION_MARGIN.as_secs()),
        })
    }

    fn status(&self) -> Status {
        self.inner.status()
    }

    fn near(&self) -> Vec<Near> {
        self.inner.quota.near()
    }

    fn share_among(&self, replicas: usize) {
        self.inner.quota.share_among(replicas);
    }

    async fn maintain(&self) {
        self.inner.round().await;
    }

    async fn maintain_until(&self, stop: CancellationToken) {
        self.inner.keep_up(stop).await;
    }

    async fn clean_stop(&self) -> io::Result<()> {
        self.inner.stopped.store(true, Ordering::Release);
        self.inner.epoch.store(None);
        Ok(())
    }
}
