//! Why a claim is open.

use std::fmt;

use cedar_policy_symcc::err::SolverError;
use serde::Serialize;

/// A sentence, and whether another try may end otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Reason {
    text: String,
    unfinished: bool,
}

impl Reason {
    /// The time was over, or the solver stopped.
    pub(crate) fn unfinished(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            unfinished: true,
        }
    }

    /// Of a solver that gives no answer. One that answers what nobody understands came to its end.
    pub(super) fn of(error: &SolverError) -> Self {
        Self {
            text: format!("the solver failed: {error}"),
            unfinished: !matches!(error, SolverError::UnrecognizedSolverOutput(_)),
        }
    }

    /// Whether only time was missing, or a solver that goes on.
    #[must_use]
    pub const fn is_unfinished(&self) -> bool {
        self.unfinished
    }

    /// Where both leave a claim open: the one that another try would not remove.
    pub(crate) fn or(self, earlier: Option<Self>) -> Self {
        match earlier {
            Some(earlier) if self.unfinished && !earlier.unfinished => earlier,
            _ => self,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Another try would end alike.
impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self {
            text,
            unfinished: false,
        }
    }
}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.text
    }
}
