//! Time, passed in so that tests can move it.

use std::time::{Duration, Instant};

use chrono::{SubsecRound, Utc};

use super::timestamp::Timestamp;

/// The two clocks a service needs: one that people read and one that never steps back.
pub trait Clock: Send + Sync {
    /// Wall-clock time, UTC, whole microseconds (what both databases keep).
    fn now(&self) -> Timestamp;

    /// Time since an arbitrary start; never decreases, whatever happens to the wall clock.
    fn monotonic(&self) -> Duration;
}

/// The machine's own clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// Starts the monotonic clock at zero.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the clock"
    )]
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the clock"
    )]
    fn now(&self) -> Timestamp {
        Utc::now().trunc_subsecs(6)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}
