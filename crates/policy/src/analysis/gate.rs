//! The proofs as a gate before a policy set is served.

use super::cache::ProofCache;
use super::findings::Proofs;
use super::prover::{Options, prove_with};
use crate::solver::Solver;
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::Clock;

/// Not all was proved.
#[derive(Debug, Clone)]
pub struct NotProved {
    /// What, with counterexamples, in several lines for a log.
    pub report: String,
    /// The same, in parts.
    pub proofs: Box<Proofs>,
}

impl NotProved {
    /// Whether only time was missing, or a solver that goes on: another try may prove it.
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

/// As [`prove`], but looks first whether the same was proved before, and remembers what was.
///
/// # Errors
///
/// Something does not hold, or could not be proved.
pub fn prove_for_gate(
    snapshot: &Snapshot,
    at_start: Option<&Snapshot>,
    solver: &Solver,
    options: &Options,
    cache: Option<&ProofCache>,
    clock: &dyn Clock,
) -> Result<Proofs, NotProved> {
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
        cache.put(snapshot, at_start, solver, &proofs);
    }
    Ok(proofs)
}
