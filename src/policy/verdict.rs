//! What the service decides about a request that is at hand in Cedar's own form.

use cedar_policy::{Entities, Request};
use serde::Serialize;

use crate::authz::decision::{Denial, EvaluationError, Outcome};
use crate::authz::snapshot::Snapshot;
use crate::domain::permission::Permission;

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
                determining: Vec::new(),
                errors: Vec::new(),
            };
        };
        let decision = snapshot.decide_again(permission, request, entities);
        Self {
            ruling: decision.outcome.into(),
            determining: decision.determining,
            errors: decision.errors,
        }
    }
}
