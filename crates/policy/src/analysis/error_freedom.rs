//! Whether a policy can fail to evaluate on some request. A failing policy is skipped, and a
//! skipped forbid does not forbid.

use cedar_policy::{Authorizer, Entities, Policy, Request};
use cedar_policy_symcc::Env;

use super::analysed_set::AnalysedSet;
use super::findings::{Claim, ProofFinding, ProofVerdict, not_proved, not_reproduced};
use super::observations::{Observations, are_complete};
use crate::counterexample::{self, Counterexample, has_missing_data};
use crate::policy_set::set;
use crate::request_type::RequestType;
use crate::solver::{SolverAnswer, SolverQuery, SolverSession};

/// A finding if the policy can fail, or if that could not be decided. One request type is reported:
/// the failure is the same for all of them.
pub(super) fn check(
    subject: &AnalysedSet<'_>,
    types: &[RequestType<'_>],
    observations: &[Observations],
    index: usize,
    session: &mut SolverSession<'_>,
) -> Option<ProofFinding> {
    let policy = *subject.policies.get(index)?;
    let known = subject.key_of("never errors", index);
    if known.is_some_and(|key| subject.known.get(&key).is_some()) {
        return None;
    }
    let mut possible = types
        .iter()
        .zip(observations)
        .filter(|(_, observations)| observations.failing.contains(&index))
        .map(|(request_type, _)| request_type);
    let mut open: Option<ProofFinding> = None;
    while let Some(request_type) = possible.next() {
        let Some(verdict) = verdict(subject, request_type, policy, session) else {
            continue;
        };
        let is_refuted = matches!(verdict, ProofVerdict::Refuted { .. });
        let mut finding = ProofFinding {
            claim: Claim::NeverErrors {
                policy: subject.located(policy.id().as_ref()),
            },
            request_type: Some(request_type.title()),
            and_more: 0,
            verdict,
        };
        if is_refuted {
            finding.and_more = possible.count();
            return Some(finding);
        }
        open = Some(match open {
            None => finding,
            Some(earlier) => {
                let and_more = earlier.and_more + 1;
                // Prefer the finding that a second try would not resolve.
                let is_clearer = earlier.is_unfinished() && !finding.is_unfinished();
                let shown = if is_clearer { finding } else { earlier };
                ProofFinding { and_more, ..shown }
            }
        });
    }
    if let Some(key) = known.filter(|_| open.is_none() && are_complete(observations)) {
        subject.known.insert(key, Vec::new());
    }
    open
}

fn verdict(
    subject: &AnalysedSet<'_>,
    request_type: &RequestType<'_>,
    policy: &Policy,
    session: &mut SolverSession<'_>,
) -> Option<ProofVerdict> {
    let compiled = match request_type.compile(policy) {
        Ok(compiled) => compiled,
        Err(reason) => return Some(not_proved(reason)),
    };
    match session.prove(SolverQuery::NeverErrors(compiled)) {
        SolverAnswer::Holds => None,
        SolverAnswer::Open(reason) => Some(not_proved(reason)),
        SolverAnswer::Refuted(env) => Some(reproduce_failure(subject, policy, &env)),
    }
}

/// Evaluates the solver's request to confirm that the policy fails on it.
fn reproduce_failure(subject: &AnalysedSet<'_>, policy: &Policy, env: &Env) -> ProofVerdict {
    let Ok(alone) = set([policy]) else {
        return not_reproduced();
    };
    let authorizer = Authorizer::new();
    let shows = |request: &Request, entities: &Entities| {
        let response = authorizer.is_authorized(request, &alone, entities);
        response.diagnostics().errors().next().is_some() && !has_missing_data(&response)
    };
    let scenario = counterexample::reproduce(env, subject.snapshot.schema(), &shows);
    scenario.map_or_else(not_reproduced, |scenario| ProofVerdict::Refuted {
        counterexample: Box::new(Counterexample::new(&scenario, std::iter::once(policy))),
        by: vec![subject.located(policy.id().as_ref())],
    })
}
