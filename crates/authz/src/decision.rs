//! What policy answered, and why.

use std::sync::Arc;

use super::refusal::Refusal;
use charter_domain::permission::Permission;

/// An answer, with all that an audit or a log needs to explain it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The answer.
    pub outcome: Outcome,
    /// What the forbid that refuses says of it; nothing where a forbid could not be evaluated.
    pub refusal: Option<Refusal>,
    /// What was asked for.
    pub permission: Permission,
    /// The `@id`s of the policies that decided, sorted; none if no policy spoke for it.
    pub determining: Vec<String>,
    /// Policies that could not be evaluated, sorted by `@id`.
    pub errors: Vec<EvaluationError>,
    /// The digest of the policy set that answered.
    pub policy_digest: Arc<str>,
}

impl Decision {
    /// Whether it may be done.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.outcome == Outcome::Allow
    }
}

/// The answer itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A policy permits it and none forbids it.
    Allow,
    /// It may not be done.
    Deny(Denial),
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Denial {
    /// No policy permits it.
    NotPermitted,
    /// A policy forbids it, or one that may have forbidden it could not be evaluated.
    ForbiddenByPolicy,
}

/// A policy that could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EvaluationError {
    /// Its `@id`.
    pub policy: String,
    /// What went wrong.
    pub message: String,
}
