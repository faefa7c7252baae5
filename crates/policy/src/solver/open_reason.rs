//! Why a claim is open.

use std::fmt;

use cedar_policy_symcc::err::SolverError;
use serde::Serialize;

/// A message, and whether another try may end differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct OpenReason {
    text: String,
    unfinished: bool,
}

impl OpenReason {
    /// The time was over, or the solver stopped.
    pub(crate) fn unfinished(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            unfinished: true,
        }
    }

    /// A solver that gives no answer is unfinished; one whose answer cannot be parsed is not.
    pub(super) fn of(error: &SolverError) -> Self {
        Self {
            text: format!("the solver failed: {error}"),
            unfinished: !matches!(error, SolverError::UnrecognizedSolverOutput(_)),
        }
    }

    /// Whether only time or the solver was lacking.
    #[must_use]
    pub const fn is_unfinished(&self) -> bool {
        self.unfinished
    }

    /// Of two reasons, the one that another try would not resolve.
    pub(crate) fn or(self, earlier: Option<Self>) -> Self {
        match earlier {
            Some(earlier) if self.unfinished && !earlier.unfinished => earlier,
            _ => self,
        }
    }
}

impl fmt::Display for OpenReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Another try would end the same.
impl From<String> for OpenReason {
    fn from(text: String) -> Self {
        Self {
            text,
            unfinished: false,
        }
    }
}

impl From<&str> for OpenReason {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<OpenReason> for String {
    fn from(open_reason: OpenReason) -> Self {
        open_reason.text
    }
}
