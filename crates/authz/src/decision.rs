//! Decisions and their reasons.

use std::sync::Arc;

use super::refusal::Refusal;
use charter_domain::permission::Permission;

/// A decision with everything that an audit or a log needs to explain it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub outcome: Outcome,
    /// Code and message of the forbid that refuses; `None` if a forbid failed to evaluate.
    pub refusal: Option<Refusal>,
    pub permission: Permission,
    /// `@id`s of the determining policies, sorted; empty if no policy applies.
    pub determining: Vec<String>,
    /// Policies that failed to evaluate, sorted by `@id`.
    pub errors: Vec<EvaluationError>,
    /// Digest of the policy set.
    pub policy_digest: Arc<str>,
}

impl Decision {
    pub fn is_allowed(&self) -> bool {
        self.outcome == Outcome::Allow
    }
}

/// What policies say to a request, whatever it asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVerdict {
    pub outcome: Outcome,
    /// As in [`Decision::refusal`].
    pub refusal: Option<Refusal>,
    /// As in [`Decision::determining`].
    pub determining: Vec<String>,
    /// As in [`Decision::errors`].
    pub errors: Vec<EvaluationError>,
}

impl From<Decision> for PolicyVerdict {
    fn from(decision: Decision) -> Self {
        Self {
            outcome: decision.outcome,
            refusal: decision.refusal,
            determining: decision.determining,
            errors: decision.errors,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A policy permits it and none forbids it.
    Allow,
    Deny(Denial),
}

impl Outcome {
    /// The error code for the client (contract section 2); `None` if it is allowed.
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
    /// A policy forbids it, or one that might have forbidden it failed to evaluate.
    ForbiddenByPolicy,
}

/// A policy that failed to evaluate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EvaluationError {
    /// Its `@id`.
    pub policy: String,
    pub message: String,
}
