//! What the policies allow for one request type.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cedar_policy::{Effect, Policy, PolicyId, PolicySet, PrincipalConstraint, ResourceConstraint};
use cedar_policy_symcc::CompiledPolicySet;
use serde_json::Value;

use super::analysed_set::{AnalysedSet, text_key};
use super::claim_cache::Key;
use super::observations::Observations;
use crate::effective_decision::guard_against_errors;
use crate::policy_set::set;
use crate::request_type::{RequestType, permit_all};

/// A policy with the hash of its text.
#[derive(Clone)]
pub(super) struct HashedPolicy<'a> {
    policy: &'a Policy,
    name: Key,
}

/// What is allowed for one request type.
pub(super) struct AllowedRequests<'a> {
    /// If a forbid may fail, each permit is restricted to requests on which none fails.
    pub(super) permits: Result<Vec<(Policy, Key)>, String>,
    pub(super) forbids: Vec<HashedPolicy<'a>>,
    /// The forbids about any principal and any resource. There are few of them, however many grants
    /// there are.
    pub(super) guards: Vec<HashedPolicy<'a>>,
    /// All policies whose scope fits, including those that cannot match: their entities are needed,
    /// too.
    whole: OnceCell<Result<PolicySet, String>>,
    /// Everything that the guards let through.
    unguarded: OnceCell<Result<Arc<CompiledPolicySet>, String>>,
}

/// A scope with the permits that have it.
pub(super) struct PermitScope {
    pub(super) bare: Policy,
    pub(super) permits: Vec<PolicyId>,
}

impl<'a> AllowedRequests<'a> {
    pub(super) fn new(
        subject: &AnalysedSet<'a>,
        request_type: &RequestType<'_>,
        observations: &Observations,
    ) -> Self {
        let text = |index: &usize| {
            let policy = subject.policies.get(*index).copied()?;
            let name = subject.texts.get(*index).copied()?;
            Some(HashedPolicy { policy, name })
        };
        let of = |effect: Effect| {
            let matching = observations
                .matching
                .iter()
                .filter_map(|(index, _)| text(index));
            let wanted = matching.filter(|text| text.policy.effect() == effect);
            wanted.collect::<Vec<HashedPolicy<'a>>>()
        };
        let failing = observations.failing.iter().filter_map(text);
        let failing = failing.filter(|text| text.policy.effect() == Effect::Forbid);
        let failing: Vec<&Policy> = failing.map(|text| text.policy).collect();
        let forbids = of(Effect::Forbid);
        let guards = forbids.iter().filter(|forbid| is_guard(forbid.policy));
        Self {
            permits: effective_permits(of(Effect::Permit), &failing, request_type),
            guards: guards.cloned().collect(),
            forbids,
            whole: OnceCell::new(),
            unguarded: OnceCell::new(),
        }
    }

    pub(super) fn whole(
        &self,
        subject: &AnalysedSet<'_>,
        request_type: &RequestType<'_>,
    ) -> Result<&PolicySet, String> {
        let whole = self.whole.get_or_init(|| {
            let policies = subject.policies.iter().copied();
            set(policies.filter(|policy| request_type.may_match(policy)))
        });
        whole.as_ref().map_err(Clone::clone)
    }

    pub(super) fn unguarded(
        &self,
        request_type: &RequestType<'_>,
    ) -> Result<Arc<CompiledPolicySet>, String> {
        let unguarded = self.unguarded.get_or_init(|| {
            let everything = permit_all()?;
            let guards = self.guards.iter().map(|guard| guard.policy);
            request_type.compile_set(&set(guards.chain([&everything]))?)
        });
        unguarded.clone()
    }
}

/// Permits as the service applies them: where a forbid fails, nothing is allowed.
fn effective_permits(
    permits: Vec<HashedPolicy<'_>>,
    failing: &[&Policy],
    request_type: &RequestType<'_>,
) -> Result<Vec<(Policy, Key)>, String> {
    if failing.is_empty() {
        let same = |text: HashedPolicy<'_>| (text.policy.clone(), text.name);
        return Ok(permits.into_iter().map(same).collect());
    }
    let permits: Vec<&Policy> = permits.into_iter().map(|text| text.policy).collect();
    let guarded = guard_against_errors(&permits, failing, request_type)?;
    let hashed = |policy: Policy| {
        let name = text_key(&policy);
        (policy, name)
    };
    Ok(guarded.into_iter().map(hashed).collect())
}

/// Groups permits by scope. Conditions only narrow a permit, so what holds for its scope holds for
/// it.
pub(super) fn scopes(permits: &[&(Policy, Key)]) -> Vec<PermitScope> {
    let mut scopes: BTreeMap<String, PermitScope> = BTreeMap::new();
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
            scopes.insert(key, PermitScope { bare, permits });
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

pub(super) fn names(texts: &[HashedPolicy<'_>]) -> BTreeSet<Key> {
    texts.iter().map(|text| text.name).collect()
}

pub(super) fn policies<'a>(texts: &[HashedPolicy<'a>]) -> Vec<&'a Policy> {
    texts.iter().map(|text| text.policy).collect()
}
