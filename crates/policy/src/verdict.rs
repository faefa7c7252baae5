//! What the service decides about a request that is at hand in Cedar's own form.

use cedar_policy::{Entities, Request};
use serde::Serialize;

use charter_authz::decision::{Denial, EvaluationError, Outcome};
use charter_authz::refusal::Refusal;
use charter_authz::snapshot::Snapshot;
use charter_domain::permission::Permission;

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

impl From<Outcome> for Ruling {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Allow => Self::Allowed,
            Outcome::Deny(Denial::ForbiddenByPolicy) => Self::Forbidden,
            Outcome::Deny(Denial::NotPermitted) => Self::NotPermitted,
        }
    }
}

/// The answer, and the policies that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The answer.
    pub ruling: Ruling,
    /// The error's code that a client is told; `None` of what is allowed.
    pub code: Option<String>,
    /// The error's sentence, where the policy that forbids it gives one.
    pub message: Option<String>,
    /// The `@id`s of the policies that decided, sorted.
    pub determining: Vec<String>,
    /// The policies that could not be evaluated, sorted by `@id`.
    pub errors: Vec<EvaluationError>,
}

impl Verdict {
    /// Asks a snapshot, as the service does. `entities` have the actions and their groups. What the
    /// schema does not let be asked is not permitted.
    #[must_use]
    pub fn of(snapshot: &Snapshot, request: &Request, entities: &Entities) -> Self {
        let action = request.action().map(|action| action.id().unescaped());
        let permission = action.and_then(|name| name.parse::<Permission>().ok());
        let Some(permission) = permission else {
            return Self {
                ruling: Ruling::NotPermitted,
                code: code(NOT_PERMITTED, None),
                message: None,
                determining: Vec::new(),
                errors: Vec::new(),
            };
        };
        let decision = snapshot.decide_again(permission, request, entities);
        Self {
            ruling: decision.outcome.into(),
            code: code(decision.outcome, decision.refusal.as_ref()),
            message: decision.refusal.and_then(|refusal| refusal.message),
            determining: decision.determining,
            errors: decision.errors,
        }
    }
}

const NOT_PERMITTED: Outcome = Outcome::Deny(Denial::NotPermitted);

fn code(outcome: Outcome, refusal: Option<&Refusal>) -> Option<String> {
    outcome.code(refusal).map(ToOwned::to_owned)
}
