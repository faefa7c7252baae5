//! Compares the decisions of two policy sets.

use charter_authz::decision::Outcome;
use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// It denies what was allowed.
    Narrower,
    /// Both deny, for different reasons.
    Reason,
    /// It allows what was denied.
    Wider,
}

impl Direction {
    /// The label in metrics and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wider => "wider",
            Self::Narrower => "narrower",
            Self::Reason => "reason",
        }
    }

    /// How `other` differs from `decided`; `None` if they are equal.
    pub fn between(decided: Outcome, other: Outcome) -> Option<Self> {
        match (decided, other) {
            (decided, other) if decided == other => None,
            (_, Outcome::Allow) => Some(Self::Wider),
            (Outcome::Allow, _) => Some(Self::Narrower),
            _ => Some(Self::Reason),
        }
    }
}
