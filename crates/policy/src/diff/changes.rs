//! How decisions of one policy set differ from those of another.

use serde::Serialize;

use crate::counterexample::{Counterexample, Named};
use crate::solver::Reason;

/// What becomes of one permission.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Permission {
    /// Requests that only the new set allows.
    pub wider: Vec<Change>,
    /// Requests that only the old set allows.
    pub narrower: Vec<Change>,
}

/// How a permission changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The same requests are allowed.
    Equal,
    /// Some are no longer allowed, none is new.
    Narrower,
    /// Some are newly allowed, none is lost.
    Wider,
    /// Some are newly allowed, others no longer.
    Both,
}

/// One kind of request that is not decided as before.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// The kind of request.
    pub request_type: String,
    /// A request that shows it; `None` if it could not be decided, which counts as a change.
    pub example: Option<Example>,
    /// Why there is no example.
    pub reason: Option<Reason>,
}

/// A request that the two sets answer differently. Both were tried.
#[derive(Debug, Clone, Serialize)]
pub struct Example {
    /// The request.
    pub request: Counterexample,
    /// Whether the new set allows it.
    pub is_allowed: bool,
    /// The old policies that decide; none if nothing permits it.
    pub old: Vec<Named>,
    /// The new policies that decide.
    pub new: Vec<Named>,
}

impl Change {
    pub(super) fn is_unfinished(&self) -> bool {
        let reason = self.reason.as_ref();
        self.example.is_none() && reason.is_some_and(Reason::is_unfinished)
    }
}

impl Permission {
    /// How it changes.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        match (self.wider.is_empty(), self.narrower.is_empty()) {
            (true, true) => Direction::Equal,
            (true, false) => Direction::Narrower,
            (false, true) => Direction::Wider,
            (false, false) => Direction::Both,
        }
    }
}

/// Why two sets could not be compared.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the policy sets cannot be compared: {0}")]
pub struct DiffError(pub(super) Reason);

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
