//! Work that evaluates or searches takes turns.

use std::sync::Arc;

use crate::respond::ApiError;
use crate::state::State;

/// Runs blocking work when it is its turn.
///
/// # Errors
///
/// As [`crate::state::Turns::run`].
pub(super) async fn run<T: Send + 'static>(
    state: &Arc<State>,
    work: impl FnOnce(&State) -> T + Send + 'static,
) -> Result<T, ApiError> {
    let shared = Arc::clone(state);
    state.workbench.turns.run(move || work(&shared)).await
}
