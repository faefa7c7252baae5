//! What the service makes of Cedar's response, for a request that is at hand in Cedar's own form.

use cedar_policy::{
    AuthorizationError, Authorizer, Decision, Effect, Entities, Policy, PolicySet, Request,
};
use serde::Serialize;

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// A permit applies and no forbid does.
    Allowed,
    /// A forbid applies, or one that may apply could not be evaluated.
    Forbidden,
    /// No policy applies.
    NotPermitted,
}

/// The answer, and the policies that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The answer.
    pub ruling: Ruling,
    /// The `@id`s of the policies that decided, sorted.
    pub determining: Vec<String>,
    /// The `@id`s of the policies that could not be evaluated, sorted, each with Cedar's reason.
    pub errors: Vec<(String, String)>,
}

impl Verdict {
    /// Asks policies, all of which are evaluated.
    #[must_use]
    pub fn of<'a>(
        policies: impl IntoIterator<Item = &'a Policy>,
        request: &Request,
        entities: &Entities,
    ) -> Self {
        let mut set = PolicySet::new();
        for policy in policies {
            // Ids are unique within a snapshot: the only thing that could fail here.
            let _ = set.add(policy.clone());
        }
        Self::of_set(&set, request, entities)
    }

    /// Asks a whole set.
    #[must_use]
    pub fn of_set(set: &PolicySet, request: &Request, entities: &Entities) -> Self {
        let response = Authorizer::new().is_authorized(request, set, entities);
        let mut determining: Vec<String> = response
            .diagnostics()
            .reason()
            .map(ToString::to_string)
            .collect();
        let mut errors = Vec::new();
        let mut errored_forbids = Vec::new();
        for error in response.diagnostics().errors() {
            let AuthorizationError::PolicyEvaluationError(error) = error;
            let id = error.policy_id();
            let permits = set
                .policy(id)
                .is_some_and(|policy| policy.effect() == Effect::Permit);
            if !permits {
                errored_forbids.push(id.to_string());
            }
            errors.push((id.to_string(), error.inner().to_string()));
        }
        let ruling = match response.decision() {
            // Cedar skips what it cannot evaluate; the service denies what it may have forbidden.
            Decision::Allow if !errored_forbids.is_empty() => {
                determining = errored_forbids;
                Ruling::Forbidden
            }
            Decision::Allow => Ruling::Allowed,
            Decision::Deny if determining.is_empty() => Ruling::NotPermitted,
            Decision::Deny => Ruling::Forbidden,
        };
        determining.sort_unstable();
        errors.sort_unstable();
        Self {
            ruling,
            determining,
            errors,
        }
    }
}
