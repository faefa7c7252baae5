//! Sets of half minutes, as ranges.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::half_minute::HalfMinute;
use charter_domain::timestamp::Timestamp;

/// How many ranges [`HalfMinutes::coalesce`] leaves.
const MAX_RANGES: usize = 256;

/// A set of half minutes: sorted, inclusive ranges that do not touch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    from = "Vec<(HalfMinute, HalfMinute)>",
    into = "Vec<(HalfMinute, HalfMinute)>"
)]
pub(super) struct HalfMinutes(Vec<(HalfMinute, HalfMinute)>);

impl From<Vec<(HalfMinute, HalfMinute)>> for HalfMinutes {
    fn from(mut ranges: Vec<(HalfMinute, HalfMinute)>) -> Self {
        ranges.retain(|(first, last)| first <= last);
        ranges.sort_unstable();
        let mut joined: Vec<(HalfMinute, HalfMinute)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match joined.last_mut() {
                Some((_, end)) if first <= end.next() => *end = last.max(*end),
                _ => joined.push((first, last)),
            }
        }
        Self(joined)
    }
}

impl From<HalfMinutes> for Vec<(HalfMinute, HalfMinute)> {
    fn from(set: HalfMinutes) -> Self {
        set.0
    }
}

impl FromIterator<HalfMinute> for HalfMinutes {
    fn from_iter<I: IntoIterator<Item = HalfMinute>>(ids: I) -> Self {
        Self::from(ids.into_iter().map(|id| (id, id)).collect::<Vec<_>>())
    }
}

impl HalfMinutes {
    /// Those from `first` to `last`, both included.
    pub(super) fn range(first: HalfMinute, last: HalfMinute) -> Self {
        Self::from(vec![(first, last)])
    }

    /// All up to `last`.
    pub(super) fn through(last: HalfMinute) -> Self {
        Self::range(HalfMinute(i64::MIN), last)
    }

    /// Those within the window at `now`, and the next one.
    pub(super) fn within(window: Duration, now: Timestamp) -> Self {
        Self::range(
            HalfMinute::of(now - window),
            HalfMinute::of(now + window).next(),
        )
    }

    /// Parses the form in the database. A text that cannot be parsed is the set of all.
    pub(super) fn from_text(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|_| Self::through(HalfMinute(i64::MAX)))
    }

    pub(super) fn to_text(&self) -> String {
        // Serializing numbers cannot fail; an empty text would be the set of all.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn contains(&self, id: HalfMinute) -> bool {
        self.range_of(id).is_some()
    }

    pub(super) fn contains_all(&self, others: &Self) -> bool {
        let mut all = self.clone();
        all.add(others);
        all == *self
    }

    fn range_of(&self, id: HalfMinute) -> Option<(HalfMinute, HalfMinute)> {
        let after = self.0.partition_point(|(first, _)| *first <= id);
        let (first, last) = *self.0.get(after.checked_sub(1)?)?;
        (id <= last).then_some((first, last))
    }

    pub(super) fn add(&mut self, more: &Self) {
        let mut ranges = std::mem::take(&mut self.0);
        ranges.extend(&more.0);
        *self = Self::from(ranges);
    }

    pub(super) fn remove(&mut self, id: HalfMinute) {
        let before = HalfMinute(id.0.saturating_sub(1));
        let split = |(first, last): (HalfMinute, HalfMinute)| {
            [(first, last.min(before)), (first.max(id.next()), last)]
        };
        let ranges = std::mem::take(&mut self.0);
        *self = Self::from(ranges.into_iter().flat_map(split).collect::<Vec<_>>());
    }

    /// The first one from `id` on that is not in the set.
    pub(super) fn next_outside(&self, id: HalfMinute) -> HalfMinute {
        self.range_of(id).map_or(id, |(_, last)| last.next())
    }

    pub(super) fn newest(&self) -> Option<HalfMinute> {
        self.0.last().map(|(_, last)| *last)
    }

    /// Those from `id` on.
    pub(super) fn since(&self, id: HalfMinute) -> impl Iterator<Item = (HalfMinute, HalfMinute)> {
        let ranges = self.0.iter().filter(move |(_, last)| *last >= id);
        ranges.map(move |(first, last)| (id.max(*first), *last))
    }

    /// Removes and returns those that are over at `now`.
    pub(super) fn take_over(&mut self, window: Duration, now: Timestamp) -> Self {
        let newest = HalfMinute::newest_over(window, now);
        let (mut over, mut rest) = (Vec::new(), Vec::new());
        for (first, last) in self.0.drain(..) {
            over.push((first, last.min(newest)));
            rest.push((first.max(newest.next()), last));
        }
        *self = Self::from(rest);
        Self::from(over)
    }

    /// Bounds the number of ranges by joining the oldest ones, gaps included.
    pub(super) fn coalesce(&mut self) {
        let surplus = self.0.len().saturating_sub(MAX_RANGES);
        if surplus == 0 {
            return;
        }
        let first = self.0.first().map(|(first, _)| *first);
        self.0.drain(..surplus);
        if let (Some(oldest), Some(first)) = (self.0.first_mut(), first) {
            oldest.0 = first;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn ids(set: &HalfMinutes) -> BTreeSet<i64> {
        (-5..60)
            .filter(|id| set.contains(HalfMinute(*id)))
            .collect()
    }

    proptest! {
        #[test]
        fn ranges_mean_what_a_plain_set_means(
            numbers in prop::collection::vec(0_i64..50, 0..30),
            more in prop::collection::vec((0_i64..50, 0_i64..10), 0..5),
            now in 0_i64..2_000,
        ) {
            let mut set: HalfMinutes = numbers.iter().copied().map(HalfMinute).collect();
            let mut plain: BTreeSet<i64> = numbers.into_iter().collect();
            prop_assert_eq!(ids(&set), plain.clone());
            let even: HalfMinutes = (0..50).step_by(2).map(HalfMinute).collect();
            prop_assert_eq!(even.contains_all(&set), plain.iter().all(|id| id % 2 == 0));
            for (first, length) in more {
                set.add(&HalfMinutes::range(HalfMinute(first), HalfMinute(first + length)));
                plain.extend(first..=first + length);
            }
            prop_assert_eq!(ids(&set), plain.clone());
            prop_assert!(set.0.windows(2).all(|pair| pair[0].1.next() < pair[1].0));
            let text = serde_json::to_string(&set).expect("json");
            prop_assert_eq!(&serde_json::from_str::<HalfMinutes>(&text).expect("a set"), &set);
            let window = Duration::from_mins(5);
            let now = Timestamp::from_timestamp(now, 0).expect("a time");
            let over = set.take_over(window, now);
            let is_over = |id: &i64| HalfMinute(*id).is_over(window, now);
            prop_assert_eq!(ids(&over), plain.iter().copied().filter(is_over).collect());
            prop_assert_eq!(ids(&set), plain.iter().copied().filter(|id| !is_over(id)).collect());
        }
    }

    #[test]
    fn many_ranges_are_joined_from_the_oldest_on() {
        let apart = |count: i64| -> HalfMinutes { (0..count).map(|n| HalfMinute(n * 2)).collect() };
        let mut set = apart(300);
        set.coalesce();
        assert_eq!(set.0.len(), MAX_RANGES);
        assert!((0..=88).all(|id| set.contains(HalfMinute(id))));
        assert!(!set.contains(HalfMinute(89)) && set.contains(HalfMinute(598)));
        let mut few = apart(256);
        few.coalesce();
        assert_eq!(few, apart(256));
    }

    #[test]
    fn a_client_is_told_the_next_one_outside() {
        let mut set = HalfMinutes::through(HalfMinute(11));
        set.add(&HalfMinutes::range(HalfMinute(13), HalfMinute(13)));
        assert_eq!(set.next_outside(HalfMinute(3)), HalfMinute(12));
        assert_eq!(set.next_outside(HalfMinute(12)), HalfMinute(12));
        assert_eq!(set.next_outside(HalfMinute(13)), HalfMinute(14));
    }
}
