//! Turns for work that evaluates or searches: not on the threads of requests, and few at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::respond::ApiError;

/// How long work waits for its turn.
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);

pub struct Turns {
    turns: Arc<Semaphore>,
    /// Whose requests these are, for the error.
    of: &'static str,
}

impl Turns {
    #[must_use]
    pub fn new(at_once: usize, of: &'static str) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(at_once)),
            of,
        }
    }

    /// Runs blocking work when it is its turn. It goes on if the client hangs up, and keeps its turn until it ends.
    ///
    /// # Errors
    ///
    /// `UNAVAILABLE` if its turn does not come in time.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let turns = Arc::clone(&self.turns);
        let turn = tokio::time::timeout(WAIT_TIMEOUT, turns.acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            let busy = format_args!("too many requests of {} are evaluated at once", self.of);
            return Err(ApiError::unavailable(busy, 1));
        };
        let done = tokio::task::spawn_blocking(move || {
            let _until_it_is_done = turn;
            work()
        });
        done.await.map_err(ApiError::internal)
    }
}
