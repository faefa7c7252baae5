//! How many attempts may be in progress, given earlier failures.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use charter_domain::clock::Clock;
use charter_wait_queue::Capacity;

use super::window::{Exceeded, Window};

/// Failures of one account that cost no wait.
pub(super) const FREE_FAILURES: u32 = 5;
pub(super) const FIRST_WAIT: Duration = Duration::from_secs(1);
pub(super) const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// Failures of one client network in a sliding window.
pub(super) struct NetworkFailures {
    pub(super) window: Window,
    pub(super) at: VecDeque<Duration>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Capacity for NetworkFailures {
    type Refusal = Exceeded;

    fn permits(&mut self) -> Result<usize, Exceeded> {
        self.window.room(&mut self.at, self.clock.monotonic())
    }
}

/// Failures of one account in a row; after the free ones each doubles the wait.
pub(super) struct AccountFailures {
    pub(super) count: u32,
    last: Duration,
    clock: Arc<dyn Clock>,
}

impl AccountFailures {
    pub(super) fn none(clock: Arc<dyn Clock>) -> Self {
        Self {
            count: 0,
            last: Duration::ZERO,
            clock,
        }
    }

    pub(super) fn add(&mut self) {
        self.count = self.count.saturating_add(1);
        self.last = self.clock.monotonic();
    }
}

impl Capacity for AccountFailures {
    type Refusal = Exceeded;

    fn permits(&mut self) -> Result<usize, Exceeded> {
        let Some(beyond) = self.count.checked_sub(FREE_FAILURES) else {
            return Ok((FREE_FAILURES - self.count) as usize);
        };
        let factor = 1_u32.checked_shl(beyond).unwrap_or(u32::MAX);
        let wait = FIRST_WAIT.saturating_mul(factor).min(LONGEST_WAIT);
        let waited = self.clock.monotonic().saturating_sub(self.last);
        if waited < wait {
            return Err(Exceeded {
                limit: FREE_FAILURES.into(),
                retry_after: wait.saturating_sub(waited),
            });
        }
        Ok(1)
    }
}
