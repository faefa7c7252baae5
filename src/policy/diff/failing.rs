//! What the service makes of a forbid that fails: it denies, where Cedar would skip it.

use std::collections::BTreeSet;

use cedar_policy::{AuthorizationError, Decision, Effect, Policy, PolicyId, PolicySet, Response};
use cedar_policy_core::ast;
use cedar_policy_symcc::never_errors_asserts;

use crate::policy::request_type::RequestType;

/// What the service answers where Cedar answers this.
pub(super) struct Served {
    pub(super) is_allowed: bool,
    /// The policies that decide.
    pub(super) by: BTreeSet<PolicyId>,
}

impl Served {
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

/// Permits the requests on which this policy does not fail. `None` if it fails on none, as far as
/// that shows without the solver.
pub(super) fn where_it_does_not_fail(
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

/// Whether one fails where the other does, because both ask the same.
pub(super) fn ask_the_same(one: &Policy, other: &Policy) -> bool {
    condition(one) == condition(other)
}

/// Scope and conditions.
fn condition(policy: &Policy) -> String {
    let policy: &ast::Policy = policy.as_ref();
    policy.condition().to_string()
}
