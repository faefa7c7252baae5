//! Opens a guard on Redis: takes the lease for all replicas, then agrees on an epoch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use charter_domain::clock::Clock;
use charter_domain::entropy::Entropy;
use charter_store::{GuardLease, Store};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use super::agreement::{Disagreement, Phase, RUN, used};
use super::config::RedisConfig;
use super::guard::{RedisGuard, RedisGuardInner};
use crate::nonces::fingerprint::Fingerprints;
use crate::nonces::half_minutes::HalfMinutes;
use crate::nonces::lease::wait_for_expiry;
use crate::nonces::open_error::{LeaseError, OpenError};
use crate::nonces::quota::Quota;
use crate::nonces::telemetry::Telemetry;

/// A guard whose database no process serves with a guard of its own: now the schema may be migrated.
pub struct UnopenedRedisGuard {
    seen: Option<GuardLease>,
}

impl UnopenedRedisGuard {
    /// Waits until no process serves the database with a guard of its own, at most `lease`.
    ///
    /// # Errors
    ///
    /// [`LeaseError`].
    pub async fn wait(store: &Store, lease: Duration) -> Result<Self, OpenError> {
        let in_lease = LeaseError::Store;
        let seen = store.guard_lease().await.map_err(in_lease)?;
        let Some(other) = seen.filter(|seen| !seen.released && seen.run != RUN) else {
            return Ok(Self { seen: None });
        };
        let seen = wait_for_expiry(store, &other, lease).await?;
        Ok(Self { seen })
    }

    /// Opens it, on a current schema. Retry it while Redis cannot be reached.
    ///
    /// # Errors
    ///
    /// [`OpenError::Redis`], [`OpenError::Lease`].
    pub async fn open(
        &self,
        config: &RedisConfig,
        store: &Arc<Store>,
        clock: &Arc<dyn Clock>,
        entropy: &Arc<dyn Entropy>,
    ) -> Result<RedisGuard, OpenError> {
        let fingerprints = Fingerprints::new(&config.hash_key);
        let inner = RedisGuardInner {
            store: Arc::clone(store),
            clock: Arc::clone(clock),
            entropy: Arc::clone(entropy),
            address: config.address(&fingerprints)?,
            window: config.window,
            clock_tolerance: config.clock_tolerance,
            agreed_offset: AtomicI64::new(0),
            lease: config.lease,
            fingerprints,
            quota: Quota::new(config.bounds),
            telemetry: Telemetry::new(),
            epoch: ArcSwapOption::empty(),
            fault: Mutex::default(),
            lost_to: Mutex::default(),
            counted: Mutex::default(),
            forgotten: RwLock::default(),
            opening: tokio::sync::Mutex::default(),
            wake: Notify::new(),
            stopped: AtomicBool::new(false),
            lease_extended_at: Mutex::new(clock.monotonic()),
        };
        let connection = inner.address.connect().await.map_err(Disagreement::from)?;
        self.take_lease(store).await?;
        inner.leave_to_running(&connection).await?;
        let epoch = inner.agree(connection, Phase::Start).await?;
        inner.epoch.store(Some(Arc::new(epoch)));
        let guard = RedisGuard {
            inner: Arc::new(inner),
        };
        guard.inner.round().await;
        Ok(guard)
    }

    /// Takes the lease for all replicas; closes what a process with a guard of its own may have accepted.
    async fn take_lease(&self, store: &Store) -> Result<(), OpenError> {
        let in_lease = LeaseError::Store;
        let turn = store.begin_shared_guard().await.map_err(in_lease)?;
        let (closed, before) = match &turn.lease {
            Some(lease) if lease.run == RUN => return Ok(()),
            Some(lease) if !lease.released && self.seen.as_ref() != Some(lease) => {
                return Err(LeaseError::Overtaken.into());
            }
            Some(lease) => (HalfMinutes::from_text(&lease.used), lease.clone()),
            None => (HalfMinutes::default(), first_lease()),
        };
        let mut guard = turn.guard.clone();
        let mut all = HalfMinutes::from_text(&guard.closed);
        all.add(&closed);
        guard.closed = all.to_text();
        all.add(&HalfMinutes::from_text(&guard.marked));
        let saved = turn.save(guard, &used(&before, &all)).await;
        saved.map_err(in_lease)?;
        Ok(())
    }
}

fn first_lease() -> GuardLease {
    GuardLease {
        run: RUN.to_owned(),
        beat: 0,
        released: false,
        used: HalfMinutes::default().to_text(),
        holder: String::new(),
    }
}
