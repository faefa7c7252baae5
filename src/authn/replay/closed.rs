//! Half minutes that stay closed: their nonces may have been lost with the machine.

use std::collections::BTreeSet;
use std::time::Duration;

use super::half_minute::{HalfMinute, until};
use crate::domain::timestamp::Timestamp;

/// Which half minutes are closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Closed {
    /// Everything up to here.
    pub(super) through: Option<HalfMinute>,
    /// And these.
    pub(super) each: BTreeSet<HalfMinute>,
}

impl Closed {
    pub(super) fn contains(&self, id: HalfMinute) -> bool {
        self.through.is_some_and(|through| id <= through) || self.each.contains(&id)
    }

    /// When requests dated now are accepted again; `None` if they are.
    pub(super) fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let mut id = HalfMinute::of(now);
        if !self.contains(id) {
            return None;
        }
        if let Some(through) = self.through {
            id = id.max(through);
        }
        while self.contains(id) {
            id = id.next();
        }
        Timestamp::from_timestamp(id.start(), 0)
    }

    /// How long a client should wait before it signs anew; at least a second.
    pub(super) fn retry_after(&self, now: Timestamp) -> Duration {
        let open = self.until(now).map_or(0, |open| open.timestamp());
        until(open, now).max(Duration::from_secs(1))
    }

    /// Removes what is over by now; the newest of it, below which nothing may be accepted.
    pub(super) fn remove_over(&mut self, window: Duration, now: Timestamp) -> Option<HalfMinute> {
        let over: BTreeSet<_> = self
            .each
            .iter()
            .copied()
            .filter(|id| id.is_over(window, now))
            .collect();
        self.each.retain(|id| !over.contains(id));
        let through = self.through.filter(|id| id.is_over(window, now));
        if through.is_some() {
            self.through = None;
        }
        over.last().copied().max(through)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_mins(5);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).expect("a time")
    }

    #[test]
    fn a_client_is_told_when_the_next_open_half_minute_begins() {
        let closed = Closed {
            through: Some(HalfMinute(10)),
            each: BTreeSet::from([HalfMinute(11), HalfMinute(13)]),
        };
        assert_eq!(closed.until(at(100)), Some(at(360)));
        assert_eq!(closed.until(at(359)), Some(at(360)));
        assert_eq!(closed.retry_after(at(359)), Duration::from_secs(1));
        assert_eq!(closed.until(at(360)), None);
        assert_eq!(closed.until(at(395)), Some(at(420)));
        assert!(!closed.contains(HalfMinute(12)));
    }

    #[test]
    fn what_is_over_becomes_the_floor() {
        let mut closed = Closed {
            through: Some(HalfMinute(10)),
            each: BTreeSet::from([HalfMinute(11), HalfMinute(13)]),
        };
        assert_eq!(closed.remove_over(WINDOW, at(630)), None);
        assert_eq!(closed.remove_over(WINDOW, at(661)), Some(HalfMinute(11)));
        assert_eq!(closed.through, None);
        assert_eq!(closed.each, BTreeSet::from([HalfMinute(13)]));
    }
}
