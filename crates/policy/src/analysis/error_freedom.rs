//! Whether a policy can fail on any request. One that fails does not count, and a forbid that does
//! not count does not forbid.

use cedar_policy::{Authorizer, Entities, Policy, Request};
use cedar_policy_symcc::Env;

use super::findings::{Claim, Finding, Verdict, not_proved, not_reproduced};
use super::observations::{Observations, are_whole};
use super::subject::Subject;
use crate::counterexample::{self, Counterexample, lacks_something};
use crate::policy_set::set;
use crate::request_type::RequestType;
use crate::solver::{Answer, Question, Session};

/// A finding if the policy can fail, or if that is not known. It fails in the same way for every
/// kind of request, so that one is looked for.
pub(super) fn find(
    subject: &Subject<'_>,
    types: &[RequestType<'_>],
    looked: &[Observations],
    index: usize,
    session: &mut Session<'_>,
) -> Option<Finding> {
    let policy = *subject.policies.get(index)?;
    let known = subject.key_of("never errors", index);
    if known.is_some_and(|key| subject.known.get(&key).is_some()) {
        return None;
    }
    let mut possible = types
        .iter()
        .zip(looked)
        .filter(|(_, looked)| looked.failing.contains(&index))
        .map(|(request_type, _)| request_type);
    let mut open: Option<Finding> = None;
    while let Some(request_type) = possible.next() {
        let Some(verdict) = verdict(subject, request_type, policy, session) else {
            continue;
        };
        let is_refuted = matches!(verdict, Verdict::Refuted { .. });
        let mut finding = Finding {
            claim: Claim::NeverErrors {
                policy: subject.named(policy.id().as_ref()),
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
                // Shown is the one that another try would not remove.
                let is_clearer = earlier.is_unfinished() && !finding.is_unfinished();
                let shown = if is_clearer { finding } else { earlier };
                Finding { and_more, ..shown }
            }
        });
    }
    if let Some(key) = known.filter(|_| open.is_none() && are_whole(looked)) {
        subject.known.put(key, Vec::new());
    }
    open
}

fn verdict(
    subject: &Subject<'_>,
    request_type: &RequestType<'_>,
    policy: &Policy,
    session: &mut Session<'_>,
) -> Option<Verdict> {
    let compiled = match request_type.compile(policy) {
        Ok(compiled) => compiled,
        Err(reason) => return Some(not_proved(reason)),
    };
    match session.never(Question::NeverErrors(compiled)) {
        Answer::Holds => None,
        Answer::Open(reason) => Some(not_proved(reason)),
        Answer::Fails(env) => Some(tried(subject, policy, &env)),
    }
}

/// Tries the request on which the policy fails.
fn tried(subject: &Subject<'_>, policy: &Policy, env: &Env) -> Verdict {
    let Ok(alone) = set([policy]) else {
        return not_reproduced();
    };
    let authorizer = Authorizer::new();
    let shows = |request: &Request, entities: &Entities| {
        let response = authorizer.is_authorized(request, &alone, entities);
        response.diagnostics().errors().next().is_some() && !lacks_something(&response)
    };
    let world = counterexample::reproduce(env, subject.snapshot.schema(), &shows);
    world.map_or_else(not_reproduced, |world| Verdict::Refuted {
        counterexample: Box::new(Counterexample::new(&world, std::iter::once(policy))),
        by: vec![subject.named(policy.id().as_ref())],
    })
}
