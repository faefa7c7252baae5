//! Looks at one kind of request: which policies may match or fail on it, and does whatever is
//! allowed keep each invariant?

use cedar_policy_symcc::{never_errors_asserts, never_matches_asserts};

use super::findings::{Claim, Finding, not_proved};
use super::invariant::{self, Allowed};
use super::invariants::ToProve;
use super::observations::{Observations, seen};
use super::subject::Subject;
use crate::request_type::RequestType;
use crate::solver::{Session, out_of_time};

/// `number` is the request type's.
pub(super) fn search(
    subject: &Subject<'_>,
    request_type: &RequestType<'_>,
    number: usize,
    session: &mut Session<'_>,
) -> Observations {
    let mut looked = Observations::default();
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
        let verdict = invariant::keeps(subject, request_type, session, &mut allowed, invariant)
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
    looked: &mut Observations,
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
