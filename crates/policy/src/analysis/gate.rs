//! The proofs as a gate before a policy set is served.

use super::findings::ProofReport;
use super::proof_cache::ProofCache;
use super::prover::{Options, prove_with};
use crate::solver::Solver;
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::Clock;

/// Not every claim was proved.
#[derive(Debug, Clone)]
pub struct NotProved {
    /// The findings with their counterexamples, as plain text for a log.
    pub report: String,
    /// The findings as data.
    pub proofs: Box<ProofReport>,
}

impl NotProved {
    /// Whether another try may succeed, because only time or the solver was lacking.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.proofs.is_unfinished()
    }
}

impl std::fmt::Display for NotProved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.report)
    }
}

impl std::error::Error for NotProved {}

/// Like [`prove`], but consults the cache first and stores a successful result in it.
///
/// # Errors
///
/// A claim does not hold or could not be proved.
pub fn prove_for_gate(
    snapshot: &Snapshot,
    at_start: Option<&Snapshot>,
    solver: &Solver,
    options: &Options,
    cache: Option<&ProofCache>,
    clock: &dyn Clock,
) -> Result<ProofReport, NotProved> {
    if let Some(known) = cache.and_then(|cache| cache.get(snapshot, at_start, solver)) {
        return Ok(known);
    }
    let proofs = prove_with(snapshot, at_start, solver, options, cache, clock);
    if !proofs.is_proved() {
        return Err(NotProved {
            report: proofs.report(),
            proofs: Box::new(proofs),
        });
    }
    if let Some(cache) = cache {
        cache.insert(snapshot, at_start, solver, &proofs);
    }
    Ok(proofs)
}
