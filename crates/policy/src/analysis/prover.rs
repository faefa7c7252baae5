//! Asks all there is to prove of a policy set.

use super::cache::ProofCache;
use super::findings::{Claim, Finding, Proofs, Verdict};
use super::invariants::{ToProve, take_unfit, to_prove};
use super::known::Known;
use super::subject::Subject;
use super::{error_freedom, group_changes, observations, search, shadow, vacuity};
use crate::request_type::RequestType;
use crate::solver::{Budget, Limits, Reason, Solver, spread};
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::Clock;

/// What to prove, and how long to try.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Limits of the solver.
    pub limits: Limits,
    /// Also find permits that make no difference, which is slow.
    pub shadows: bool,
}

/// Proves all there is to prove of a snapshot: its own invariants, and those of what was in force
/// at start, which must also mean what they meant. It takes threads of its own and waits for them.
#[must_use]
pub fn prove(
    snapshot: &Snapshot,
    at_start: Option<&Snapshot>,
    solver: &Solver,
    options: &Options,
    clock: &dyn Clock,
) -> Proofs {
    prove_with(snapshot, at_start, solver, options, None, clock)
}

/// The same; what was proved before is not asked again, and what is proved now is kept.
pub(super) fn prove_with(
    snapshot: &Snapshot,
    at_start: Option<&Snapshot>,
    solver: &Solver,
    options: &Options,
    cache: Option<&ProofCache>,
    clock: &dyn Clock,
) -> Proofs {
    let budget = Budget::start(solver, options.limits, clock);
    let promised = at_start.map_or(&[][..], Snapshot::invariants);
    let mut invariants = to_prove(snapshot.invariants(), promised);
    let mut proofs = Proofs {
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
    let unfit = take_unfit(&mut invariants, snapshot.schema());
    let known = Known::load(cache, snapshot, solver);
    let proved = prove_into(&mut proofs, snapshot, &invariants, &known, &budget, options);
    known.save(proved.is_ok() && !proofs.is_unfinished());
    let moved = at_start.map_or(Ok(Vec::new()), |at_start| {
        group_changes::find(at_start, snapshot)
    });
    let moved = proved.and(moved).map(|moved| proofs.findings.extend(moved));
    proofs.findings.extend(unfit);
    if let Err(reason) = moved {
        proofs.findings.push(Finding {
            claim: Claim::Everything,
            request_type: None,
            and_more: 0,
            verdict: Verdict::NotProved { reason },
        });
    }
    proofs
}

fn prove_into(
    proofs: &mut Proofs,
    snapshot: &Snapshot,
    invariants: &[ToProve<'_>],
    known: &Known<'_>,
    budget: &Budget<'_>,
    options: &Options,
) -> Result<(), Reason> {
    let types = RequestType::all(snapshot.schema())?;
    proofs.request_types = types.len();
    let subject = Subject::new(snapshot, invariants, known);
    let looked = spread(budget, types.len(), |session, index| {
        types
            .get(index)
            .map(|request_type| search::search(&subject, request_type, index, session))
            .unwrap_or_default()
    })?;
    proofs.questions += looked.questions;
    let looked = looked.results;
    observations::keep(&subject, &looked);
    // A process that checks may be ended in the middle.
    known.save(false);
    let each = spread(budget, subject.policies.len(), |session, index| {
        [
            error_freedom::find(&subject, &types, &looked, index, session),
            vacuity::find(&subject, &types, &looked, index, session),
        ]
    })?;
    proofs.questions += each.questions;
    if options.shadows {
        let shadows = spread(budget, subject.policies.len(), |session, index| {
            shadow::find(&subject, &types, &looked, index, session)
        })?;
        proofs.questions += shadows.questions;
        proofs.shadows = shadows.results.into_iter().flatten().collect();
    }
    proofs.findings = looked
        .into_iter()
        .flat_map(|looked| looked.findings)
        .chain(each.results.into_iter().flatten().flatten())
        .collect();
    // A policy that may fail first: if it is a forbid, what it guards is open.
    proofs.findings.sort_by_key(|finding| match finding.claim {
        Claim::NeverErrors { .. } => 0,
        Claim::Invariant { .. } => 1,
        Claim::CanMatch { .. } => 2,
        Claim::Everything => 3,
    });
    Ok(())
}
