//! Leads a candidate through the gates.

use std::time::Duration;

use super::loaded::Loaded;
use super::request::{CheckRequest, Demand};
use super::verdict::{Gate, Verdict};
use crate::analysis::cache::ProofCache;
use crate::analysis::{self, prove_for_gate};
use crate::solver::{self, Solver};
use crate::{diff, test};
use charter_authz::fault::LoadError;
use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::Clock;

/// How long an emergency stop may be looked at by the solver.
const MOST_FOR_A_STOP: Duration = Duration::from_secs(2);

/// Leads a candidate through the gates. After a fault it goes on where that makes sense, so that
/// one run shows all.
#[must_use]
pub fn run(request: &CheckRequest, clock: &dyn Clock) -> Verdict {
    // Both were in force. Without them what they promise could not be held against the candidate.
    let unreadable = |error: LoadError| {
        let report = format!("what is in force cannot be read again\n{}", error.report());
        Verdict::refused(Gate::Validation, report)
    };
    let live = request
        .live
        .as_ref()
        .map(|files| Loaded::accepted(request, files));
    let live = match live.transpose() {
        Ok(live) => live,
        Err(error) => return unreadable(error),
    };
    let candidate = match Loaded::after(live.as_ref(), request, &request.candidate) {
        Ok(loaded) => loaded,
        Err(error) => return Verdict::refused(Gate::Validation, error.report()),
    };
    // Often it is one folder; of thousands of policies each reading counts.
    let at_start = match &request.baseline {
        Some(files) if request.live.as_ref() != Some(files) => {
            Some(Loaded::after(live.as_ref(), request, files))
        }
        _ => None,
    };
    let at_start = match at_start.transpose() {
        Ok(at_start) => at_start,
        Err(error) => return unreadable(error),
    };
    let mut gates = Gates {
        verdict: Verdict::default(),
        unfinished: 0,
        only_forbids: request.is_stop
            || live
                .as_ref()
                .is_some_and(|live| candidate.only_adds_forbids_to(live)),
    };
    gates.tests(request, &candidate);
    let at_start = match &request.baseline {
        Some(_) => at_start.as_ref().or(live.as_ref()),
        None => None,
    };
    let at_start = at_start.map(|loaded| &loaded.snapshot);
    gates.proofs(request, &candidate, at_start, clock);
    if let Some(live) = &live {
        gates.widening(request, live, &candidate, clock);
    }
    let refusals = gates.verdict.refusals.len();
    gates.verdict.unfinished = refusals > 0 && gates.unfinished == refusals;
    gates.verdict
}

/// On the way through the gates.
struct Gates {
    verdict: Verdict,
    /// How many refusals are for lack of time, or of a solver that answers.
    unfinished: usize,
    /// The edit is an emergency stop: it can only take away, and must not be held up.
    only_forbids: bool,
}

impl Gates {
    fn tests(&mut self, request: &CheckRequest, candidate: &Loaded) {
        if request.tests == Demand::No {
            return;
        }
        if candidate.folder.tests().is_empty() {
            let report = "the folder has no examples (`tests/*.json`)";
            if request.tests == Demand::Must {
                self.hold_unless_it_stops(Gate::Tests, report);
            } else {
                self.verdict.warn(Gate::Tests, report);
            }
            return;
        }
        match test::run(&candidate.folder, &candidate.snapshot) {
            Ok(report) if report.holds(request.min_coverage) => {}
            Ok(report) => self.hold_unless_it_stops(Gate::Tests, report.text(request.min_coverage)),
            Err(error) => self.hold_unless_it_stops(Gate::Tests, error.report()),
        }
    }

    fn proofs(
        &mut self,
        request: &CheckRequest,
        candidate: &Loaded,
        at_start: Option<&Snapshot>,
        clock: &dyn Clock,
    ) {
        if request.proofs == Demand::No {
            return;
        }
        let solver = match Solver::find(request.solver.as_deref()) {
            Ok(solver) => solver,
            Err(error) if request.proofs == Demand::IfPossible && error.is_absent() => {
                self.verdict.not_run.insert(Gate::Proofs, error.to_string());
                return;
            }
            // It may be there and not answer now.
            Err(error) => {
                self.unfinished += usize::from(!self.only_forbids);
                return self.hold_unless_it_stops(Gate::Proofs, error.to_string());
            }
        };
        let cache = request.proofs_kept.as_ref().map(|kept| ProofCache {
            dir: kept.dir.clone(),
            key: kept.key.to_vec().into(),
            read_only: kept.read_only,
        });
        let snapshot = &candidate.snapshot;
        let options = analysis::Options {
            limits: self.limits(request),
            shadows: false,
        };
        match prove_for_gate(snapshot, at_start, &solver, &options, cache.as_ref(), clock) {
            Ok(_proofs) => self.verdict.proved = true,
            // More forbids break no promise. That one may fail is another matter.
            Err(unproved)
                if self.only_forbids && !unproved.proofs.findings.iter().any(can_fail) =>
            {
                self.hold_unless_it_stops(Gate::Proofs, unproved.report);
            }
            Err(unproved) => {
                self.unfinished += usize::from(unproved.is_unfinished());
                let mut report = unproved.report;
                if unproved.proofs.findings.iter().any(was_promised_at_start) {
                    report.push_str(&how_to_approve(&candidate.folder));
                }
                self.verdict.refuse(Gate::Proofs, report);
            }
        }
    }

    fn widening(
        &mut self,
        request: &CheckRequest,
        live: &Loaded,
        candidate: &Loaded,
        clock: &dyn Clock,
    ) {
        // What was refused already need not be approved, too.
        if !request.hold_widening || self.only_forbids || !self.verdict.refusals.is_empty() {
            return;
        }
        let (report, is_unfinished) = match Solver::find(request.solver.as_deref()) {
            Err(error) => (error.to_string(), !error.is_absent()),
            Ok(solver) => {
                let (live, candidate) = (&live.snapshot, &candidate.snapshot);
                match diff::widens(live, candidate, &solver, self.limits(request), clock) {
                    Ok(diff) if !diff.is_wider() => return,
                    Ok(diff) => (diff.report(), diff.is_unfinished()),
                    Err(error) => (error.to_string(), error.is_unfinished()),
                }
            }
        };
        self.unfinished += usize::from(is_unfinished);
        let report = report + &how_to_approve(&candidate.folder);
        self.verdict.refuse(Gate::Widening, report);
    }

    /// A stop that is not in force yet is not held up by what may be told of it later.
    fn limits(&self, request: &CheckRequest) -> solver::Limits {
        let mut whole = request.time * 2 / 5;
        if self.only_forbids && !request.is_stop {
            whole = whole.min(MOST_FOR_A_STOP);
        }
        solver::Limits {
            whole,
            ..solver::Limits::default()
        }
    }

    fn hold_unless_it_stops(&mut self, gate: Gate, report: impl Into<String>) {
        if self.only_forbids {
            self.verdict.is_stop = true;
            self.verdict.warn(gate, report);
        } else {
            self.verdict.refuse(gate, report);
        }
    }
}

fn can_fail(finding: &analysis::Finding) -> bool {
    let refuted = matches!(finding.verdict, analysis::Verdict::Refuted { .. });
    refuted && matches!(finding.claim, analysis::Claim::NeverErrors { .. })
}

const fn was_promised_at_start(finding: &analysis::Finding) -> bool {
    matches!(
        finding.claim,
        analysis::Claim::Invariant { at_start: true, .. }
    )
}

/// What an operator does who wants a folder in force though it is held back.
#[must_use]
pub fn how_to_approve(candidate: &Folder) -> String {
    format!(
        "\nif that is meant: charter policy approve {} --reason '…'",
        candidate.whole_digest()
    )
}
