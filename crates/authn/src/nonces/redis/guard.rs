//! Claims: one round trip each, and a doubt is a refusal.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use charter_budgets::{self as budgets, Near, Resource};
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
use super::connection::KEPT;
use super::epoch::Epoch;
use crate::nonces::claim_error::ClaimError;
use crate::nonces::fingerprint::Fingerprints;
use crate::nonces::half_minute::{GRACE, HalfMinute, until};
use crate::nonces::half_minutes::HalfMinutes;
use crate::nonces::nonce_store::NonceStore;
use crate::nonces::quota::{Quota, QuotaExceeded};
use crate::nonces::status::Status;
use crate::nonces::telemetry::Telemetry;

/// Remembers nonces in Redis, for all replicas. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct RedisGuard {
    pub(super) parts: Arc<Parts>,
}

pub(super) struct Parts {
    pub(super) store: Arc<Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) address: Address,
    pub(super) window: Duration,
    pub(super) clock_tolerance: Option<Duration>,
    pub(super) lease: Duration,
    pub(super) fingerprints: Fingerprints,
    /// This process's share.
    pub(super) quota: Quota,
    pub(super) telemetry: Telemetry,
    /// What requests rely on; `None` while Redis cannot be relied on.
    pub(super) epoch: ArcSwapOption<Epoch>,
    /// Why not.
    pub(super) fault: Mutex<Option<String>>,
    /// Another process remembers nonces by itself now.
    pub(super) lost_to: Mutex<Option<String>>,
    /// Half minutes in which this process has accepted any, until they are over.
    pub(super) counted: Mutex<HalfMinutes>,
    /// Half minutes that were over by this process's clock, with nonces in them.
    pub(super) forgotten: RwLock<HalfMinutes>,
    /// Half minutes are opened one after the other.
    pub(super) opening: tokio::sync::Mutex<()>,
    /// Wakes the upkeep when an epoch is given up.
    pub(super) wake: Notify,
    pub(super) stopped: AtomicBool,
    /// When the lease was last extended, on the monotonic clock.
    pub(super) beaten: Mutex<Duration>,
}

impl Parts {
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
        if epoch.closed.contains(id) {
            let open = epoch.closed.next_outside(HalfMinute::of(now)).start();
            return Err(ClaimError::Closed {
                retry_after: until(open, now).max(Duration::from_secs(1)),
            });
        }
        if !epoch.open.read().contains(id) {
            self.open(&epoch, &[id]).await?;
        }
        let number = key.uuid().as_u128();
        self.quota
            .reserve(number, organization, id)
            .map_err(|exceeded| self.exceeded(exceeded, now))?;
        let fingerprint = self.fingerprints.of(key, nonce);
        // For longer than its time, whatever the clocks of other replicas and of Redis say.
        let keep = id.remaining(self.window, now).saturating_add(KEPT);
        match epoch.connection.claim(fingerprint, keep).await {
            // What was there before was claimed before, in whichever epoch.
            Ok(answer) if !answer.is_new => {
                self.quota.release(number, id);
                Err(ClaimError::Replayed)
            }
            Ok(answer) if answer.epoch.as_deref() == Some(&*epoch.name) => Ok(()),
            Ok(_) => Err(self.give_up(&epoch, "Redis has lost its epoch key".to_owned())),
            // It may have been remembered, so it stays counted.
            Err(error) => Err(self.give_up(&epoch, format!("Redis does not answer: {error}"))),
        }
    }

    fn check_date(
        &self,
        id: HalfMinute,
        date: Timestamp,
        now: Timestamp,
    ) -> Result<(), ClaimError> {
        let distance = date.signed_duration_since(now).abs().to_std();
        if distance.unwrap_or(Duration::MAX) > self.window.saturating_add(GRACE) {
            return Err(ClaimError::OutsideWindow);
        }
        if self.forgotten.read().contains(id) {
            return Err(ClaimError::Forgotten);
        }
        Ok(())
    }

    /// Accepts nothing in this epoch any more. The upkeep looks for what there is now.
    pub(super) fn give_up(&self, epoch: &Arc<Epoch>, why: String) -> ClaimError {
        let seen = self.epoch.compare_and_swap(epoch, None);
        if seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, epoch)) {
            tracing::error!(
                why,
                "nonces cannot be remembered in Redis, signed requests are refused until it is settled what was lost"
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

    fn exceeded(&self, exceeded: QuotaExceeded, now: Timestamp) -> ClaimError {
        let after = |id: HalfMinute| id.remaining(self.window, now).max(Duration::from_secs(1));
        let oldest = || self.counted.lock().since(HalfMinute(i64::MIN)).next();
        let first = |known: Option<HalfMinute>| {
            let known = known.or_else(|| oldest().map(|(first, _)| first));
            after(known.unwrap_or_else(|| HalfMinute::of(now)))
        };
        match exceeded {
            QuotaExceeded::Key { oldest } => ClaimError::KeyQuota {
                limit: self.quota.bounds().per_key as u64,
                retry_after: after(oldest),
            },
            QuotaExceeded::Organization { limit, oldest } => {
                ClaimError::Budget(budgets::Exhausted {
                    resource: Resource::Nonces,
                    holder: budgets::Holder::Organization,
                    limit: limit as u64,
                    retry_after: first(oldest),
                })
            }
            QuotaExceeded::Total => ClaimError::Full {
                retry_after: first(None),
            },
        }
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
        let claimed = self.parts.attempt(key, organization, nonce, date).await;
        match &claimed {
            Ok(()) => self.parts.telemetry.claimed(),
            Err(refusal) => self.parts.telemetry.refused(refusal),
        }
        claimed
    }

    fn row_of(&self, key: AccessKeyId, nonce: &str, date: Timestamp) -> Option<SpentNonce> {
        let mut claim = [0; 16];
        self.parts.entropy.fill(&mut claim);
        Some(SpentNonce {
            fingerprint: self.parts.fingerprints.of(key, nonce).to_be_bytes(),
            claim,
            // As long as in Redis, and by the clocks of all replicas.
            over_at: HalfMinute::of(date)
                .over_at(self.parts.window)
                .saturating_add_unsigned(KEPT.as_secs()),
        })
    }

    fn status(&self) -> Status {
        self.parts.status()
    }

    fn near(&self) -> Vec<Near> {
        self.parts.quota.near()
    }

    fn share_among(&self, replicas: usize) {
        self.parts.quota.share_among(replicas);
    }

    async fn maintain(&self) {
        self.parts.round().await;
    }

    async fn maintain_until(&self, stop: CancellationToken) {
        self.parts.keep_up(stop).await;
    }

    async fn clean_stop(&self) -> io::Result<()> {
        self.parts.stopped.store(true, Ordering::Release);
        self.parts.epoch.store(None);
        Ok(())
    }
}
