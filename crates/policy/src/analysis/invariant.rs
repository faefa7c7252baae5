//! Whether everything that the policies allow for one request type also satisfies an invariant.
//!
//! First one query asks whether the guards alone imply the invariant, however many permits there
//! are. What stays open is asked for the permits' scopes, then for the permits themselves, a few at
//! a time. A proof that uses some forbids stays valid when forbids are added.

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::{Authorizer, Decision, Entities, Policy, PolicyId, PolicySet, Request};
use cedar_policy_symcc::CompiledPolicySet;

use super::allowed_requests::{AllowedRequests, names, policies, scopes};
use super::analysed_set::AnalysedSet;
use super::claim_cache::{ClaimCache, Key, hash};
use super::findings::{ProofVerdict, not_proved};
use super::invariants::{InvariantToProve, text};
use crate::counterexample::{self, Counterexample, has_missing_data};
use crate::effective_decision::EffectiveDecision;
use crate::policy_set::set;
use crate::request_type::RequestType;
use crate::snapshot_decision::{Ruling, SnapshotDecision};
use crate::solver::SolverQuery::Implies;
use crate::solver::{DOES_NOT_REPRODUCE, OpenReason, SolverAnswer, SolverSession};

/// Permits per query. Every entity that they name adds as many pairs to the query.
const PERMITS_AT_ONCE: usize = 16;
/// Label of the claim that the forbids alone imply an invariant.
const GUARDED: &str = "the forbids keep the invariant";
/// Label of the claim that a permit satisfies an invariant, given some forbids.
const KEPT: &str = "the permit keeps the invariant";

/// Cache keys of the claims about one invariant and one request type.
struct InvariantClaim<'k> {
    known: &'k ClaimCache<'k>,
    invariant: Key,
    request_type: Key,
}

impl InvariantClaim<'_> {
    fn guarded(&self) -> Key {
        self.known
            .key(GUARDED, &[self.request_type, self.invariant])
    }

    fn kept(&self, permit: &Key) -> Key {
        let parts = [self.request_type, self.invariant, *permit];
        self.known.key(KEPT, &parts)
    }
}

/// `None` if the invariant allows everything that the policies allow.
pub(super) fn check_invariant(
    subject: &AnalysedSet<'_>,
    request_type: &RequestType<'_>,
    session: &mut SolverSession<'_>,
    allowed: &mut AllowedRequests<'_>,
    to_prove: &InvariantToProve<'_>,
) -> Result<Option<ProofVerdict>, String> {
    let known = subject.known;
    let (permission, principal, resource) = request_type.key();
    let texts = text(to_prove.invariant);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let about = InvariantClaim {
        known,
        invariant: hash(&texts),
        request_type: hash(&[&permission, &principal, &resource]),
    };
    let forbids = names(&allowed.forbids);
    if known.holds_given(&about.guarded(), &forbids) {
        return Ok(None);
    }
    let permits = allowed.permits.as_ref().map_err(Clone::clone)?;
    let is_open = |permit: &&(Policy, Key)| !known.holds_given(&about.kept(&permit.1), &forbids);
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
    // With few permits a single query about all of them decides more.
    if permits.len() > PERMITS_AT_ONCE {
        let unguarded = allowed.unguarded(request_type)?;
        if matches!(
            session.prove(Implies(unguarded, Arc::clone(&compiled))),
            SolverAnswer::Holds
        ) {
            known.put_given(about.guarded(), &guards);
            return Ok(None);
        }
        let kept = kept_by_scope(&permits, request_type, session, allowed, &compiled)?;
        for permit in permits.extract_if(.., |permit| kept.contains(permit.0.id())) {
            known.put_given(about.kept(&permit.1), &guards);
        }
    }
    let query = InvariantQuery {
        subject,
        request_type,
        invariant,
        compiled,
        claim: about,
    };
    query.prove_permits(&permits, session, allowed)
}

/// The invariant as it is asked of a few permits at a time.
struct InvariantQuery<'q> {
    subject: &'q AnalysedSet<'q>,
    request_type: &'q RequestType<'q>,
    invariant: &'q PolicySet,
    compiled: Arc<CompiledPolicySet>,
    claim: InvariantClaim<'q>,
}

impl InvariantQuery<'_> {
    /// `None` if the invariant allows everything that the permits allow.
    fn prove_permits(
        &self,
        permits: &[&(Policy, Key)],
        session: &mut SolverSession<'_>,
        allowed: &AllowedRequests<'_>,
    ) -> Result<Option<ProofVerdict>, String> {
        let mut open: Option<OpenReason> = None;
        for permits in permits.chunks(PERMITS_AT_ONCE) {
            let mut groups = [&allowed.guards, &allowed.forbids].into_iter().peekable();
            if allowed.forbids.len() <= PERMITS_AT_ONCE {
                groups.next();
            }
            while let Some(group) = groups.next() {
                let permits_now = permits.iter().map(|permit| &permit.0);
                let some = set(permits_now.chain(policies(group)))?;
                let some = self.request_type.compile_set(&some)?;
                match session.prove(Implies(some, Arc::clone(&self.compiled))) {
                    SolverAnswer::Holds => {
                        for permit in permits {
                            self.claim
                                .known
                                .put_given(self.claim.kept(&permit.1), &names(group));
                        }
                        break;
                    }
                    SolverAnswer::Refuted(env) => {
                        let whole = allowed.whole(self.subject, self.request_type)?;
                        let refuted = find_violation(self.subject, whole, self.invariant, &env);
                        if refuted.is_some() {
                            return Ok(refuted);
                        }
                        if groups.peek().is_none() {
                            open = Some(OpenReason::from(DOES_NOT_REPRODUCE).or(open));
                        }
                    }
                    SolverAnswer::Open(reason) => {
                        if groups.peek().is_none() {
                            open = Some(reason.or(open));
                        }
                    }
                }
            }
        }
        Ok(open.map(not_proved))
    }
}

/// The permits whose scope alone satisfies the invariant.
fn kept_by_scope(
    permits: &[&(Policy, Key)],
    request_type: &RequestType<'_>,
    session: &mut SolverSession<'_>,
    allowed: &AllowedRequests<'_>,
    invariant: &Arc<CompiledPolicySet>,
) -> Result<BTreeSet<PolicyId>, String> {
    let mut kept = BTreeSet::new();
    for scopes in scopes(permits).chunks(PERMITS_AT_ONCE) {
        let bare = scopes.iter().map(|scope| &scope.bare);
        let bare = set(bare.chain(policies(&allowed.guards)))?;
        let bare = request_type.compile_set(&bare)?;
        if matches!(
            session.prove(Implies(bare, Arc::clone(invariant))),
            SolverAnswer::Holds
        ) {
            kept.extend(scopes.iter().flat_map(|scope| scope.permits.clone()));
        }
    }
    Ok(kept)
}

/// Evaluates the solver's request to confirm that it is allowed against the invariant.
fn find_violation(
    subject: &AnalysedSet<'_>,
    whole: &PolicySet,
    invariant: &PolicySet,
    env: &cedar_policy_symcc::Env,
) -> Option<ProofVerdict> {
    let authorizer = Authorizer::new();
    let breaks = |set: &PolicySet, request: &Request, entities: &Entities| {
        let response = authorizer.is_authorized(request, set, entities);
        let kept = authorizer.is_authorized(request, invariant, entities);
        EffectiveDecision::of(&response, set).is_allowed
            && kept.decision() == Decision::Deny
            && !has_missing_data(&response)
            && !has_missing_data(&kept)
    };
    let schema = subject.snapshot.schema();
    let scenario = counterexample::reproduce(env, schema, &|request, entities| {
        breaks(whole, request, entities)
    })?;
    let (request, entities) = scenario.checked(schema)?;
    let everything = subject.snapshot.policies();
    let ruling = SnapshotDecision::of(subject.snapshot, &request, &entities).ruling;
    if ruling != Ruling::Allowed || !breaks(everything, &request, &entities) {
        return None;
    }
    let response = authorizer.is_authorized(&request, everything, &entities);
    let mut by: Vec<_> = response
        .diagnostics()
        .reason()
        .map(|id| subject.located(id.as_ref()))
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
    Some(ProofVerdict::Refuted {
        counterexample: Box::new(Counterexample::new(&scenario, concerned)),
        by,
    })
}
