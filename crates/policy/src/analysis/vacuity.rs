//! Whether a policy matches any request. One that never does is a mistake, and for a forbid a
//! dangerous one.
//!
//! Most policies match a sample request adapted to their scope; only the others need the solver.

use super::analysed_set::AnalysedSet;
use super::findings::{Claim, ProofFinding, ProofVerdict};
use super::observations::{Observations, are_complete};
use crate::counterexample::{self, Scenario, has_missing_data};
use crate::policy_set::{self, set};
use crate::request_type::RequestType;
use crate::solver::{
    DOES_NOT_REPRODUCE, OpenReason, SolverAnswer, SolverQuery, SolverSession, out_of_time,
};
use cedar_policy::{
    Authorizer, Effect, Entities, EntityUid, Policy, PrincipalConstraint, Request,
    ResourceConstraint,
};

/// Literals of one kind that are tried before the solver is asked.
const MAX_TRIES: usize = 4;

/// A finding if the policy never matches, or if that could not be decided.
pub(super) fn check(
    subject: &AnalysedSet<'_>,
    types: &[RequestType<'_>],
    observations: &[Observations],
    index: usize,
    session: &mut SolverSession<'_>,
) -> Option<ProofFinding> {
    let policy = subject.policies.get(index)?;
    let known = subject.key_of("can match", index)?;
    if subject.known.get(&known).is_some() {
        return None;
    }
    let verdict = match never_matches(subject, types, observations, index, policy, session) {
        Ok(false) => {
            subject.known.insert(known, Vec::new());
            return None;
        }
        Ok(true) => ProofVerdict::Never,
        Err(reason) => ProofVerdict::NotProved { reason },
    };
    Some(ProofFinding {
        claim: Claim::CanMatch {
            policy: subject.located(policy.id().as_ref()),
            forbid: policy.effect() == Effect::Forbid,
        },
        request_type: None,
        and_more: 0,
        verdict,
    })
}

fn never_matches(
    subject: &AnalysedSet<'_>,
    types: &[RequestType<'_>],
    observations: &[Observations],
    index: usize,
    policy: &Policy,
    session: &mut SolverSession<'_>,
) -> Result<bool, OpenReason> {
    let schema = subject.snapshot.schema();
    let mut possible = Vec::new();
    for (request_type, observations) in types.iter().zip(observations) {
        match observations
            .matching
            .iter()
            .find(|(number, _)| *number == index)
        {
            Some((_, true)) => return Ok(false),
            Some((_, false)) => possible.push(request_type),
            None => {}
        }
    }
    let alone = set([policy])?;
    let authorizer = Authorizer::new();
    let matches = |request: &Request, entities: &Entities| {
        let response = authorizer.is_authorized(request, &alone, entities);
        response.diagnostics().reason().next().is_some() && !has_missing_data(&response)
    };
    let is_complete = are_complete(observations);
    let mut open = (!is_complete).then(out_of_time);
    for request_type in possible {
        let plain = request_type.sample_scenario();
        let witnesses = plain.iter().flat_map(|plain| adapt_to_scope(plain, policy));
        for witness in witnesses {
            if witness
                .checked(schema)
                .is_some_and(|(request, entities)| matches(&request, &entities))
            {
                return Ok(false);
            }
        }
        let compiled = request_type.compile(policy)?;
        match session.prove(SolverQuery::NeverMatches(compiled)) {
            SolverAnswer::Holds => {}
            SolverAnswer::Open(reason) => open = Some(reason.or(open)),
            SolverAnswer::Refuted(env) => {
                if counterexample::reproduce(&env, schema, &matches).is_some() {
                    return Ok(false);
                }
                open = Some(OpenReason::from(DOES_NOT_REPRODUCE).or(open));
            }
        }
    }
    open.map_or(Ok(true), Err)
}

/// Sample requests adapted to the scope of a policy.
fn adapt_to_scope(plain: &Scenario, policy: &Policy) -> Vec<Scenario> {
    let mut scenario = plain.clone();
    let (is, within): (Option<EntityUid>, Option<EntityUid>) = match policy.principal_constraint() {
        PrincipalConstraint::Eq(uid) => (Some(uid), None),
        PrincipalConstraint::In(uid) | PrincipalConstraint::IsIn(_, uid) => (None, Some(uid)),
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => (None, None),
    };
    if let Some(uid) = is {
        scenario.rename(&scenario.principal.clone(), &uid);
    }
    if let Some(uid) = within {
        scenario.add_parent(&scenario.principal.clone(), &uid);
    }
    let (is, within) = match policy.resource_constraint() {
        ResourceConstraint::Eq(uid) => (Some(uid), None),
        ResourceConstraint::In(uid) | ResourceConstraint::IsIn(_, uid) => (None, Some(uid)),
        ResourceConstraint::Any | ResourceConstraint::Is(_) => (None, None),
    };
    if let Some(uid) = is {
        scenario.rename(&scenario.resource.clone(), &uid);
    }
    if let Some(uid) = within {
        scenario.add_parent(&scenario.resource.clone(), &uid);
    }
    // The principal gets every role and permission that a condition mentions.
    let mut member = scenario.clone();
    for uid in policy.entity_literals() {
        if ["Role", "Permission"].contains(&uid.type_name().basename()) {
            member.add_parent(&scenario.principal, &uid);
        }
    }
    let text = policy_set::text(policy);
    let mut scenarios = Vec::new();
    for mut scenario in [member, scenario] {
        for flag in [true, false] {
            scenario.set_every_boolean(flag);
            scenarios.push(scenario.clone());
        }
        // A condition that compares with a literal often holds for that literal.
        for function in ["ip", "datetime"] {
            for argument in arguments(&text, function).take(MAX_TRIES) {
                scenario.set_every_boolean(true);
                scenario.set_calls_of(function, argument.split('/').next().unwrap_or(argument));
                scenarios.push(scenario.clone());
            }
        }
    }
    scenarios
}

/// The arguments of calls such as `ip("…")`.
fn arguments<'t>(text: &'t str, function: &str) -> impl Iterator<Item = &'t str> {
    let opening = format!("{function}(\"");
    let calls: Vec<&str> = text.split(&opening).skip(1).collect();
    calls.into_iter().filter_map(|rest| rest.split('"').next())
}
