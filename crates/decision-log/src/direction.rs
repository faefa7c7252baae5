//! How another policy set differs from the one that decides.

use charter_authz::decision::Outcome;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// It allows what is denied.
    Wider,
    /// It denies what is allowed.
    Narrower,
    /// It denies as well, for another reason.
    Reason,
}

impl Direction {
    /// Its text in metrics and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wider => "wider",
            Self::Narrower => "narrower",
            Self::Reason => "reason",
        }
    }

    /// How `other` differs from `decided`; `None` if both say the same.
    pub fn between(decided: Outcome, other: Outcome) -> Option<Self> {
        match (decided, other) {
            (decided, other) if decided == other => None,
            (_, Outcome::Allow) => Some(Self::Wider),
            (Outcome::Allow, _) => Some(Self::Narrower),
            _ => Some(Self::Reason),
        }
    }
}
