//! Half minutes of request dates: the unit in which nonces are stored and dropped.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use charter_domain::timestamp::Timestamp;

/// A bucket's length in seconds.
const SECONDS: i64 = 30;

/// How long beyond the window a nonce is kept, because dates are rounded.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// One half minute, counted from 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct HalfMinute(pub(super) i64);

impl HalfMinute {
    /// The half minute of a date.
    pub(super) fn of(date: Timestamp) -> Self {
        Self(date.timestamp().div_euclid(SECONDS))
    }

    pub(super) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Its first second, since 1970.
    pub(super) const fn start(self) -> i64 {
        self.0.saturating_mul(SECONDS)
    }

    /// The second since 1970 from which no request dated in it is accepted any more (contract section 3).
    pub(super) fn over_at(self, window: Duration) -> i64 {
        let kept = window
            .saturating_add(GRACE)
            .saturating_add(Duration::from_millis(999));
        self.next()
            .start()
            .saturating_add(i64::try_from(kept.as_secs()).unwrap_or(i64::MAX))
    }

    /// The longest time for which requests dated in one can be accepted.
    pub(super) fn longest_open(window: Duration) -> Duration {
        let after = u64::try_from(Self(-1).over_at(window)).unwrap_or(u64::MAX);
        let length = Duration::from_secs(SECONDS.unsigned_abs());
        window
            .saturating_add(length)
            .saturating_add(Duration::from_secs(after))
    }

    /// The newest one that is over at `now`.
    pub(super) fn newest_over(window: Duration, now: Timestamp) -> Self {
        let kept = Self(-1).over_at(window);
        let latest = now.timestamp().saturating_sub(kept);
        Self(latest.div_euclid(SECONDS).saturating_sub(1))
    }

    /// Whether `now` is past [`HalfMinute::over_at`].
    pub(super) fn is_over(self, window: Duration, now: Timestamp) -> bool {
        now.timestamp() >= self.over_at(window)
    }

    /// Time from `now` until [`HalfMinute::over_at`].
    pub(super) fn remaining(self, window: Duration, now: Timestamp) -> Duration {
        until(self.over_at(window), now)
    }
}

/// Time from `now` until a second since 1970; zero if it has passed. Rounded up to a second.
pub(super) fn until(second: i64, now: Timestamp) -> Duration {
    let seconds = second.saturating_sub(now.timestamp());
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use charter_domain::timestamp::parse;

    #[test]
    fn a_half_minute_is_over_when_its_last_date_has_left_the_window() {
        let at = |text: &str| parse(text).expect("a date");
        let window = Duration::from_mins(5);
        let id = HalfMinute::of(at("2025-09-30T12:00:29.999999999Z"));
        assert_eq!(id, HalfMinute::of(at("2025-09-30T12:00:00Z")));
        assert_ne!(id, HalfMinute::of(at("2025-09-30T12:00:30Z")));
        assert!(!id.is_over(window, at("2025-09-30T12:05:30.999Z")));
        assert!(id.is_over(window, at("2025-09-30T12:05:31Z")));
        for (now, newest) in [
            ("2025-09-30T12:05:30.999Z", id.0 - 1),
            ("2025-09-30T12:05:31Z", id.0),
        ] {
            assert_eq!(HalfMinute::newest_over(window, at(now)), HalfMinute(newest));
        }
        assert_eq!(HalfMinute::of(at("1969-12-31T23:59:59.5Z")), HalfMinute(-1));
    }

    #[test]
    fn a_window_of_part_seconds_is_rounded_up() {
        let id = HalfMinute(0);
        assert_eq!(id.over_at(Duration::from_millis(1)), 32);
        assert_eq!(id.over_at(Duration::from_secs(1)), 32);
    }
}
