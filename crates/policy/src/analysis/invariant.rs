//! Whether whatever is allowed of one kind of request keeps an invariant.
//!
//! That the guards alone keep it is one question, however many permits there are. What stays open is
//! asked of the permits' scopes, and of the permits at last, a few at a time. That a permit keeps an
//! invariant where some forbids are stays true where there are more of them.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cedar_policy::{
    Authorizer, Decision, Effect, Entities, Policy, PolicyId, PolicySet, PrincipalConstraint,
    Request, ResourceConstraint,
};
use cedar_policy_symcc::CompiledPolicySet;
use serde_json::Value;

use super::findings::{Verdict, not_proved};
use super::invariants::{ToProve, text};
use super::known::{Key, Known, hash};
use super::observations::Observations;
use super::subject::{Subject, name_of};
use crate::counterexample::{self, Counterexample, lacks_something};
use crate::policy_set::set;
use crate::request_type::{RequestType, permit_all};
use crate::served::{Served, where_these_do_not_fail};
use crate::solver::Question::Implies;
use crate::solver::{Answer, DOES_NOT_REPRODUCE, Reason, Session};
use crate::verdict::{Ruling, Verdict as ServedVerdict};

/// So many permits are asked about at once. Each entity that they name makes the question longer
/// by as many pairs.
const PERMITS_AT_ONCE: usize = 16;
/// The claim that the forbids alone keep an invariant.
const GUARDED: &str = "the forbids keep the invariant";
/// The claim that a permit keeps an invariant, where some forbids are.
const KEPT: &str = "the permit keeps the invariant";

/// A policy, and the name of its text.
#[derive(Clone)]
struct Text<'a> {
    policy: &'a Policy,
    name: Key,
}

/// What is allowed of one kind of request.
pub(super) struct Allowed<'a> {
    /// Where a forbid may fail, made to allow nothing on requests on which it does.
    permits: Result<Vec<(Policy, Key)>, String>,
    forbids: Vec<Text<'a>>,
    /// Those forbids that are about everybody and everything: few, however many grants there are.
    guards: Vec<Text<'a>>,
    /// All whose scope fits, what cannot match included: it needs its entities, too.
    whole: OnceCell<Result<PolicySet, String>>,
    /// Everything that the guards let through.
    unguarded: OnceCell<Result<Arc<CompiledPolicySet>, String>>,
}

/// A scope, and the permits that have it.
struct Scope {
    bare: Policy,
    permits: Vec<PolicyId>,
}

impl<'a> Allowed<'a> {
    pub(super) fn new(
        subject: &Subject<'a>,
        request_type: &RequestType<'_>,
        looked: &Observations,
    ) -> Self {
        let text = |index: &usize| {
            let policy = subject.policies.get(*index).copied()?;
            let name = subject.texts.get(*index).copied()?;
            Some(Text { policy, name })
        };
        let of = |effect: Effect| {
            let matching = looked.matching.iter().filter_map(|(index, _)| text(index));
            let wanted = matching.filter(|text| text.policy.effect() == effect);
            wanted.collect::<Vec<Text<'a>>>()
        };
        let failing = looked.failing.iter().filter_map(text);
        let failing = failing.filter(|text| text.policy.effect() == Effect::Forbid);
        let failing: Vec<&Policy> = failing.map(|text| text.policy).collect();
        let forbids = of(Effect::Forbid);
        let guards = forbids.iter().filter(|forbid| is_guard(forbid.policy));
        Self {
            permits: served(of(Effect::Permit), &failing, request_type),
            guards: guards.cloned().collect(),
            forbids,
            whole: OnceCell::new(),
            unguarded: OnceCell::new(),
        }
    }

    fn whole(
        &self,
        subject: &Subject<'_>,
        request_type: &RequestType<'_>,
    ) -> Result<&PolicySet, String> {
        let whole = self.whole.get_or_init(|| {
            let policies = subject.policies.iter().copied();
            set(policies.filter(|policy| request_type.may_match(policy)))
        });
        whole.as_ref().map_err(Clone::clone)
    }

    fn unguarded(&self, request_type: &RequestType<'_>) -> Result<Arc<CompiledPolicySet>, String> {
        let unguarded = self.unguarded.get_or_init(|| {
            let everything = permit_all()?;
            let guards = self.guards.iter().map(|guard| guard.policy);
            request_type.compile_set(&set(guards.chain([&everything]))?)
        });
        unguarded.clone()
    }
}

/// In the service's order: where a forbid fails, nothing is allowed.
fn served(
    permits: Vec<Text<'_>>,
    failing: &[&Policy],
    request_type: &RequestType<'_>,
) -> Result<Vec<(Policy, Key)>, String> {
    if failing.is_empty() {
        let same = |text: Text<'_>| (text.policy.clone(), text.name);
        return Ok(permits.into_iter().map(same).collect());
    }
    let permits: Vec<&Policy> = permits.into_iter().map(|text| text.policy).collect();
    let guarded = where_these_do_not_fail(&permits, failing, request_type)?;
    let named = |policy: Policy| {
        let name = name_of(&policy);
        (policy, name)
    };
    Ok(guarded.into_iter().map(named).collect())
}

/// The scopes of some permits. A condition only takes away: what the scope alone keeps, the permit
/// keeps.
fn scopes(permits: &[&(Policy, Key)]) -> Vec<Scope> {
    let mut scopes: BTreeMap<String, Scope> = BTreeMap::new();
    for (permit, _) in permits {
        let Ok(mut json) = permit.to_json() else {
            continue;
        };
        if let Some(fields) = json.as_object_mut() {
            fields.insert("conditions".to_owned(), Value::Array(Vec::new()));
            fields.remove("annotations");
        }
        let key = json.to_string();
        if let Some(known) = scopes.get_mut(&key) {
            known.permits.push(permit.id().clone());
        } else if let Ok(bare) = Policy::from_json(Some(permit.id().clone()), json) {
            let permits = vec![permit.id().clone()];
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

fn names(texts: &[Text<'_>]) -> BTreeSet<Key> {
    texts.iter().map(|text| text.name).collect()
}

fn policies<'a>(texts: &[Text<'a>]) -> Vec<&'a Policy> {
    texts.iter().map(|text| text.policy).collect()
}

/// A claim about an invariant on one kind of request.
struct About<'k> {
    known: &'k Known<'k>,
    invariant: Key,
    request_type: Key,
}

impl About<'_> {
    fn guarded(&self) -> Key {
        self.known
            .key(GUARDED, &[self.request_type, self.invariant])
    }

    fn kept(&self, permit: &Key) -> Key {
        let parts = [self.request_type, self.invariant, *permit];
        self.known.key(KEPT, &parts)
    }
}

/// `None` if whatever is allowed, the invariant allows.
pub(super) fn keeps(
    subject: &Subject<'_>,
    request_type: &RequestType<'_>,
    session: &mut Session<'_>,
    allowed: &mut Allowed<'_>,
    to_prove: &ToProve<'_>,
) -> Result<Option<Verdict>, String> {
    let known = subject.known;
    let (permission, principal, resource) = request_type.key();
    let texts = text(to_prove.invariant);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let about = About {
        known,
        invariant: hash(&texts),
        request_type: hash(&[&permission, &principal, &resource]),
    };
    let forbids = names(&allowed.forbids);
    if known.holds_because_of(&about.guarded(), &forbids) {
        return Ok(None);
    }
    let permits = allowed.permits.as_ref().map_err(Clone::clone)?;
    let is_open =
        |permit: &&(Policy, Key)| !known.holds_because_of(&about.kept(&permit.1), &forbids);
    let mut permits: Vec<&(Policy, Key)> = permits.iter().filter(is_open).collect();
    if permits.is_empty() {
        return Ok(None);
    }
    let invariant = &to_prove.invariant.policies;
    let concerned = invariant
        .policies()
        .filter(|policy| request_type.may_match(policy));
    let compiled = request_type.compile_set(&set(concerned)?)?;
    let guards = names(&allowed.guards);
    // With few permits one question about all of them settles more.
    if permits.len() > PERMITS_AT_ONCE {
        let unguarded = allowed.unguarded(request_type)?;
        if matches!(
            session.never(Implies(unguarded, Arc::clone(&compiled))),
            Answer::Holds
        ) {
            known.put_because_of(about.guarded(), &guards);
            return Ok(None);
        }
        let kept = kept_by_scope(&permits, request_type, session, allowed, &compiled)?;
        for permit in permits.extract_if(.., |permit| kept.contains(permit.0.id())) {
            known.put_because_of(about.kept(&permit.1), &guards);
        }
    }
    let mut open: Option<Reason> = None;
    for permits in permits.chunks(PERMITS_AT_ONCE) {
        let mut groups = [&allowed.guards, &allowed.forbids].into_iter().peekable();
        if allowed.forbids.len() <= PERMITS_AT_ONCE {
            groups.next();
        }
        while let Some(group) = groups.next() {
            let permits_now = permits.iter().map(|permit| &permit.0);
            let some = set(permits_now.chain(policies(group)))?;
            let some = request_type.compile_set(&some)?;
            match session.never(Implies(some, Arc::clone(&compiled))) {
                Answer::Holds => {
                    for permit in permits {
                        known.put_because_of(about.kept(&permit.1), &names(group));
                    }
                    break;
                }
                Answer::Fails(env) => {
                    let whole = allowed.whole(subject, request_type)?;
                    let refuted = broken(subject, whole, invariant, &env);
                    if refuted.is_some() {
                        return Ok(refuted);
                    }
                    if groups.peek().is_none() {
                        open = Some(Reason::from(DOES_NOT_REPRODUCE).or(open));
                    }
                }
                Answer::Open(reason) => {
                    if groups.peek().is_none() {
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
    permits: &[&(Policy, Key)],
    request_type: &RequestType<'_>,
    session: &mut Session<'_>,
    allowed: &Allowed<'_>,
    invariant: &Arc<CompiledPolicySet>,
) -> Result<BTreeSet<PolicyId>, String> {
    let mut kept = BTreeSet::new();
    for scopes in scopes(permits).chunks(PERMITS_AT_ONCE) {
        let bare = scopes.iter().map(|scope| &scope.bare);
        let bare = set(bare.chain(policies(&allowed.guards)))?;
        let bare = request_type.compile_set(&bare)?;
        if matches!(
            session.never(Implies(bare, Arc::clone(invariant))),
            Answer::Holds
        ) {
            kept.extend(scopes.iter().flat_map(|scope| scope.permits.clone()));
        }
    }
    Ok(kept)
}

/// Tries the request that is allowed though the invariant does not allow it.
fn broken(
    subject: &Subject<'_>,
    whole: &PolicySet,
    invariant: &PolicySet,
    env: &cedar_policy_symcc::Env,
) -> Option<Verdict> {
    let authorizer = Authorizer::new();
    let breaks = |set: &PolicySet, request: &Request, entities: &Entities| {
        let response = authorizer.is_authorized(request, set, entities);
        let kept = authorizer.is_authorized(request, invariant, entities);
        Served::of(&response, set).is_allowed
            && kept.decision() == Decision::Deny
            && !lacks_something(&response)
            && !lacks_something(&kept)
    };
    let schema = subject.snapshot.schema();
    let world = counterexample::reproduce(env, schema, &|request, entities| {
        breaks(whole, request, entities)
    })?;
    let (request, entities) = world.checked(schema)?;
    let everything = subject.snapshot.policies();
    let ruling = ServedVerdict::of(subject.snapshot, &request, &entities).ruling;
    if ruling != Ruling::Allowed || !breaks(everything, &request, &entities) {
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
