//! What policy answered, and why.

use std::sync::Arc;

use super::refusal::Refusal;
use charter_domain::permission::Permission;

/// An answer, with all that an audit or a log needs to explain it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub outcome: Outcome,
    /// What the forbid that refuses says of it; nothing where a forbid could not be evaluated.
    pub refusal: Option<Refusal>,
    pub permission: Permission,
    /// The `@id`s of the policies that decided, sorted; none if no policy spoke for it.
    pub determining: Vec<String>,
    /// Policies that could not be evaluated, sorted by `@id`.
    pub errors: Vec<EvaluationError>,
    /// The digest of the policy set that answered.
    pub policy_digest: Arc<str>,
}

impl Decision {
    pub fn is_allowed(&self) -> bool {
        self.outcome == Outcome::Allow
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A policy permits it and none forbids it.
    Allow,
    Deny(Denial),
}

impl Outcome {
    /// The code that a client is told (contract section 2); `None` of what is allowed.
    pub fn code(self, refusal: Option<&Refusal>) -> Option<&str> {
        match self {
            Self::Allow => None,
            Self::Deny(Denial::NotPermitted) => Some("NOT_PERMITTED"),
            Self::Deny(Denial::ForbiddenByPolicy) => Some(
                refusal
                    .and_then(|refusal| refusal.code.as_deref())
                    .unwrap_or("FORBIDDEN_BY_POLICY"),
            ),
        }
    }
}

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
    /// The `@id`.
    pub policy: String,
    pub message: String,
}
