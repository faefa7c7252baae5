//! The service's decision about a request in Cedar's own form.

use cedar_policy::{Entities, Request};
use serde::Serialize;

use charter_authz::decision::{Denial, EvaluationError, Outcome};
use charter_authz::refusal::Refusal;
use charter_authz::snapshot::Snapshot;
use charter_domain::permission::Permission;

/// The decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// A permit applies and no forbid does.
    Allowed,
    /// A forbid applies, or one that may apply fails to evaluate.
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

/// A decision with the policies that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotDecision {
    /// The decision.
    pub ruling: Ruling,
    /// The error code for the client; `None` if the request is allowed.
    pub code: Option<String>,
    /// The error message of the forbid, if it has one.
    pub message: Option<String>,
    /// `@id`s of the determining policies, sorted.
    pub determining: Vec<String>,
    /// The policies that failed to evaluate, sorted by `@id`.
    pub errors: Vec<EvaluationError>,
}

impl SnapshotDecision {
    /// Evaluates a request as the service does. `entities` must include the actions and their
    /// groups. A request that the schema does not allow is not permitted.
    #[must_use]
    pub fn of(snapshot: &Snapshot, request: &Request, entities: &Entities) -> Self {
        if snapshot.is_custom_domain() {
            let verdict = snapshot.judge(request, entities);
            return Self {
                ruling: verdict.outcome.into(),
                code: code(verdict.outcome, verdict.refusal.as_ref()),
                message: verdict.refusal.and_then(|refusal| refusal.message),
                determining: verdict.determining,
                errors: verdict.errors,
            };
        }
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
        let decision = snapshot.decide_request(permission, request, entities);
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
