//! Results of the analysis: claims that do not hold, and permits that make no difference.

use serde::Serialize;

use crate::counterexample::{Counterexample, LocatedPolicy};
use crate::solver::{DOES_NOT_REPRODUCE, OpenReason};

/// Result of proving a policy set.
#[derive(Debug, Clone, Serialize)]
pub struct ProofReport {
    /// Claims that do not hold or could not be proved. Empty if everything is proved.
    pub findings: Vec<ProofFinding>,
    /// Redundant permits, if the search was requested.
    pub shadows: Vec<RedundantPermit>,
    /// Number of request types in the schema.
    pub request_types: usize,
    /// Number of policies.
    pub policies: usize,
    /// Names of the invariants.
    pub invariants: Vec<String>,
    /// Number of claims that needed the solver.
    pub questions: usize,
    /// Version of the solver.
    pub solver: String,
    /// Whether the result comes from the cache.
    pub from_cache: bool,
}

impl ProofReport {
    /// Whether every claim was proved.
    #[must_use]
    pub const fn is_proved(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether nothing was refuted and only time or the solver was lacking, so that another try may
    /// succeed.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        !self.is_proved() && self.findings.iter().all(ProofFinding::is_unfinished)
    }
}

impl ProofFinding {
    pub(super) const fn is_unfinished(&self) -> bool {
        match &self.verdict {
            ProofVerdict::NotProved { reason } => reason.is_unfinished(),
            ProofVerdict::Refuted { .. } | ProofVerdict::Never => false,
        }
    }
}

/// A claim that does not hold or is open.
#[derive(Debug, Clone, Serialize)]
pub struct ProofFinding {
    /// The claim.
    pub claim: Claim,
    /// The request type; `None` if the finding is about all of them.
    pub request_type: Option<String>,
    /// How many further request types may be affected in the same way.
    pub and_more: usize,
    /// What is wrong with the claim.
    pub verdict: ProofVerdict,
}

/// A claim about a policy set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Claim {
    /// The invariant allows whatever the policies allow.
    Invariant {
        /// File name without its extension.
        name: String,
        /// Whether the invariant is the one that was in force when the service started.
        at_start: bool,
    },
    /// The policy evaluates without error for each request.
    NeverErrors {
        /// The policy.
        policy: LocatedPolicy,
    },
    /// The policy matches some request.
    CanMatch {
        /// The policy.
        policy: LocatedPolicy,
        /// Whether it is a forbid.
        forbid: bool,
    },
    /// The analysis as a whole.
    Everything,
}

/// Why a claim is not proved.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum ProofVerdict {
    /// A request contradicts it; the request was confirmed by evaluation.
    Refuted {
        /// The contradicting request.
        counterexample: Box<Counterexample>,
        /// The policies that decide the request.
        by: Vec<LocatedPolicy>,
    },
    /// No request satisfies it.
    Never,
    /// Undecided, which counts as not holding.
    NotProved {
        /// Why it is undecided.
        reason: OpenReason,
    },
}

/// A permit that makes no difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RedundantPermit {
    /// The permit.
    pub policy: LocatedPolicy,
    /// What makes it redundant.
    pub by: RedundancyCause,
}

/// Why a permit is redundant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "policies", rename_all = "kebab-case")]
pub enum RedundancyCause {
    /// These permits allow everything that it allows.
    Permits(Vec<LocatedPolicy>),
    /// Forbids deny everything that it allows.
    Forbids,
}

pub(super) fn not_proved(reason: impl Into<OpenReason>) -> ProofVerdict {
    ProofVerdict::NotProved {
        reason: reason.into(),
    }
}

pub(super) fn not_reproduced() -> ProofVerdict {
    not_proved(DOES_NOT_REPRODUCE)
}
