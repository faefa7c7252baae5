//! A clock that advances only when moved.

use std::time::Duration;

use parking_lot::Mutex;

use charter_domain::clock::Clock;
use charter_domain::timestamp::{self, Timestamp};

#[derive(Default)]
pub(crate) struct StoppedClock(Mutex<Duration>);

impl StoppedClock {
    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock() += by;
    }
}

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        timestamp::parse("2025-09-30T12:00:00Z").expect("a time")
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock()
    }
}
