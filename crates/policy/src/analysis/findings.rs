//! What comes of proofs: claims that do not hold, and permits that make no difference.

use serde::Serialize;

use crate::counterexample::{Counterexample, Named};
use crate::solver::{DOES_NOT_REPRODUCE, Reason};

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Proofs {
    /// What does not hold, or could not be proved; without any, all is proved.
    pub findings: Vec<Finding>,
    /// Permits that make no difference, if that was asked.
    pub shadows: Vec<Shadow>,
    /// How many kinds of request the schema allows.
    pub request_types: usize,
    /// How many policies there are.
    pub policies: usize,
    /// The names of the invariants.
    pub invariants: Vec<String>,
    /// How many claims needed the solver.
    pub questions: usize,
    /// The solver's version.
    pub solver: String,
    /// Whether all this was proved earlier, and only looked up now.
    pub from_cache: bool,
}

impl Proofs {
    /// Whether all was proved.
    #[must_use]
    pub const fn is_proved(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether nothing was found wrong, but there was too little time, or the solver stopped:
    /// another try may prove it.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        !self.is_proved() && self.findings.iter().all(Finding::is_unfinished)
    }
}

impl Finding {
    pub(super) const fn is_unfinished(&self) -> bool {
        match &self.verdict {
            Verdict::NotProved { reason } => reason.is_unfinished(),
            Verdict::Refuted { .. } | Verdict::Never => false,
        }
    }
}

/// A claim that does not hold, or is open.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What was to be proved.
    pub claim: Claim,
    /// For which kind of request; all of them if it is not said.
    pub request_type: Option<String>,
    /// For how many more kinds of request the same may be wrong.
    pub and_more: usize,
    /// What is wrong.
    pub verdict: Verdict,
}

/// What is to be proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Claim {
    /// Whatever is allowed, an invariant allows.
    Invariant {
        /// The file's name without its extension.
        name: String,
        /// Whether it is not the folder's, but one that was in force before.
        at_start: bool,
    },
    /// A policy can be evaluated for each request.
    NeverErrors {
        /// Which.
        policy: Named,
    },
    /// A policy matches some request.
    CanMatch {
        /// Which.
        policy: Named,
        /// Whether it is a forbid.
        forbid: bool,
    },
    /// Anything at all.
    Everything,
}

/// What is wrong with a claim.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Verdict {
    /// There is a request for which it does not hold. It was tried.
    Refuted {
        /// The request.
        counterexample: Box<Counterexample>,
        /// The policies that decide it.
        by: Vec<Named>,
    },
    /// It holds for none.
    Never,
    /// Not known, which is as bad.
    NotProved {
        /// Why.
        reason: Reason,
    },
}

/// A permit that makes no difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shadow {
    /// Which.
    pub policy: Named,
    /// Why not.
    pub by: ShadowedBy,
}

/// Why a permit makes no difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "policies", rename_all = "kebab-case")]
pub enum ShadowedBy {
    /// These permits allow all that it allows.
    Permits(Vec<Named>),
    /// Forbids deny all that it allows.
    Forbids,
}

pub(super) fn not_proved(reason: impl Into<Reason>) -> Verdict {
    Verdict::NotProved {
        reason: reason.into(),
    }
}

pub(super) fn not_reproduced() -> Verdict {
    not_proved(DOES_NOT_REPRODUCE)
}
