//! Time, passed in so that tests can move it.

use std::time::Duration;

use chrono::{SubsecRound, Utc};
use rustix::time::{ClockId, clock_gettime};

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
    started: Duration,
}

/// Counts the time in which the machine was suspended, too: what was learned before is that old.
#[cfg(target_os = "linux")]
const SINCE_BOOT: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const SINCE_BOOT: ClockId = ClockId::Monotonic;

fn since_boot() -> Duration {
    let now = clock_gettime(SINCE_BOOT);
    now.try_into().unwrap_or_default()
}

impl SystemClock {
    /// Starts the monotonic clock at zero.
    #[must_use]
    pub fn start() -> Self {
        Self {
            started: since_boot(),
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
        since_boot().saturating_sub(self.started)
    }
}
