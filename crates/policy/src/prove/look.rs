//! Looks at one kind of request: which policies may match or fail on it, and does whatever is
//! allowed keep each invariant?

use cedar_policy_symcc::{never_errors_asserts, never_matches_asserts};

use super::keep::{self, Allowed};
use super::{Claim, Finding, Subject, ToProve, Verdict};
use crate::request_type::RequestType;
use crate::solver::{DOES_NOT_REPRODUCE, Reason, Session, out_of_time};

/// The claim under which is kept what was seen of a policy.
pub(super) const SEEN: &str = "seen";

/// What is seen of a policy on one kind of request, as it is kept.
mod seen {
    pub(super) const LOOKED: u8 = 1;
    pub(super) const MAY_MATCH: u8 = 2;
    pub(super) const ALWAYS_MATCHES: u8 = 4;
    pub(super) const MAY_FAIL: u8 = 8;
}

/// What one kind of request shows.
#[derive(Default)]
pub(super) struct Looked {
    pub(super) findings: Vec<Finding>,
    /// The policies that may match, by their number, and whether they always do.
    pub(super) matching: Vec<(usize, bool)>,
    /// The policies that may fail.
    pub(super) failing: Vec<usize>,
    /// The policies that could not be looked at.
    unseen: Vec<usize>,
    /// Whether the time was enough to look at all policies.
    is_whole: bool,
}

/// Whether all was seen that there is.
pub(super) fn are_whole(looked: &[Looked]) -> bool {
    looked
        .iter()
        .all(|looked| looked.is_whole && looked.unseen.is_empty())
}

/// `number` is the request type's.
pub(super) fn look(
    subject: &Subject<'_>,
    request_type: &RequestType<'_>,
    number: usize,
    session: &mut Session<'_>,
) -> Looked {
    let mut looked = Looked::default();
    for index in 0..subject.policies.len() {
        let seen = subject.seen.get(index).and_then(|seen| seen.get(number));
        if let Some(seen) = seen.filter(|seen| **seen & seen::LOOKED != 0) {
            looked.take(index, *seen);
            continue;
        }
        if session.is_over() {
            looked.findings.push(Finding {
                claim: Claim::Everything,
                request_type: Some(request_type.title()),
                and_more: 0,
                verdict: not_proved(out_of_time()),
            });
            return looked;
        }
        look_at(subject, request_type, index, &mut looked);
    }
    looked.is_whole = true;
    let mut allowed = Allowed::new(subject, request_type, &looked);
    for invariant in subject.invariants {
        let verdict = keep::keeps(subject, request_type, session, &mut allowed, invariant)
            .unwrap_or_else(|reason| Some(not_proved(reason)));
        looked.findings.extend(verdict.map(|verdict| Finding {
            claim: claim(invariant),
            request_type: Some(request_type.title()),
            and_more: 0,
            verdict,
        }));
    }
    looked
}

/// Keeps what was seen of each policy, as far as all of it was.
pub(super) fn keep_what_was_seen(subject: &Subject<'_>, looked: &[Looked]) {
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

impl Looked {
    /// Takes over what was seen of a policy.
    fn take(&mut self, index: usize, seen: u8) {
        if seen & seen::MAY_MATCH != 0 {
            self.matching
                .push((index, seen & seen::ALWAYS_MATCHES != 0));
        }
        if seen & seen::MAY_FAIL != 0 {
            self.failing.push(index);
        }
    }
}

fn claim(to_prove: &ToProve<'_>) -> Claim {
    Claim::Invariant {
        name: to_prove.invariant.name.clone(),
        at_start: to_prove.at_start,
    }
}

/// Whether a policy may match or fail, as far as that shows without the solver.
fn look_at(
    subject: &Subject<'_>,
    request_type: &RequestType<'_>,
    index: usize,
    looked: &mut Looked,
) {
    let Some(policy) = subject.policies.get(index) else {
        return;
    };
    if !request_type.may_match(policy) {
        return;
    }
    match request_type.compile(policy) {
        Ok(compiled) => {
            let mut seen = seen::LOOKED;
            let never = never_matches_asserts(&compiled);
            if !never.asserts().iter().any(|term| *term == false.into()) {
                let always = never.asserts().iter().all(|term| *term == true.into());
                seen |= seen::MAY_MATCH | if always { seen::ALWAYS_MATCHES } else { 0 };
            }
            let fails = never_errors_asserts(&compiled);
            if !fails.asserts().iter().any(|term| *term == false.into()) {
                seen |= seen::MAY_FAIL;
            }
            looked.take(index, seen);
        }
        Err(reason) => {
            looked.matching.push((index, false));
            looked.unseen.push(index);
            looked.findings.push(Finding {
                claim: Claim::NeverErrors {
                    policy: subject.named(policy.id().as_ref()),
                },
                request_type: Some(request_type.title()),
                and_more: 0,
                verdict: not_proved(reason),
            });
        }
    }
}

pub(super) fn not_proved(reason: impl Into<Reason>) -> Verdict {
    Verdict::NotProved {
        reason: reason.into(),
    }
}

pub(super) fn not_reproduced() -> Verdict {
    not_proved(DOES_NOT_REPRODUCE)
}
