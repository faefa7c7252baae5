//! Proves all claims about a policy set.

use super::analysed_set::AnalysedSet;
use super::claim_cache::ClaimCache;
use super::findings::{Claim, ProofFinding, ProofReport, ProofVerdict};
use super::invariants::{InvariantToProve, to_prove};
use super::proof_cache::ProofCache;
use super::{error_freedom, group_changes, observations, observe, redundancy, vacuity};
use crate::request_type::RequestType;
use crate::solver::{OpenReason, Solver, SolverBudget, SolverLimits, run_parallel};
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::Clock;

/// What to prove, and within which limits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Limits of the solver.
    pub limits: SolverLimits,
    /// Whether to search for redundant permits, which is slow.
    pub shadows: bool,
}

/// Proves a snapshot's own invariants and those of `at_start`, which must also keep their meaning.
/// Blocks until its worker threads are done.
#[must_use]
pub fn prove(
    snapshot: &Snapshot,
    at_start: Option<&Snapshot>,
    solver: &Solver,
    options: &Options,
    clock: &dyn Clock,
) -> ProofReport {
    prove_with(snapshot, at_start, solver, options, None, clock)
}

/// Like [`prove`], but skips claims that are in the cache and caches new ones.
pub(super) fn prove_with(
    snapshot: &Snapshot,
    at_start: Option<&Snapshot>,
    solver: &Solver,
    options: &Options,
    cache: Option<&ProofCache>,
    clock: &dyn Clock,
) -> ProofReport {
    let budget = SolverBudget::start(solver, options.limits, clock);
    let promised = at_start.map_or(&[][..], Snapshot::invariants);
    let invariants = to_prove(snapshot.invariants(), promised);
    let mut proofs = ProofReport {
        findings: Vec::new(),
        shadows: Vec::new(),
        request_types: 0,
        policies: snapshot.policies().policies().count(),
        invariants: invariants
            .iter()
            .map(|i| i.invariant.name.clone())
            .collect(),
        questions: 0,
        solver: solver.version().to_owned(),
        from_cache: false,
    };
    let known = ClaimCache::load(cache, snapshot, solver);
    let proved = prove_into(&mut proofs, snapshot, &invariants, &known, &budget, options);
    known.save(proved.is_ok() && !proofs.is_unfinished());
    let moved = at_start.map_or(Ok(Vec::new()), |at_start| {
        group_changes::check(at_start, snapshot)
    });
    let moved = proved.and(moved).map(|moved| proofs.findings.extend(moved));
    if let Err(reason) = moved {
        proofs.findings.push(ProofFinding {
            claim: Claim::Everything,
            request_type: None,
            and_more: 0,
            verdict: ProofVerdict::NotProved { reason },
        });
    }
    proofs
}

fn prove_into(
    proofs: &mut ProofReport,
    snapshot: &Snapshot,
    invariants: &[InvariantToProve<'_>],
    known: &ClaimCache<'_>,
    budget: &SolverBudget<'_>,
    options: &Options,
) -> Result<(), OpenReason> {
    let types = RequestType::all(snapshot.schema())?;
    proofs.request_types = types.len();
    let subject = AnalysedSet::new(snapshot, invariants, known);
    let observations = run_parallel(budget, types.len(), |session, index| {
        types
            .get(index)
            .map(|request_type| observe::search(&subject, request_type, index, session))
            .unwrap_or_default()
    })?;
    proofs.questions += observations.queries;
    let observations = observations.results;
    observations::keep(&subject, &observations);
    // The checking process may be killed at any time: save early.
    known.save(false);
    let each = run_parallel(budget, subject.policies.len(), |session, index| {
        [
            error_freedom::check(&subject, &types, &observations, index, session),
            vacuity::check(&subject, &types, &observations, index, session),
        ]
    })?;
    proofs.questions += each.queries;
    if options.shadows {
        let shadows = run_parallel(budget, subject.policies.len(), |session, index| {
            redundancy::check(&subject, &types, &observations, index, session)
        })?;
        proofs.questions += shadows.queries;
        proofs.shadows = shadows.results.into_iter().flatten().collect();
    }
    proofs.findings = observations
        .into_iter()
        .flat_map(|observations| observations.findings)
        .chain(each.results.into_iter().flatten().flatten())
        .collect();
    // Possible failures first: where a forbid fails, what it guards is open.
    proofs.findings.sort_by_key(|finding| match finding.claim {
        Claim::NeverErrors { .. } => 0,
        Claim::Invariant { .. } => 1,
        Claim::CanMatch { .. } => 2,
        Claim::Everything => 3,
    });
    Ok(())
}
