//! Runs the gates.

use std::path::Path;
use std::time::Duration;

use super::loaded_folder::LoadedFolder;
use super::request::{CheckRequest, GateRequirement};
use super::verdict::{GateVerdict, PolicyGate};
use crate::analysis::proof_cache::ProofCache;
use crate::analysis::{self, prove_for_gate};
use crate::solver::{self, Solver};
use crate::{diff, test};
use charter_authz::fault::LoadError;
use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::Clock;

/// Time of the solver for an emergency stop.
const STOP_SOLVER_TIME: Duration = Duration::from_secs(2);

/// Runs the gates for a candidate. A failed gate does not stop the others where they can still run,
/// so that one run reports everything.
#[must_use]
pub fn run(request: &CheckRequest, clock: &dyn Clock) -> GateVerdict {
    // Both were in force. If they cannot be read, their promises cannot be checked, so the
    // candidate is refused.
    let unreadable = |error: LoadError| {
        let report = format!(
            "the policies in force cannot be loaded again\n{}",
            error.report()
        );
        GateVerdict::refused(PolicyGate::Validation, report)
    };
    let began = clock.monotonic();
    let live = request
        .live
        .as_ref()
        .map(|files| LoadedFolder::accepted(request, files));
    let live = match live.transpose() {
        Ok(live) => live,
        Err(error) => return unreadable(error),
    };
    let candidate = match LoadedFolder::after(live.as_ref(), request, &request.candidate) {
        Ok(loaded) => loaded,
        Err(error) => {
            let mut verdict = GateVerdict::refused(PolicyGate::Validation, error.report());
            verdict.detail(PolicyGate::Validation, error.document());
            return verdict;
        }
    };
    let validated = clock.monotonic();
    // Often the baseline is what is in force; loading thousands of policies twice is slow.
    let at_start = match &request.baseline {
        Some(files) if request.live.as_ref() != Some(files) => {
            Some(LoadedFolder::after(live.as_ref(), request, files))
        }
        _ => None,
    };
    let at_start = match at_start.transpose() {
        Ok(at_start) => at_start,
        Err(error) => return unreadable(error),
    };
    let mut gates = GateRun {
        verdict: GateVerdict::default(),
        unfinished: 0,
        only_forbids: request.is_stop
            || live
                .as_ref()
                .is_some_and(|live| candidate.only_adds_forbids_to(live)),
    };
    gates.note_time(PolicyGate::Validation, began, validated);
    gates.tests(request, &candidate, clock);
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

struct GateRun {
    verdict: GateVerdict,
    /// Number of refusals for lack of time or of a solver that answers.
    unfinished: usize,
    /// Whether the edit is an emergency stop, which only removes permissions and must not be
    /// delayed.
    only_forbids: bool,
}

impl GateRun {
    fn note_time(&mut self, gate: PolicyGate, began: Duration, ended: Duration) {
        let millis = ended.saturating_sub(began).as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        self.verdict.took_millis.insert(gate, millis);
    }

    fn tests(&mut self, request: &CheckRequest, candidate: &LoadedFolder, clock: &dyn Clock) {
        if request.tests == GateRequirement::Off {
            return;
        }
        let began = clock.monotonic();
        self.run_tests(request, candidate);
        self.note_time(PolicyGate::Tests, began, clock.monotonic());
    }

    fn run_tests(&mut self, request: &CheckRequest, candidate: &LoadedFolder) {
        if candidate.folder.tests().is_empty() {
            let report = "the folder has no examples (`tests/*.json`)";
            if request.tests == GateRequirement::Required {
                self.refuse_unless_stop(PolicyGate::Tests, report);
            } else {
                self.verdict.warn(PolicyGate::Tests, report);
            }
            return;
        }
        match test::run(&candidate.folder, &candidate.snapshot) {
            Ok(report) if report.holds(request.min_coverage) => {}
            Ok(report) => {
                self.refuse_unless_stop(PolicyGate::Tests, report.text(request.min_coverage));
                self.verdict
                    .detail(PolicyGate::Tests, report.shortcomings());
            }
            Err(error) => {
                self.refuse_unless_stop(PolicyGate::Tests, error.report());
                self.verdict.detail(PolicyGate::Tests, error.document());
            }
        }
    }

    fn proofs(
        &mut self,
        request: &CheckRequest,
        candidate: &LoadedFolder,
        at_start: Option<&Snapshot>,
        clock: &dyn Clock,
    ) {
        if request.proofs == GateRequirement::Off {
            return;
        }
        let solver = match Solver::find(request.solver.as_deref()) {
            Ok(solver) => solver,
            Err(error) if request.proofs == GateRequirement::IfPossible && error.is_absent() => {
                self.verdict
                    .not_run
                    .insert(PolicyGate::Proofs, error.to_string());
                return;
            }
            // The solver may be installed and not answer now.
            Err(error) => {
                self.unfinished += usize::from(!self.only_forbids);
                return self.refuse_unless_stop(PolicyGate::Proofs, error.to_string());
            }
        };
        let began = clock.monotonic();
        let cache = request.proof_cache.as_ref().map(|kept| ProofCache {
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
            // Additional forbids break no invariant, but may fail to evaluate.
            Err(unproved)
                if self.only_forbids
                    && !unproved.proofs.findings.iter().any(is_evaluation_failure) =>
            {
                self.refuse_unless_stop(PolicyGate::Proofs, unproved.report);
                self.verdict.detail(PolicyGate::Proofs, unproved.proofs);
            }
            Err(unproved) => {
                self.unfinished += usize::from(unproved.is_unfinished());
                let mut report = unproved.report;
                if unproved.proofs.findings.iter().any(is_start_invariant) {
                    report.push_str(&approval_hint(&candidate.folder));
                }
                self.verdict.refuse(PolicyGate::Proofs, report);
                self.verdict.detail(PolicyGate::Proofs, unproved.proofs);
            }
        }
        self.note_time(PolicyGate::Proofs, began, clock.monotonic());
    }

    fn widening(
        &mut self,
        request: &CheckRequest,
        live: &LoadedFolder,
        candidate: &LoadedFolder,
        clock: &dyn Clock,
    ) {
        // A candidate that is refused anyway needs no approval.
        if !request.hold_widening || self.only_forbids || !self.verdict.refusals.is_empty() {
            return;
        }
        let began = clock.monotonic();
        let (report, details, is_unfinished) = match Solver::find(request.solver.as_deref()) {
            Err(error) => (error.to_string(), None, !error.is_absent()),
            Ok(solver) => {
                let (before, after) = (&live.snapshot, &candidate.snapshot);
                let diff = diff::compare_sets(before, after, &solver, self.limits(request), clock)
                    .map(|diff| diff.with_facts(live.folder.files(), candidate.folder.files()));
                self.note_time(PolicyGate::Widening, began, clock.monotonic());
                match diff {
                    Ok(diff) if !diff.is_wider() => return,
                    Ok(diff) => (diff.report(), Some(diff.document()), diff.is_unfinished()),
                    Err(error) => (error.to_string(), None, error.is_unfinished()),
                }
            }
        };
        self.unfinished += usize::from(is_unfinished);
        let report = report + &approval_hint(&candidate.folder);
        self.verdict.refuse(PolicyGate::Widening, report);
        if let Some(details) = details {
            self.verdict.detail(PolicyGate::Widening, details);
        }
    }

    /// Proofs and comparison share the time, and leave some for the rest. The optional checks of an emergency stop get
    /// little before it is in force.
    fn limits(&self, request: &CheckRequest) -> solver::SolverLimits {
        let fifths = if request.hold_widening { 2 } else { 4 };
        let mut whole = request.time * fifths / 5;
        if self.only_forbids && !request.is_stop {
            whole = whole.min(STOP_SOLVER_TIME);
        }
        solver::SolverLimits {
            whole,
            ..solver::SolverLimits::default()
        }
    }

    fn refuse_unless_stop(&mut self, gate: PolicyGate, report: impl Into<String>) {
        if self.only_forbids {
            self.verdict.is_stop = true;
            self.verdict.warn(gate, report);
        } else {
            self.verdict.refuse(gate, report);
        }
    }
}

fn is_evaluation_failure(finding: &analysis::ProofFinding) -> bool {
    let refuted = matches!(finding.verdict, analysis::ProofVerdict::Refuted { .. });
    refuted && matches!(finding.claim, analysis::Claim::NeverErrors { .. })
}

const fn is_start_invariant(finding: &analysis::ProofFinding) -> bool {
    matches!(
        finding.claim,
        analysis::Claim::Invariant { at_start: true, .. }
    )
}

/// How an operator puts a held folder in force.
#[must_use]
pub fn approval_hint(candidate: &Folder) -> String {
    let domain = domain_of(candidate).map_or_else(String::new, |name| format!(" --domain {name}"));
    format!(
        "\nif that is meant: charter policy approve {}{domain} --reason '…'",
        candidate.whole_digest()
    )
}

/// The name of a domain's folder, which its files are named with.
fn domain_of(candidate: &Folder) -> Option<&str> {
    let file = candidate.policy_files().next()?.name();
    let folder = Path::new(file).parent()?.file_name()?.to_str();
    folder.filter(|_| candidate.is_custom_domain())
}
