//! Work that evaluates or searches takes turns.

use crate::respond::ApiError;
use crate::state::{SharedState, State};

/// Runs blocking work when it is its turn.
///
/// # Errors
///
/// As [`crate::state::Turns::run`].
pub(super) async fn run<T: Send + 'static>(
    state: &SharedState,
    work: impl FnOnce(&State) -> T + Send + 'static,
) -> Result<T, ApiError> {
    let shared = state.clone();
    state.workbench.turns.run(move || work(&shared)).await
}
