//! Queues of concurrent attempts, by key. Earlier failures limit how many may be in progress.

use std::hash::Hash;
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use charter_wait_queue::{Capacity, Limits, Permit, WaitError, WaitQueue};

use super::anonymous::AttemptError;
use super::window::{Exceeded, remembered};

impl From<WaitError<Exceeded>> for AttemptError {
    fn from(error: WaitError<Exceeded>) -> Self {
        match error {
            WaitError::Refused(exceeded) => Self::Exceeded(exceeded),
            WaitError::QueueFull | WaitError::TimedOut => Self::Busy,
        }
    }
}

/// Waiters for one key. More would time out, and each takes memory even if its client has disconnected.
const LIMITS: Limits = Limits {
    per_holder: usize::MAX,
    max_waiters: 512,
};
/// Waiters for all keys.
const MAX_WAITERS_IN_ALL: usize = 4_096;

/// A queue for each key.
pub(super) struct AttemptQueues<K, C: Capacity> {
    queues: Cache<K, WaitQueue<(), C>>,
    waiting: Semaphore,
}

impl<K, C> AttemptQueues<K, C>
where
    K: Hash + Eq + Send + Sync + 'static,
    C: Capacity<Refusal = Exceeded> + 'static,
{
    pub(super) fn new(memory: Duration) -> Self {
        Self {
            queues: remembered(memory),
            waiting: Semaphore::new(MAX_WAITERS_IN_ALL),
        }
    }

    /// Waits until the attempt may begin; hold the permit while it is in progress.
    pub(super) async fn begin(
        &self,
        key: K,
        capacity: impl FnOnce() -> C,
        deadline: Instant,
    ) -> Result<Permit<(), C>, AttemptError> {
        let queue = self
            .queues
            .get_with(key, || WaitQueue::new(capacity(), LIMITS));
        if let Some(permit) = queue.try_acquire(&()).map_err(AttemptError::Exceeded)? {
            return Ok(permit);
        }
        let _waits = self.waiting.try_acquire().map_err(|_| AttemptError::Busy)?;
        Ok(queue.acquire((), deadline).await?)
    }

    pub(super) fn forget(&self, key: &K) {
        self.queues.invalidate(key);
    }
}
