//! Which permits make no difference: whatever one allows, others allow, too, or a forbid denies.
//! That is no danger, but the reader of such a policy is misled. It takes long with many policies.

use std::sync::Arc;

use cedar_policy::{Effect, Policy};

use super::findings::{Shadow, ShadowedBy};
use super::observations::Observations;
use super::subject::Subject;
use crate::counterexample::Named;
use crate::policy_set::set;
use crate::request_type::RequestType;
use crate::solver::{Answer, Question, Session};

/// `None` also if the solver does not tell: this is advice, no proof hangs on it.
pub(super) fn find(
    subject: &Subject<'_>,
    types: &[RequestType<'_>],
    looked: &[Observations],
    index: usize,
    session: &mut Session<'_>,
) -> Option<Shadow> {
    let policy = *subject.policies.get(index)?;
    if policy.effect() == Effect::Forbid {
        return None;
    }
    let concerned: Vec<(&RequestType<'_>, Vec<&Policy>)> = types
        .iter()
        .zip(looked)
        .filter(|(_, looked)| looked.matching.iter().any(|(number, _)| *number == index))
        .map(|(request_type, looked)| (request_type, others(subject, looked, index)))
        .collect();
    if concerned.is_empty() {
        return None;
    }
    let by = if concerned
        .iter()
        .all(|(request_type, others)| denied(request_type, policy, others, session) == Some(true))
    {
        ShadowedBy::Forbids
    } else {
        ShadowedBy::Permits(within(subject, &concerned, policy, session)?)
    };
    Some(Shadow {
        policy: subject.named(policy.id().as_ref()),
        by,
    })
}

fn others<'a>(subject: &Subject<'a>, looked: &Observations, index: usize) -> Vec<&'a Policy> {
    looked
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

/// Whether forbids deny all that it allows.
fn denied(
    request_type: &RequestType<'_>,
    policy: &Policy,
    others: &[&Policy],
    session: &mut Session<'_>,
) -> Option<bool> {
    let guarded = set(of_effect(others, Effect::Forbid).chain([policy])).ok()?;
    let guarded = request_type.compile_set(&guarded).ok()?;
    known(session.never(Question::AlwaysDenies(guarded)))
}

/// The permits that allow, each alone or all together, whatever the policy and the forbids let
/// through.
fn within(
    subject: &Subject<'_>,
    concerned: &[(&RequestType<'_>, Vec<&Policy>)],
    policy: &Policy,
    session: &mut Session<'_>,
) -> Option<Vec<Named>> {
    let mut by: Vec<&Policy> = Vec::new();
    for (request_type, others) in concerned {
        let forbids: Vec<&Policy> = of_effect(others, Effect::Forbid).collect();
        let permits: Vec<&Policy> = of_effect(others, Effect::Permit).collect();
        let guarded = set(forbids.iter().copied().chain([policy])).ok()?;
        let guarded = request_type.compile_set(&guarded).ok()?;
        let mut implied = |permits: &[&Policy]| {
            let permits = set(permits.iter().copied()).ok()?;
            let permits = request_type.compile_set(&permits).ok()?;
            known(session.never(Question::Implies(Arc::clone(&guarded), permits)))
        };
        if !implied(&permits)? {
            return None;
        }
        // A single one is the better answer.
        let one = permits.iter().find(|one| implied(&[one]) == Some(true));
        by.extend(one.map_or(permits.as_slice(), std::slice::from_ref));
    }
    let mut by: Vec<Named> = by
        .into_iter()
        .map(|policy| subject.named(policy.id().as_ref()))
        .collect();
    by.sort();
    by.dedup();
    Some(by)
}

fn known(answer: Answer) -> Option<bool> {
    match answer {
        Answer::Holds => Some(true),
        Answer::Fails(_) => Some(false),
        Answer::Open(_) => None,
    }
}
