//! What one request type shows of each policy, and how that is cached.

use super::analysed_set::{AnalysedSet, SEEN};
use super::findings::ProofFinding;

/// Bits of an observation, as they are cached.
pub(super) mod seen {
    pub(crate) const LOOKED: u8 = 1;
    pub(crate) const MAY_MATCH: u8 = 2;
    pub(crate) const ALWAYS_MATCHES: u8 = 4;
    pub(crate) const MAY_FAIL: u8 = 8;
}

/// Observations for one request type.
#[derive(Default)]
pub(super) struct Observations {
    pub(super) findings: Vec<ProofFinding>,
    /// Indices of the policies that may match, and whether they always do.
    pub(super) matching: Vec<(usize, bool)>,
    /// Indices of the policies that may fail.
    pub(super) failing: Vec<usize>,
    /// Indices of the policies that could not be compiled.
    pub(super) unseen: Vec<usize>,
    /// Whether there was time to look at all policies.
    pub(super) is_complete: bool,
}

/// Whether every policy was observed for every request type.
pub(super) fn are_complete(observations: &[Observations]) -> bool {
    observations
        .iter()
        .all(|observations| observations.is_complete && observations.unseen.is_empty())
}

impl Observations {
    /// Adds the cached observation of a policy.
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

/// Caches the observations that are complete.
pub(super) fn keep(subject: &AnalysedSet<'_>, observations: &[Observations]) {
    let mut all = vec![vec![0_u8; observations.len()]; subject.policies.len()];
    let mut mark = |policy: usize, number: usize, bits: u8| {
        if let Some(seen) = all.get_mut(policy).and_then(|seen| seen.get_mut(number)) {
            *seen |= bits;
        }
    };
    for (number, observations) in observations.iter().enumerate() {
        if !observations.is_complete {
            continue;
        }
        (0..subject.policies.len()).for_each(|policy| mark(policy, number, seen::LOOKED));
        for (policy, always) in &observations.matching {
            let always = if *always { seen::ALWAYS_MATCHES } else { 0 };
            mark(*policy, number, seen::MAY_MATCH | always);
        }
        for policy in &observations.failing {
            mark(*policy, number, seen::MAY_FAIL);
        }
    }
    for (number, observations) in observations.iter().enumerate() {
        for policy in &observations.unseen {
            if let Some(seen) = all.get_mut(*policy).and_then(|seen| seen.get_mut(number)) {
                *seen = 0;
            }
        }
    }
    for (index, seen) in all.into_iter().enumerate() {
        if subject.seen.get(index) != Some(&seen)
            && let Some(key) = subject.key_of(SEEN, index)
        {
            subject.known.insert(key, seen);
        }
    }
}
