//! Polls Redis each second, opens the next half minutes, drops those that are over.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use charter_domain::timestamp::Timestamp;
use tokio_util::sync::CancellationToken;

use super::agreement::{Disagreement, Phase, RUN};
use super::epoch::Epoch;
use super::guard::RedisGuardInner;
use crate::nonces::half_minute::HalfMinute;
use crate::nonces::half_minutes::HalfMinutes;
use crate::nonces::lease::{EXTENSIONS_PER_LEASE, taken_over};
use crate::nonces::status::Status;

const INTERVAL: Duration = Duration::from_secs(1);
/// While Redis is unreliable.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

impl RedisGuardInner {
    pub(super) async fn keep_up(&self, stop: CancellationToken) {
        let rounds = async {
            loop {
                Box::pin(self.round()).await;
                if self.epoch.load().is_none() {
                    tokio::time::sleep(RETRY_INTERVAL).await;
                    continue;
                }
                tokio::select! {
                    () = tokio::time::sleep(INTERVAL) => {}
                    () = self.wake.notified() => {}
                }
            }
        };
        stop.run_until_cancelled(rounds).await;
    }

    /// One round. Failures are in the status, and retried by the next round.
    pub(super) async fn round(&self) {
        if self.stopped.load(Ordering::Acquire) {
            return;
        }
        let mut epoch = match self.epoch.load_full() {
            Some(epoch) => self.check(epoch).await,
            None => None,
        };
        if epoch.is_none() {
            // Boxed, as it is rare and large.
            epoch = Box::pin(self.find_epoch()).await;
        }
        if let Some(epoch) = epoch {
            if let Err(error) = self.mark_again(&epoch).await {
                tracing::warn!(%error, "could not mark half minutes again; retrying");
            }
            let now = HalfMinute::of(self.clock.now());
            let next = [now, now.next()];
            let open: Vec<_> = next
                .into_iter()
                .filter(|id| !epoch.closed.contains(*id))
                .collect();
            if let Err(error) = self.open(&epoch, &open).await {
                tracing::warn!(%error, "could not mark the next half minutes; retrying");
            }
            self.drop_over();
        }
        self.extend_lease().await;
        self.telemetry.report(&self.status());
    }

    /// The epoch, if it is still current.
    async fn check(&self, epoch: Arc<Epoch>) -> Option<Arc<Epoch>> {
        let polled = epoch.connection.poll().await.map_err(Disagreement::from);
        let server = polled.and_then(|server| {
            self.check_clock(server.time)?;
            Ok(server)
        });
        let why = match server {
            Ok(server) if server.epoch.as_ref() != Some(&epoch.name) => {
                "Redis has lost its epoch key".to_owned()
            }
            Ok(server) if server.life != epoch.server => {
                "Redis was replaced or has evicted keys".to_owned()
            }
            Ok(_) => return Some(epoch),
            Err(error) => error.to_string(),
        };
        let _refusal = self.give_up(&epoch, why);
        None
    }

    async fn find_epoch(&self) -> Option<Arc<Epoch>> {
        if self.lost_to.lock().is_some() {
            return None;
        }
        let found = async {
            let connection = self.address.connect().await?;
            self.agree(connection, Phase::Running).await
        };
        match found.await {
            Ok(epoch) => {
                let epoch = Arc::new(epoch);
                self.epoch.store(Some(Arc::clone(&epoch)));
                *self.fault.lock() = None;
                tracing::info!("nonces are stored in Redis again");
                Some(epoch)
            }
            Err(Disagreement::NotHeld(holder)) => {
                tracing::error!(
                    holder,
                    "another process has taken the database over; signed requests are refused here"
                );
                *self.lost_to.lock() = Some(holder);
                None
            }
            Err(error) => {
                *self.fault.lock() = Some(error.to_string());
                None
            }
        }
    }

    /// Drops the counts of half minutes that are over. Redis expires the nonces later.
    fn drop_over(&self) {
        let over = self.counted.lock().take_over(self.window, self.clock.now());
        let mut forgotten = Vec::new();
        for (first, last) in over.since(HalfMinute(i64::MIN)) {
            let mut id = first;
            while id <= last {
                if self.quota.forget_all(id) > 0 {
                    forgotten.push(id);
                }
                id = id.next();
            }
        }
        if !forgotten.is_empty() {
            let mut all = self.forgotten.write();
            all.add(&forgotten.into_iter().collect());
            all.coalesce();
        }
    }

    /// Extends the lease.
    async fn extend_lease(&self) {
        let now = self.clock.monotonic();
        let last = *self.lease_extended_at.lock();
        if now.saturating_sub(last) < self.lease / EXTENSIONS_PER_LEASE {
            return;
        }
        match self.store.beat_guard_lease(RUN).await {
            Ok(_) => *self.lease_extended_at.lock() = now,
            Err(error) => {
                tracing::warn!(%error, "could not extend the replay guard's lease of the database; retrying");
            }
        }
    }

    pub(super) fn status(&self) -> Status {
        let now = HalfMinute::of(self.clock.now());
        let epoch = self.epoch.load();
        let mut refused: HalfMinutes = epoch
            .as_ref()
            .map(|epoch| epoch.closed.clone())
            .unwrap_or_default();
        let is_closed = refused.contains(now);
        refused.add(&self.forgotten.read());
        let open = refused.next_outside(now);
        // Outside the expression below, which would hold the lock to its end.
        let lost_to = self.lost_to.lock().clone();
        let last_error = epoch.is_none().then(|| self.away().to_string());
        Status {
            remembered: self.quota.remembered(),
            total: self.quota.bounds().total,
            bytes: 0,
            buckets: 0,
            closed_until: (open > now)
                .then(|| Timestamp::from_timestamp(open.start(), 0))
                .flatten(),
            clock_was_set_back: open > now && !is_closed,
            forgotten_ahead: None,
            near: self.quota.near(),
            not_held: lost_to.as_deref().map(taken_over),
            lost_until: None,
            last_error,
        }
    }
}
