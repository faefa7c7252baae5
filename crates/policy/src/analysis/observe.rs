//! Observes one request type: which policies may match or fail, and whether each invariant holds.

use cedar_policy_symcc::{never_errors_asserts, never_matches_asserts};

use super::allowed_requests::AllowedRequests;
use super::analysed_set::AnalysedSet;
use super::findings::{Claim, ProofFinding, not_proved};
use super::invariant;
use super::invariants::InvariantToProve;
use super::observations::{Observations, seen};
use crate::request_type::RequestType;
use crate::solver::{SolverSession, out_of_time};

/// `number` is the index of the request type.
pub(super) fn search(
    subject: &AnalysedSet<'_>,
    request_type: &RequestType<'_>,
    number: usize,
    session: &mut SolverSession<'_>,
) -> Observations {
    let mut observations = Observations::default();
    for index in 0..subject.policies.len() {
        let seen = subject.seen.get(index).and_then(|seen| seen.get(number));
        if let Some(seen) = seen.filter(|seen| **seen & seen::LOOKED != 0) {
            observations.take(index, *seen);
            continue;
        }
        if session.is_over() {
            observations.findings.push(ProofFinding {
                claim: Claim::Everything,
                request_type: Some(request_type.title()),
                and_more: 0,
                verdict: not_proved(out_of_time()),
            });
            return observations;
        }
        observe(subject, request_type, index, &mut observations);
    }
    observations.is_complete = true;
    let mut allowed = AllowedRequests::new(subject, request_type, &observations);
    for invariant in subject.invariants {
        let verdict =
            invariant::check_invariant(subject, request_type, session, &mut allowed, invariant)
                .unwrap_or_else(|reason| Some(not_proved(reason)));
        observations
            .findings
            .extend(verdict.map(|verdict| ProofFinding {
                claim: claim(invariant),
                request_type: Some(request_type.title()),
                and_more: 0,
                verdict,
            }));
    }
    observations
}

fn claim(to_prove: &InvariantToProve<'_>) -> Claim {
    Claim::Invariant {
        name: to_prove.invariant.name.clone(),
        at_start: to_prove.at_start,
    }
}

/// Whether a policy may match or fail, as far as can be decided without the solver.
fn observe(
    subject: &AnalysedSet<'_>,
    request_type: &RequestType<'_>,
    index: usize,
    observations: &mut Observations,
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
            observations.take(index, seen);
        }
        Err(reason) => {
            observations.matching.push((index, false));
            observations.unseen.push(index);
            observations.findings.push(ProofFinding {
                claim: Claim::NeverErrors {
                    policy: subject.located(policy.id().as_ref()),
                },
                request_type: Some(request_type.title()),
                and_more: 0,
                verdict: not_proved(reason),
            });
        }
    }
}
