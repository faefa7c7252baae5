//! Time, passed in so that tests can control it.

use std::time::Duration;

use chrono::{SubsecRound, Utc};
use rustix::time::{ClockId, clock_gettime};

use super::timestamp::Timestamp;

/// The wall clock and a monotonic clock.
pub trait Clock: Send + Sync {
    /// Wall-clock time, UTC, whole microseconds (what both databases keep).
    fn now(&self) -> Timestamp;

    /// Time since an arbitrary start; never decreases.
    fn monotonic(&self) -> Duration;
}

/// The clocks of the operating system.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Duration,
}

/// Includes the time in which the machine was suspended, so that cached values age in it.
#[cfg(target_os = "linux")]
const SINCE_BOOT: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const SINCE_BOOT: ClockId = ClockId::Monotonic;

fn since_boot() -> Duration {
    let now = clock_gettime(SINCE_BOOT);
    now.try_into().unwrap_or_default()
}

impl SystemClock {
    /// The monotonic clock starts at zero.
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
