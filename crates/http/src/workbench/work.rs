//! Work that evaluates or searches: not on the threads of requests, and few at a time.

use std::sync::Arc;
use std::time::Duration;

use crate::respond::ApiError;
use crate::state::State;

/// How long work waits for its turn.
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs blocking work when it is its turn. It goes on if the client hangs up, and keeps its turn until it ends.
///
/// # Errors
///
/// `UNAVAILABLE` if its turn does not come in time.
pub(super) async fn run<T: Send + 'static>(
    state: &Arc<State>,
    work: impl FnOnce(&State) -> T + Send + 'static,
) -> Result<T, ApiError> {
    let turns = Arc::clone(&state.workbench.turns);
    let turn = tokio::time::timeout(WAIT_TIMEOUT, turns.acquire_owned()).await;
    let Ok(Ok(turn)) = turn else {
        let busy = "too many requests of the workbench are evaluated at once";
        return Err(ApiError::unavailable(busy, 1));
    };
    let state = Arc::clone(state);
    let done = tokio::task::spawn_blocking(move || {
        let _until_it_is_done = turn;
        work(&state)
    });
    done.await.map_err(ApiError::internal)
}
