//! Periodic background work: flushing, expiry, maintenance.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use charter_authn::limits::rate_limit::RateLimits;
use charter_authn::nonces::SharedCounters;
use charter_authn::signed::last_used::LastUsed;
use charter_domain::clock::Clock;
use charter_domain::confirmed_clock::{ConfirmedClock, Unconfirmed};
use charter_domain::timestamp::Timestamp;
use charter_store::{Error, Store};

use super::assembly::App;
use super::{denials, disk, missing_keys, provision, replicas};
use crate::telemetry::metrics::Recorder;

/// Interval at which pending data is written to the store.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

const FORGET_INTERVAL: Duration = Duration::from_hours(1);
/// How long expired rows stay in the database. A spent refresh token must outlive its successor, so that reuse is
/// detected.
const KEPT: Duration = Duration::from_hours(31 * 24);

const DENIALS_KEPT: Duration = Duration::from_hours(30 * 24);

impl App {
    /// The deletion of expired data.
    #[must_use]
    pub fn expiry(&self) -> Expiry {
        Expiry {
            store: Arc::clone(&self.store),
            system_clock: Arc::clone(&self.state.clock),
            clock: Arc::clone(&self.confirmed),
            unverified_expire_after: self.unverified_expire_after,
        }
    }
}

/// Starts the background tasks; they end when `stop` is cancelled, after a last flush.
pub fn start(app: &App, tracker: &TaskTracker, stop: &CancellationToken) {
    let (state, store) = (|| Arc::clone(&app.state), || Arc::clone(&app.store));
    let (replay, stopped) = (Arc::clone(&app.replay), stop.clone());
    tracker.spawn(async move { replay.maintain_until(stopped).await });
    let replica = Arc::clone(&app.replica);
    tracker.spawn(replicas::follow(replica, state(), store(), stop.clone()));
    let directories = app.directories.clone();
    tracker.spawn(disk::watch(directories, state(), stop.clone()));
    let keys = app.sealing_keys.clone();
    tracker.spawn(missing_keys::watch(keys, state(), store(), stop.clone()));
    if let Some(mail) = app.mail.lock().take() {
        tracker.spawn(mail.run(stop.clone()));
    }
    if let Some(reloader) = app.reloader.lock().take() {
        tracker.spawn(reloader.run(stop.clone()));
    }
    let watch = Arc::clone(&app.near_budgets);
    tracker.spawn(watch.run(state(), store(), stop.clone()));
    let (changing, stopped) = (store(), stop.clone());
    tracker.spawn(async move { changing.follow_changes(stopped).await });
    tracker.spawn(forget(app.expiry(), stop.clone()));
    tracker.spawn(sync_heads(store(), app.sync_within, stop.clone()));
    share_with_replicas(app, tracker, stop);
    tracker.spawn(flush_each_second(
        Flushed {
            store: store(),
            last_used: Arc::clone(&app.state.last_used),
            limits: Arc::clone(&app.limits),
            confirmed: Arc::clone(&app.confirmed),
            metrics: app.metrics.clone(),
        },
        stop.clone(),
    ));
}

fn share_with_replicas(app: &App, tracker: &TaskTracker, stop: &CancellationToken) {
    if app.replica.is_shared {
        let (decisions, store) = (app.state.decisions.clone(), Arc::clone(&app.store));
        tracker.spawn(denials::share(decisions, store, stop.clone()));
    }
    if let Some(counters) = app.counters.clone() {
        let limits = Arc::clone(&app.limits);
        tracker.spawn(share_rates(limits, counters, stop.clone()));
    }
}

/// Deletes expired data.
pub struct Expiry {
    pub store: Arc<Store>,
    /// Dates the audit events.
    pub system_clock: Arc<dyn Clock>,
    /// Decides what is expired.
    pub clock: Arc<ConfirmedClock>,
    pub unverified_expire_after: Duration,
}

impl Expiry {
    /// Runs once. Failures of the database are logged, and the next run tries again.
    ///
    /// # Errors
    ///
    /// [`Unconfirmed`]: nothing was deleted.
    pub async fn run(&self) -> Result<(), Unconfirmed> {
        let now = self.clock.now()?;
        let store = &self.store;
        match store.forget_sessions_before(now - KEPT).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(
                rows,
                days = KEPT.as_secs() / 86_400,
                "deleted sessions, links and invitations that expired this many days ago"
            ),
            Err(error) => {
                tracing::warn!(%error, "could not delete expired sessions and links; retrying");
            }
        }
        if let Err(error) = forget_for_replicas(store, now).await {
            tracing::warn!(%error, "could not delete expired nonces of writes and denials; retrying");
        }
        let by = provision::system(&*self.system_clock);
        let expired = store.expire_registrations_before(now - self.unverified_expire_after, &by);
        match expired.await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "deleted unverified registrations"),
            Err(error) => {
                tracing::warn!(%error, "could not delete unverified registrations; retrying");
            }
        }
        Ok(())
    }
}

/// Rows that replicas share: nonces of writes until their date leaves the window, denials for 30 days.
async fn forget_for_replicas(store: &Store, now: Timestamp) -> Result<(), Error> {
    store.forget_write_nonces(now).await?;
    store.forget_denials_before(now - DENIALS_KEPT).await?;
    Ok(())
}

/// Deletes expired data periodically.
async fn forget(expiry: Expiry, stop: CancellationToken) {
    loop {
        let pause = match expiry.run().await {
            Ok(()) => FORGET_INTERVAL,
            Err(Unconfirmed { left }) => left,
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => break,
        }
    }
}

/// Corrects this process's shares of the rates by what the others use.
async fn share_rates(limits: Arc<RateLimits>, counters: SharedCounters, stop: CancellationToken) {
    let rounds = async {
        loop {
            tokio::time::sleep(FLUSH_INTERVAL).await;
            limits.correct(&counters).await;
        }
    };
    stop.run_until_cancelled(rounds).await;
}

/// Syncs the heads of the audit chains to disk and retries failed writes.
async fn sync_heads(store: Arc<Store>, within: Duration, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(within) => {}
            () = stop.cancelled() => break,
        }
        let store = Arc::clone(&store);
        let synced = tokio::task::spawn_blocking(move || store.sync_audit_heads());
        if let Err(error) = synced.await {
            tracing::error!(%error, "could not sync the audit heads");
        }
    }
}

/// What is written or tidied each second.
struct Flushed {
    store: Arc<Store>,
    last_used: Arc<LastUsed>,
    limits: Arc<RateLimits>,
    confirmed: Arc<ConfirmedClock>,
    metrics: Recorder,
}

async fn flush_each_second(flushed: Flushed, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(FLUSH_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                flush(&flushed.last_used, &flushed.store).await;
                flushed.metrics.upkeep();
                flushed.limits.forget_idle();
                // Notices a clock jump soon after it happens.
                let _ = flushed.confirmed.now();
            }
            () = stop.cancelled() => break,
        }
    }
    flush(&flushed.last_used, &flushed.store).await;
}

async fn flush(last_used: &LastUsed, store: &Store) {
    if let Err(error) = last_used.flush(store).await {
        tracing::warn!(%error, "could not write times of last use; retrying");
    }
}
