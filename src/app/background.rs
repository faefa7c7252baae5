//! Work beside the requests: what is pending is written, what is over is noticed.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::http::state::State;

use super::{App, FLUSH_INTERVAL};

/// Starts the work; it ends with the token, after a last flush.
pub fn start(app: &App, tracker: &TaskTracker, stop: &CancellationToken) {
    tracker.spawn(app.replay.clone().run(stop.clone()));
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

async fn flush(state: &State) {
    if let Err(error) = state.last_used.flush(&state.store).await {
        tracing::warn!(%error, "times of last use could not be written, they are kept for the next try");
    }
}
