//! Work beside the requests: what is pending is written, what is over is noticed.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::http::state::State;

use super::{App, FLUSH_INTERVAL, provision};

const FORGET_INTERVAL: Duration = Duration::from_hours(1);
/// How long what is over stays in the database: a spent refresh token for longer than its successor
/// lives, so that its use is noticed.
const KEPT: Duration = Duration::from_hours(31 * 24);

/// Starts the work; it ends with the token, after a last flush.
pub fn start(app: &App, tracker: &TaskTracker, stop: &CancellationToken) {
    tracker.spawn(app.replay.clone().run(stop.clone()));
    if let Some(mail) = app.mail.lock().take() {
        tracker.spawn(mail.run(stop.clone()));
    }
    if let Some(reloader) = app.reloader.lock().take() {
        tracker.spawn(reloader.run(stop.clone()));
    }
    let watch = Arc::clone(&app.near_budgets);
    tracker.spawn(watch.run(
        Arc::clone(&app.state.budgets),
        Arc::clone(&app.state.store),
        Arc::clone(&app.state.clock),
        stop.clone(),
    ));
    let expire_after = app.unverified_expire_after;
    tracker.spawn(forget(Arc::clone(&app.state), expire_after, stop.clone()));
    let state = Arc::clone(&app.state);
    let metrics = app.metrics.clone();
    let limits = Arc::clone(&app.limits);
    let stop = stop.clone();
    tracker.spawn(async move {
        let mut ticks = tokio::time::interval(FLUSH_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    flush(&state).await;
                    metrics.upkeep();
                    limits.forget_idle();
                }
                () = stop.cancelled() => break,
            }
        }
        flush(&state).await;
    });
}

/// Now and then, drops what nobody can use any more.
async fn forget(state: Arc<State>, expire_after: Duration, stop: CancellationToken) {
    loop {
        let long_ago = state.clock.now() - KEPT;
        if let Err(error) = state.store.forget_sessions_before(long_ago).await {
            tracing::warn!(%error, "sessions and links that are over could not be dropped, they are kept for the next try");
        }
        let by = provision::system(&*state.clock);
        let expired = state
            .store
            .expire_registrations_before(by.at - expire_after, &by);
        match expired.await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "registrations that nobody verified have expired"),
            Err(error) => {
                tracing::warn!(%error, "registrations that nobody verified could not be ended, they are kept for the next try");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(FORGET_INTERVAL) => {}
            () = stop.cancelled() => break,
        }
    }
}

async fn flush(state: &State) {
    if let Err(error) = state.last_used.flush(&state.store).await {
        tracing::warn!(%error, "times of last use could not be written, they are kept for the next try");
    }
}
