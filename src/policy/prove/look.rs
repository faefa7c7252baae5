//! Looks at one kind of request: which policies may match or fail on it, and does whatever is
//! allowed keep each invariant?
//!
//! That the guards alone keep an invariant is one question, however many permits there are. What
//! stays open is asked of the permits' scopes, and of the permits at last, a few at a time.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{
    Authorizer, Decision, Effect, Entities, Policy, PolicyId, PolicySet, PrincipalConstraint,
    Request, ResourceConstraint,
};
use cedar_policy_symcc::{
    CompiledPolicySet, implies_asserts, never_errors_asserts, never_matches_asserts,
};
use serde_json::Value;

use super::{Claim, Finding, Subject, ToProve, Verdict, set};
use crate::policy::counterexample::{self, Counterexample, lacks_something};
use crate::policy::request_type::{RequestType, permit_all};
use crate::policy::solver::{Answer, DOES_NOT_REPRODUCE, Reason, Session, out_of_time};

/// So many permits are asked about at once. Each entity that they name makes the question longer
/// by as many pairs.
const PERMITS_AT_ONCE: usize = 16;

/// What one kind of request shows.
#[derive(Default)]
pub(super) struct Looked {
    pub(super) findings: Vec<Finding>,
    /// The policies that may match, by their number, and whether they always do.
    pub(super) matching: Vec<(usize, bool)>,
    /// The policies that may fail.
    pub(super) failing: Vec<usize>,
    /// Whether the time was enough to look at all policies.
    pub(super) is_whole: bool,
}

pub(super) fn look(
    subject: &Subject<'_>,
    request_type: &RequestType<'_>,
    session: &mut Session<'_>,
) -> Looked {
    let mut looked = Looked::default();
    for (index, policy) in subject.policies.iter().enumerate() {
        if session.is_over() {
            looked.findings.push(Finding {
                claim: Claim::Everything,
                request_type: Some(request_type.title()),
                and_more: 0,
                verdict: not_proved(out_of_time()),
            });
            return looked;
        }
        if request_type.may_match(policy) {
            look_at(subject, request_type, index, &mut looked);
        }
    }
    looked.is_whole = true;
    let matching: Vec<&Policy> = looked
        .matching
        .iter()
        .filter_map(|(index, _)| subject.policies.get(*index).copied())
        .collect();
    let in_scope = subject.policies.iter().copied();
    let in_scope = in_scope.filter(|policy| request_type.may_match(policy));
    match set(in_scope).and_then(|whole| Allowed::new(request_type, &matching, whole)) {
        Ok(mut allowed) => {
            for invariant in subject.invariants {
                let verdict = keeps(subject, request_type, session, &mut allowed, invariant)
                    .unwrap_or_else(|reason| Some(not_proved(reason)));
                looked.findings.extend(verdict.map(|verdict| Finding {
                    claim: claim(invariant),
                    request_type: Some(request_type.title()),
                    and_more: 0,
                    verdict,
                }));
            }
        }
        Err(reason) => looked.findings.push(Finding {
            claim: Claim::Everything,
            request_type: Some(request_type.title()),
            and_more: 0,
            verdict: not_proved(reason),
        }),
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
    looked: &mut Looked,
) {
    let Some(policy) = subject.policies.get(index) else {
        return;
    };
    match request_type.compile(policy) {
        Ok(compiled) => {
            let never = never_matches_asserts(&compiled);
            if !never.asserts().iter().any(|term| *term == false.into()) {
                let always = never.asserts().iter().all(|term| *term == true.into());
                looked.matching.push((index, always));
            }
            let fails = never_errors_asserts(&compiled);
            if !fails.asserts().iter().any(|term| *term == false.into()) {
                looked.failing.push(index);
            }
        }
        Err(reason) => {
            looked.matching.push((index, false));
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

/// What is allowed of one kind of request.
struct Allowed<'a> {
    permits: Vec<&'a Policy>,
    forbids: Vec<&'a Policy>,
    /// Those forbids that are about everybody and everything: few, however many grants there are.
    guards: Vec<&'a Policy>,
    /// All whose scope fits, what cannot match included: it needs its entities, too.
    whole: PolicySet,
    /// With many permits: everything that the guards let through.
    unguarded: Option<CompiledPolicySet>,
    /// With many permits: their scopes without their conditions, each once.
    scopes: Vec<Scope<'a>>,
}

/// A scope, and the permits that have it.
struct Scope<'a> {
    bare: Policy,
    permits: Vec<&'a Policy>,
}

impl<'a> Allowed<'a> {
    fn new(
        request_type: &RequestType<'_>,
        matching: &[&'a Policy],
        whole: PolicySet,
    ) -> Result<Self, String> {
        let of = |effect| {
            let policies = matching.iter().copied();
            policies.filter(move |policy| policy.effect() == effect)
        };
        let permits: Vec<&Policy> = of(Effect::Permit).collect();
        let forbids: Vec<&Policy> = of(Effect::Forbid).collect();
        let guards: Vec<&Policy> = forbids.iter().copied().filter(|f| is_guard(f)).collect();
        // With few permits one question about all of them settles more.
        let unguarded = if permits.len() > PERMITS_AT_ONCE {
            let everything = permit_all()?;
            let unguarded = set(guards.iter().copied().chain([&everything]))?;
            Some(request_type.compile_set(&unguarded)?)
        } else {
            None
        };
        let scopes = if unguarded.is_some() {
            scopes(&permits)
        } else {
            Vec::new()
        };
        Ok(Self {
            permits,
            forbids,
            guards,
            whole,
            unguarded,
            scopes,
        })
    }
}

/// The scopes of some permits. A condition only takes away: what the scope alone keeps, the permit
/// keeps.
fn scopes<'a>(permits: &[&'a Policy]) -> Vec<Scope<'a>> {
    let mut scopes: BTreeMap<String, Scope<'a>> = BTreeMap::new();
    for permit in permits {
        let Ok(mut json) = permit.to_json() else {
            continue;
        };
        if let Some(fields) = json.as_object_mut() {
            fields.insert("conditions".to_owned(), Value::Array(Vec::new()));
            fields.remove("annotations");
        }
        let key = json.to_string();
        if let Some(known) = scopes.get_mut(&key) {
            known.permits.push(permit);
        } else if let Ok(bare) = Policy::from_json(Some(permit.id().clone()), json) {
            let permits = vec![*permit];
            scopes.insert(key, Scope { bare, permits });
        }
    }
    scopes.into_values().collect()
}

fn is_guard(forbid: &Policy) -> bool {
    matches!(
        forbid.principal_constraint(),
        PrincipalConstraint::Any | PrincipalConstraint::Is(_)
    ) && matches!(
        forbid.resource_constraint(),
        ResourceConstraint::Any | ResourceConstraint::Is(_)
    )
}

/// `None` if whatever is allowed, the invariant allows.
fn keeps(
    subject: &Subject<'_>,
    request_type: &RequestType<'_>,
    session: &mut Session<'_>,
    allowed: &mut Allowed<'_>,
    to_prove: &ToProve<'_>,
) -> Result<Option<Verdict>, String> {
    let invariant = &to_prove.invariant.policies;
    let concerned = invariant
        .policies()
        .filter(|policy| request_type.may_match(policy));
    let invariant_set = set(concerned)?;
    let compiled = request_type.compile_set(&invariant_set)?;
    if let Some(unguarded) = &allowed.unguarded
        && matches!(
            session.never(&implies_asserts(unguarded, &compiled)),
            Answer::Holds
        )
    {
        return Ok(None);
    }
    let kept = kept_by_scope(request_type, session, allowed, &compiled)?;
    let is_open = |permit: &&Policy| !kept.contains(permit.id());
    let permits: Vec<&Policy> = allowed.permits.iter().copied().filter(is_open).collect();
    let mut open: Option<Reason> = None;
    for permits in permits.chunks(PERMITS_AT_ONCE) {
        let mut forbids = [&allowed.guards, &allowed.forbids].into_iter().peekable();
        if allowed.forbids.len() <= PERMITS_AT_ONCE {
            forbids.next();
        }
        while let Some(forbids_now) = forbids.next() {
            let some = set(permits.iter().chain(forbids_now).copied())?;
            let some = request_type.compile_set(&some)?;
            match session.never(&implies_asserts(&some, &compiled)) {
                Answer::Holds => break,
                Answer::Fails(env) => {
                    let refuted = broken(subject, allowed, invariant, &env);
                    if refuted.is_some() {
                        return Ok(refuted);
                    }
                    if forbids.peek().is_none() {
                        open = Some(Reason::from(DOES_NOT_REPRODUCE).or(open));
                    }
                }
                Answer::Open(reason) => {
                    if forbids.peek().is_none() {
                        open = Some(reason.or(open));
                    }
                }
            }
        }
    }
    Ok(open.map(not_proved))
}

/// The permits that keep the invariant by their scope alone.
fn kept_by_scope(
    request_type: &RequestType<'_>,
    session: &mut Session<'_>,
    allowed: &Allowed<'_>,
    invariant: &CompiledPolicySet,
) -> Result<BTreeSet<PolicyId>, String> {
    let mut kept = BTreeSet::new();
    for scopes in allowed.scopes.chunks(PERMITS_AT_ONCE) {
        let bare = scopes.iter().map(|scope| &scope.bare);
        let bare = set(bare.chain(allowed.guards.iter().copied()))?;
        let bare = request_type.compile_set(&bare)?;
        if matches!(
            session.never(&implies_asserts(&bare, invariant)),
            Answer::Holds
        ) {
            let permits = scopes.iter().flat_map(|scope| &scope.permits);
            kept.extend(permits.map(|permit| permit.id().clone()));
        }
    }
    Ok(kept)
}

/// Tries the request that is allowed though the invariant does not allow it.
fn broken(
    subject: &Subject<'_>,
    allowed: &Allowed<'_>,
    invariant: &PolicySet,
    env: &cedar_policy_symcc::Env,
) -> Option<Verdict> {
    let authorizer = Authorizer::new();
    let breaks = |set: &PolicySet, request: &Request, entities: &Entities| {
        let response = authorizer.is_authorized(request, set, entities);
        let kept = authorizer.is_authorized(request, invariant, entities);
        response.decision() == Decision::Allow
            && kept.decision() == Decision::Deny
            && !lacks_something(&response)
            && !lacks_something(&kept)
    };
    let schema = subject.snapshot.schema();
    let world = counterexample::reproduce(env, schema, &|request, entities| {
        breaks(&allowed.whole, request, entities)
    })?;
    let (request, entities) = world.checked(schema)?;
    let everything = subject.snapshot.policies();
    if !breaks(everything, &request, &entities) {
        return None;
    }
    let response = authorizer.is_authorized(&request, everything, &entities);
    let mut by: Vec<_> = response
        .diagnostics()
        .reason()
        .map(|id| subject.named(id.as_ref()))
        .collect();
    by.sort();
    let deciding = by
        .iter()
        .filter_map(|named| {
            subject
                .policies
                .iter()
                .find(|p| p.id().to_string() == named.policy)
        })
        .copied();
    let concerned = invariant.policies().chain(deciding);
    Some(Verdict::Refuted {
        counterexample: Box::new(Counterexample::new(&world, concerned)),
        by,
    })
}
