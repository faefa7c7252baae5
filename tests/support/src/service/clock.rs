//! A clock that tests control.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use charter_domain::clock::Clock;
use charter_domain::timestamp::{self, Timestamp};

/// Both clocks of the service. They stand at noon until moved.
#[derive(Debug, Default)]
pub struct TestClock {
    milliseconds: AtomicI64,
    /// How far the wall clock is ahead of the monotonic one.
    ahead: AtomicI64,
    breaks_writer: AtomicBool,
}

impl TestClock {
    /// From now on the writer of the decision log panics when it reads the clock.
    pub fn break_writer(&self) {
        self.breaks_writer.store(true, Ordering::SeqCst);
    }

    pub fn advance(&self, seconds: i64) {
        self.advance_milliseconds(seconds * 1_000);
    }

    /// Sets the wall clock ahead or back; the monotonic clock does not move.
    pub fn set_wall(&self, seconds: i64) {
        self.ahead.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Sets the wall clock back.
    pub fn set_back(&self, seconds: i64) {
        assert!(
            self.milliseconds.load(Ordering::SeqCst) >= seconds * 1_000,
            "it starts at noon"
        );
        self.milliseconds
            .fetch_sub(seconds * 1_000, Ordering::SeqCst);
    }

    pub fn advance_milliseconds(&self, milliseconds: i64) {
        assert!(milliseconds >= 0, "time does not run backwards");
        self.milliseconds.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// The service's time in so many seconds, in the API's format.
    pub fn in_seconds(&self, seconds: i64) -> String {
        let at = self.now().timestamp() + seconds;
        timestamp::format(Timestamp::from_timestamp(at, 0).expect("a time"))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.milliseconds.load(Ordering::SeqCst).unsigned_abs())
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let is_writer = || std::thread::current().name() == Some("decision-log");
        assert!(
            !(self.breaks_writer.load(Ordering::SeqCst) && is_writer()),
            "the clock is broken"
        );
        let right = timestamp::parse("2025-09-30T12:00:00Z").expect("a time") + self.elapsed();
        let ahead = self.ahead.load(Ordering::SeqCst);
        let by = Duration::from_secs(ahead.unsigned_abs());
        if ahead < 0 { right - by } else { right + by }
    }

    fn monotonic(&self) -> Duration {
        self.elapsed()
    }
}
