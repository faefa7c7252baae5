//! Permits that make no difference, because others allow the same or a forbid denies it. They are
//! harmless but mislead readers. The search is slow with many policies.

use std::sync::Arc;

use cedar_policy::{Effect, Policy};

use super::analysed_set::AnalysedSet;
use super::findings::{RedundancyCause, RedundantPermit};
use super::observations::Observations;
use crate::counterexample::LocatedPolicy;
use crate::policy_set::set;
use crate::request_type::RequestType;
use crate::solver::{SolverAnswer, SolverQuery, SolverSession};

/// `None` also if the solver does not answer: this is advice, no proof depends on it.
pub(super) fn check(
    subject: &AnalysedSet<'_>,
    types: &[RequestType<'_>],
    observations: &[Observations],
    index: usize,
    session: &mut SolverSession<'_>,
) -> Option<RedundantPermit> {
    let policy = *subject.policies.get(index)?;
    if policy.effect() == Effect::Forbid {
        return None;
    }
    let concerned: Vec<(&RequestType<'_>, Vec<&Policy>)> = types
        .iter()
        .zip(observations)
        .filter(|(_, observations)| {
            observations
                .matching
                .iter()
                .any(|(number, _)| *number == index)
        })
        .map(|(request_type, observations)| (request_type, others(subject, observations, index)))
        .collect();
    if concerned.is_empty() {
        return None;
    }
    let by = if concerned.iter().all(|(request_type, others)| {
        is_always_denied(request_type, policy, others, session) == Some(true)
    }) {
        RedundancyCause::Forbids
    } else {
        RedundancyCause::Permits(permits_that_cover(subject, &concerned, policy, session)?)
    };
    Some(RedundantPermit {
        policy: subject.located(policy.id().as_ref()),
        by,
    })
}

fn others<'a>(
    subject: &AnalysedSet<'a>,
    observations: &Observations,
    index: usize,
) -> Vec<&'a Policy> {
    observations
        .matching
        .iter()
        .filter(|(number, _)| *number != index)
        .filter_map(|(number, _)| subject.policies.get(*number).copied())
        .collect()
}

fn of_effect<'a, 'b>(
    policies: &'b [&'a Policy],
    effect: Effect,
) -> impl Iterator<Item = &'a Policy> + use<'a, 'b> {
    policies
        .iter()
        .copied()
        .filter(move |policy| policy.effect() == effect)
}

/// Whether forbids deny everything that it allows.
fn is_always_denied(
    request_type: &RequestType<'_>,
    policy: &Policy,
    others: &[&Policy],
    session: &mut SolverSession<'_>,
) -> Option<bool> {
    let guarded = set(of_effect(others, Effect::Forbid).chain([policy])).ok()?;
    let guarded = request_type.compile_set(&guarded).ok()?;
    known(session.prove(SolverQuery::AlwaysDenies(guarded)))
}

/// The permits that cover, one alone or all together, what the policy and the forbids let through.
fn permits_that_cover(
    subject: &AnalysedSet<'_>,
    concerned: &[(&RequestType<'_>, Vec<&Policy>)],
    policy: &Policy,
    session: &mut SolverSession<'_>,
) -> Option<Vec<LocatedPolicy>> {
    let mut by: Vec<&Policy> = Vec::new();
    for (request_type, others) in concerned {
        let forbids: Vec<&Policy> = of_effect(others, Effect::Forbid).collect();
        let permits: Vec<&Policy> = of_effect(others, Effect::Permit).collect();
        let guarded = set(forbids.iter().copied().chain([policy])).ok()?;
        let guarded = request_type.compile_set(&guarded).ok()?;
        let mut implied = |permits: &[&Policy]| {
            let permits = set(permits.iter().copied()).ok()?;
            let permits = request_type.compile_set(&permits).ok()?;
            known(session.prove(SolverQuery::Implies(Arc::clone(&guarded), permits)))
        };
        if !implied(&permits)? {
            return None;
        }
        // One permit is the better explanation.
        let one = permits.iter().find(|one| implied(&[one]) == Some(true));
        by.extend(one.map_or(permits.as_slice(), std::slice::from_ref));
    }
    let mut by: Vec<LocatedPolicy> = by
        .into_iter()
        .map(|policy| subject.located(policy.id().as_ref()))
        .collect();
    by.sort();
    by.dedup();
    Some(by)
}

fn known(answer: SolverAnswer) -> Option<bool> {
    match answer {
        SolverAnswer::Holds => Some(true),
        SolverAnswer::Refuted(_) => Some(false),
        SolverAnswer::Open(_) => None,
    }
}
