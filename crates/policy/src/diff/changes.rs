//! How the decisions of two policy sets differ.

use serde::Serialize;

use crate::counterexample::{Counterexample, LocatedPolicy};
use crate::solver::OpenReason;

/// The change of one permission.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PermissionDiff {
    /// Requests that only the new set allows.
    pub wider: Vec<RequestChange>,
    /// Requests that only the old set allows.
    pub narrower: Vec<RequestChange>,
}

/// The direction of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiffDirection {
    /// The same requests are allowed.
    Equal,
    /// Some requests are no longer allowed, none is new.
    Narrower,
    /// Some requests are newly allowed, none is lost.
    Wider,
    /// Some requests are newly allowed, others no longer.
    Both,
}

/// A request type that is decided differently.
#[derive(Debug, Clone, Serialize)]
pub struct RequestChange {
    /// The request type.
    pub request_type: String,
    /// A request that shows the change; `None` if the comparison is undecided, which counts as a
    /// change.
    pub example: Option<DiffExample>,
    /// Why there is no example.
    pub reason: Option<OpenReason>,
}

/// A request that the two sets answer differently, confirmed by evaluation.
#[derive(Debug, Clone, Serialize)]
pub struct DiffExample {
    /// The request.
    pub request: Counterexample,
    /// Whether the new set allows it.
    pub is_allowed: bool,
    /// The old policies that decide; empty if nothing permits it.
    pub old: Vec<LocatedPolicy>,
    /// The new policies that decide.
    pub new: Vec<LocatedPolicy>,
}

impl RequestChange {
    pub(super) fn is_unfinished(&self) -> bool {
        let reason = self.reason.as_ref();
        self.example.is_none() && reason.is_some_and(OpenReason::is_unfinished)
    }
}

impl PermissionDiff {
    /// The direction of the change.
    #[must_use]
    pub const fn direction(&self) -> DiffDirection {
        match (self.wider.is_empty(), self.narrower.is_empty()) {
            (true, true) => DiffDirection::Equal,
            (true, false) => DiffDirection::Narrower,
            (false, true) => DiffDirection::Wider,
            (false, false) => DiffDirection::Both,
        }
    }
}

/// Why two sets could not be compared.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the policy sets cannot be compared: {0}")]
pub struct DiffError(pub(super) OpenReason);

impl DiffError {
    /// Whether another try may succeed.
    #[must_use]
    pub const fn is_unfinished(&self) -> bool {
        self.0.is_unfinished()
    }
}

impl From<String> for DiffError {
    fn from(reason: String) -> Self {
        Self(reason.into())
    }
}
