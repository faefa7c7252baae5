//! Decides whether the wall clock is reliable enough to delete old data: only after it has agreed with the
//! monotonic clock for a while.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::clock::Clock;
use super::timestamp::Timestamp;

/// How long both clocks must agree.
pub const CONFIRMED_AFTER: Duration = Duration::from_mins(10);
/// Largest difference between two readings, apart from drift, that counts as a correction and not as a jump.
const TOLERANCE: Duration = Duration::from_secs(5);
/// Allowed drift is elapsed time divided by this; four times the rate of NTP (500 ppm).
const DRIFT: u32 = 500;
/// Interval of the remembered readings, so that small steps do not add up unnoticed.
const REMEMBER_EVERY: Duration = Duration::from_mins(1);

/// Compares the wall clock with the monotonic clock. A start or a jump begins the wait again.
pub struct ConfirmedClock {
    clock: Arc<dyn Clock>,
    seen: Mutex<Seen>,
}

/// Readings of both clocks at the same moment, and since when they have agreed.
#[derive(Debug, Clone, Copy)]
struct Seen {
    wall: Timestamp,
    monotonic: Duration,
    steady_since: Duration,
}

/// The wall clock is not confirmed yet: nothing may be deleted for its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the wall clock is not confirmed yet, for {} s more", .left.as_secs())]
pub struct Unconfirmed {
    /// Time until it is confirmed, without another jump.
    pub left: Duration,
}

impl ConfirmedClock {
    /// Unconfirmed at first.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let monotonic = clock.monotonic();
        let seen = Seen {
            wall: clock.now(),
            monotonic,
            steady_since: monotonic,
        };
        Self {
            clock,
            seen: Mutex::new(seen),
        }
    }

    /// The wall clock's time, for deletion of old data.
    ///
    /// # Errors
    ///
    /// [`Unconfirmed`] since a start or a jump; try again later.
    pub fn now(&self) -> Result<Timestamp, Unconfirmed> {
        let mut seen = self.seen.lock();
        let (wall, monotonic) = (self.clock.now(), self.clock.monotonic());
        let elapsed = monotonic.saturating_sub(seen.monotonic);
        if !is_alike(wall - seen.wall, elapsed) {
            let difference = (wall - seen.wall).num_seconds();
            let expected = elapsed.as_secs();
            tracing::warn!(
                difference,
                expected,
                "the wall clock jumped: nothing is deleted for its age until it has gone evenly for {} s",
                CONFIRMED_AFTER.as_secs()
            );
            *seen = Seen {
                wall,
                monotonic,
                steady_since: monotonic,
            };
        } else if elapsed >= REMEMBER_EVERY {
            seen.wall = wall;
            seen.monotonic = monotonic;
        }
        let steady = monotonic.saturating_sub(seen.steady_since);
        match CONFIRMED_AFTER.checked_sub(steady) {
            Some(left) if !left.is_zero() => Err(Unconfirmed { left }),
            _ => Ok(wall),
        }
    }
}

fn is_alike(wall: chrono::TimeDelta, monotonic: Duration) -> bool {
    let allowed = TOLERANCE + monotonic / DRIFT;
    wall.to_std()
        .is_ok_and(|wall| wall.abs_diff(monotonic) <= allowed)
        // A step back within the tolerance.
        || wall.abs().to_std().is_ok_and(|back| back + monotonic <= allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timestamp;

    /// The readings of the wall clock and of the monotonic clock, in seconds.
    #[derive(Default)]
    struct Hands(Mutex<(i64, u64)>);

    impl Hands {
        fn advance(&self, seconds: u64) {
            let mut hands = self.0.lock();
            hands.0 += i64::try_from(seconds).expect("a few");
            hands.1 += seconds;
        }

        fn set(&self, by: i64) {
            self.0.lock().0 += by;
        }
    }

    impl Clock for Hands {
        fn now(&self) -> Timestamp {
            let noon = timestamp::parse("2025-09-30T12:00:00Z").expect("a time");
            noon + chrono::TimeDelta::seconds(self.0.lock().0)
        }

        fn monotonic(&self) -> Duration {
            Duration::from_secs(self.0.lock().1)
        }
    }

    fn started() -> (Arc<Hands>, ConfirmedClock) {
        let hands = Arc::new(Hands::default());
        (Arc::clone(&hands), ConfirmedClock::new(hands))
    }

    #[test]
    fn a_clock_is_believed_ten_minutes_after_the_start() {
        let (hands, clock) = started();
        assert!(clock.now().is_err());
        hands.advance(599);
        let left = Duration::from_secs(1);
        assert_eq!(clock.now(), Err(Unconfirmed { left }));
        hands.advance(1);
        assert_eq!(clock.now(), Ok(hands.now()));
    }

    #[test]
    fn a_jump_either_way_is_believed_ten_minutes_later() {
        for by in [91 * 86_400, -86_400, 6, -6] {
            let (hands, clock) = started();
            hands.advance(86_400);
            assert!(clock.now().is_ok());
            hands.set(by);
            let left = CONFIRMED_AFTER;
            assert_eq!(clock.now(), Err(Unconfirmed { left }), "{by}");
            hands.advance(599);
            assert!(clock.now().is_err(), "{by}");
            hands.advance(1);
            assert_eq!(clock.now(), Ok(hands.now()), "{by}");
        }
    }

    #[test]
    fn a_jump_there_and_back_is_no_confirmation() {
        let (hands, clock) = started();
        hands.advance(300);
        hands.set(86_400);
        assert!(clock.now().is_err());
        hands.advance(599);
        hands.set(-86_400);
        assert!(clock.now().is_err());
        hands.advance(1);
        assert!(clock.now().is_err());
    }

    #[test]
    fn corrections_and_drift_are_no_jumps_but_many_of_them_are() {
        let (hands, clock) = started();
        for _ in 0..24 {
            hands.advance(3_600);
            // 1,000 ppm and a step of a second.
            hands.set(4);
            let _ = clock.now();
        }
        assert!(clock.now().is_ok());
        for _ in 0..3 {
            hands.set(3);
            let _ = clock.now();
        }
        assert!(clock.now().is_err());
    }
}
