//! Whether a policy matches any request at all: one that never does is a mistake, and for a forbid
//! a dangerous one.
//!
//! Most policies match a plain request made to their scope; only for the others it takes a solver.

use super::findings::{Claim, Finding, Verdict};
use super::observations::{Observations, are_whole};
use super::subject::Subject;
use crate::counterexample::{self, World, lacks_something};
use crate::policy_set::set;
use crate::request_type::RequestType;
use crate::solver::{Answer, DOES_NOT_REPRODUCE, Question, Reason, Session, out_of_time};
use cedar_policy::{
    Authorizer, Effect, Entities, EntityUid, Policy, PrincipalConstraint, Request,
    ResourceConstraint,
};

/// So many values of a kind are tried before the solver is asked.
const MAX_TRIES: usize = 4;

/// A finding if the policy never matches, or if that is not known.
pub(super) fn find(
    subject: &Subject<'_>,
    types: &[RequestType<'_>],
    looked: &[Observations],
    index: usize,
    session: &mut Session<'_>,
) -> Option<Finding> {
    let policy = subject.policies.get(index)?;
    let known = subject.key_of("can match", index)?;
    if subject.known.get(&known).is_some() {
        return None;
    }
    let verdict = match never_matches(subject, types, looked, index, policy, session) {
        Ok(false) => {
            subject.known.put(known, Vec::new());
            return None;
        }
        Ok(true) => Verdict::Never,
        Err(reason) => Verdict::NotProved { reason },
    };
    Some(Finding {
        claim: Claim::CanMatch {
            policy: subject.named(policy.id().as_ref()),
            forbid: policy.effect() == Effect::Forbid,
        },
        request_type: None,
        and_more: 0,
        verdict,
    })
}

fn never_matches(
    subject: &Subject<'_>,
    types: &[RequestType<'_>],
    looked: &[Observations],
    index: usize,
    policy: &Policy,
    session: &mut Session<'_>,
) -> Result<bool, Reason> {
    let schema = subject.snapshot.schema();
    let mut possible = Vec::new();
    for (request_type, looked) in types.iter().zip(looked) {
        match looked.matching.iter().find(|(number, _)| *number == index) {
            Some((_, true)) => return Ok(false),
            Some((_, false)) => possible.push(request_type),
            None => {}
        }
    }
    let alone = set([policy])?;
    let authorizer = Authorizer::new();
    let matches = |request: &Request, entities: &Entities| {
        let response = authorizer.is_authorized(request, &alone, entities);
        response.diagnostics().reason().next().is_some() && !lacks_something(&response)
    };
    let is_whole = are_whole(looked);
    let mut open = (!is_whole).then(out_of_time);
    for request_type in possible {
        let plain = request_type.plain_world();
        let witnesses = plain.iter().flat_map(|plain| suited(plain, policy));
        for witness in witnesses {
            if witness
                .checked(schema)
                .is_some_and(|(request, entities)| matches(&request, &entities))
            {
                return Ok(false);
            }
        }
        let compiled = request_type.compile(policy)?;
        match session.never(Question::NeverMatches(compiled)) {
            Answer::Holds => {}
            Answer::Open(reason) => open = Some(reason.or(open)),
            Answer::Fails(env) => {
                if counterexample::reproduce(&env, schema, &matches).is_some() {
                    return Ok(false);
                }
                open = Some(Reason::from(DOES_NOT_REPRODUCE).or(open));
            }
        }
    }
    open.map_or(Ok(true), Err)
}

/// A plain request, made to the scope of a policy.
fn suited(plain: &World, policy: &Policy) -> Vec<World> {
    let mut world = plain.clone();
    let (is, within): (Option<EntityUid>, Option<EntityUid>) = match policy.principal_constraint() {
        PrincipalConstraint::Eq(uid) => (Some(uid), None),
        PrincipalConstraint::In(uid) | PrincipalConstraint::IsIn(_, uid) => (None, Some(uid)),
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => (None, None),
    };
    if let Some(uid) = is {
        world.rename(&world.principal.clone(), &uid);
    }
    if let Some(uid) = within {
        world.put_in(&world.principal.clone(), &uid);
    }
    let (is, within) = match policy.resource_constraint() {
        ResourceConstraint::Eq(uid) => (Some(uid), None),
        ResourceConstraint::In(uid) | ResourceConstraint::IsIn(_, uid) => (None, Some(uid)),
        ResourceConstraint::Any | ResourceConstraint::Is(_) => (None, None),
    };
    if let Some(uid) = is {
        world.rename(&world.resource.clone(), &uid);
    }
    if let Some(uid) = within {
        world.put_in(&world.resource.clone(), &uid);
    }
    // Whoever a condition asks to have some role or permission has them all.
    let mut member = world.clone();
    for uid in policy.entity_literals() {
        if ["Role", "Permission"].contains(&uid.type_name().basename()) {
            member.put_in(&world.principal, &uid);
        }
    }
    let text = policy.to_cedar().unwrap_or_default();
    let mut worlds = Vec::new();
    for mut world in [member, world] {
        for flag in [true, false] {
            world.set_every_flag(flag);
            worlds.push(world.clone());
        }
        // Where a condition compares with a value, that value often fits.
        for function in ["ip", "datetime"] {
            for argument in arguments(&text, function).take(MAX_TRIES) {
                world.set_every_flag(true);
                world.set_every(function, argument.split('/').next().unwrap_or(argument));
                worlds.push(world.clone());
            }
        }
    }
    worlds
}

/// As in `ip("…")`.
fn arguments<'t>(text: &'t str, function: &str) -> impl Iterator<Item = &'t str> {
    let opening = format!("{function}(\"");
    let calls: Vec<&str> = text.split(&opening).skip(1).collect();
    calls.into_iter().filter_map(|rest| rest.split('"').next())
}
