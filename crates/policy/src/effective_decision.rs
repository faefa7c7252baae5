//! The service's decision for a Cedar response: a forbid that fails denies, where Cedar would skip
//! it.

use std::collections::BTreeSet;

use cedar_policy::{AuthorizationError, Decision, Effect, Policy, PolicyId, PolicySet, Response};
use cedar_policy_core::ast;
use cedar_policy_symcc::never_errors_asserts;
use serde_json::Value;

use super::request_type::RequestType;

pub(super) struct EffectiveDecision {
    pub(super) is_allowed: bool,
    /// The policies that decide.
    pub(super) by: BTreeSet<PolicyId>,
}

impl EffectiveDecision {
    pub(super) fn of(response: &Response, policies: &PolicySet) -> Self {
        let diagnostics = response.diagnostics();
        let is_forbid = |id: &PolicyId| {
            let policy = policies.policy(id);
            policy.is_none_or(|policy| policy.effect() == Effect::Forbid)
        };
        let failed = diagnostics.errors().map(|error| match error {
            AuthorizationError::PolicyEvaluationError(error) => error.policy_id().clone(),
        });
        let failed: BTreeSet<PolicyId> = failed.filter(is_forbid).collect();
        let is_permitted = response.decision() == Decision::Allow;
        let is_allowed = is_permitted && failed.is_empty();
        Self {
            is_allowed,
            by: if is_permitted && !is_allowed {
                failed
            } else {
                diagnostics.reason().cloned().collect()
            },
        }
    }
}

/// A permit for the requests on which this policy does not fail. `None` if it fails on none, as far
/// as can be decided without the solver.
pub(super) fn error_free_condition(
    policy: &Policy,
    request_type: &RequestType<'_>,
) -> Result<Option<Policy>, String> {
    let compiled = request_type.compile(policy)?;
    let fails = never_errors_asserts(&compiled);
    if fails.asserts().iter().any(|term| *term == false.into()) {
        return Ok(None);
    }
    let condition = condition(policy);
    let text = format!("permit (principal, action, resource) when {{ ({condition}) || true }};");
    Policy::parse(None, text)
        .map(Some)
        .map_err(|error| error.to_string())
}

/// Whether both policies fail on the same requests, because their conditions are the same.
pub(super) fn have_same_condition(one: &Policy, other: &Policy) -> bool {
    condition(one) == condition(other)
}

/// Scope and conditions.
fn condition(policy: &Policy) -> String {
    let policy: &ast::Policy = policy.as_ref();
    policy.condition().to_string()
}

/// The permits, restricted to requests on which none of these forbids fails.
pub(super) fn guard_against_errors(
    permits: &[&Policy],
    forbids: &[&Policy],
    request_type: &RequestType<'_>,
) -> Result<Vec<Policy>, String> {
    let mut clauses = Vec::new();
    for forbid in forbids {
        if let Some(sound) = error_free_condition(forbid, request_type)? {
            let json = sound.to_json().map_err(|error| error.to_string())?;
            let conditions = json.get("conditions").and_then(Value::as_array);
            clauses.extend(conditions.into_iter().flatten().cloned());
        }
    }
    let guarded = |permit: &&Policy| {
        let mut json = permit.to_json().map_err(|error| error.to_string())?;
        let conditions = json.get_mut("conditions").and_then(Value::as_array_mut);
        conditions
            .ok_or("a policy without conditions")?
            .extend(clauses.iter().cloned());
        Policy::from_json(Some(permit.id().clone()), json).map_err(|error| error.to_string())
    };
    permits.iter().map(guarded).collect()
}
