//! What one kind of request shows of each policy, and how it is kept for the next time.

use super::findings::Finding;
use super::subject::{SEEN, Subject};

/// What is seen of a policy on one kind of request, as it is kept.
pub(super) mod seen {
    pub(crate) const LOOKED: u8 = 1;
    pub(crate) const MAY_MATCH: u8 = 2;
    pub(crate) const ALWAYS_MATCHES: u8 = 4;
    pub(crate) const MAY_FAIL: u8 = 8;
}

/// What one kind of request shows.
#[derive(Default)]
pub(super) struct Observations {
    pub(super) findings: Vec<Finding>,
    /// The policies that may match, by their number, and whether they always do.
    pub(super) matching: Vec<(usize, bool)>,
    /// The policies that may fail.
    pub(super) failing: Vec<usize>,
    /// The policies that could not be looked at.
    pub(super) unseen: Vec<usize>,
    /// Whether the time was enough to look at all policies.
    pub(super) is_whole: bool,
}

/// Whether all was seen that there is.
pub(super) fn are_whole(looked: &[Observations]) -> bool {
    looked
        .iter()
        .all(|looked| looked.is_whole && looked.unseen.is_empty())
}

impl Observations {
    /// Takes over what was seen of a policy.
    pub(super) fn take(&mut self, index: usize, seen: u8) {
        if seen & seen::MAY_MATCH != 0 {
            self.matching
                .push((index, seen & seen::ALWAYS_MATCHES != 0));
        }
        if seen & seen::MAY_FAIL != 0 {
            self.failing.push(index);
        }
    }
}

/// Keeps what was seen of each policy, as far as all of it was.
pub(super) fn keep(subject: &Subject<'_>, looked: &[Observations]) {
    let mut all = vec![vec![0_u8; looked.len()]; subject.policies.len()];
    let mut mark = |policy: usize, number: usize, bits: u8| {
        if let Some(seen) = all.get_mut(policy).and_then(|seen| seen.get_mut(number)) {
            *seen |= bits;
        }
    };
    for (number, looked) in looked.iter().enumerate() {
        if !looked.is_whole {
            continue;
        }
        (0..subject.policies.len()).for_each(|policy| mark(policy, number, seen::LOOKED));
        for (policy, always) in &looked.matching {
            let always = if *always { seen::ALWAYS_MATCHES } else { 0 };
            mark(*policy, number, seen::MAY_MATCH | always);
        }
        for policy in &looked.failing {
            mark(*policy, number, seen::MAY_FAIL);
        }
    }
    for (number, looked) in looked.iter().enumerate() {
        for policy in &looked.unseen {
            if let Some(seen) = all.get_mut(*policy).and_then(|seen| seen.get_mut(number)) {
                *seen = 0;
            }
        }
    }
    for (index, seen) in all.into_iter().enumerate() {
        if subject.seen.get(index) != Some(&seen)
            && let Some(key) = subject.key_of(SEEN, index)
        {
            subject.known.put(key, seen);
        }
    }
}
