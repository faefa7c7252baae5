//! What a candidate must pass before it decides anything. It runs in a process of its own, which
//! may die of a policy without harm to the service.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use cedar_policy::Effect;
use serde::{Deserialize, Serialize};

use charter_authz::fault::{Fault, LoadError};
use charter_authz::folder::{self, Files, Folder};
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::Clock;

use super::analysis::cache::ProofCache;
use super::analysis::{self, prove_for_gate};
use super::manifest::{self, Manifest};
use super::solver::{self, Solver};
use super::{diff, stop, test};

/// How long an emergency stop may be looked at by the solver.
const MOST_FOR_A_STOP: Duration = Duration::from_secs(2);

/// A check that a candidate passes or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// The folder can be read, is whole, and newer than what is in force.
    Folder,
    /// It parses, is valid, and speaks of the things that the service has.
    Validation,
    /// Its examples give the expected answers.
    Tests,
    /// The invariants hold, no policy fails, and none is dead.
    Proofs,
    /// It allows nothing more than before, or somebody approved it.
    Widening,
}

impl Gate {
    /// Its name in settings and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::Validation => "validation",
            Self::Tests => "tests",
            Self::Proofs => "proofs",
            Self::Widening => "widening",
        }
    }
}

impl std::fmt::Display for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A gate that may be demanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// What is not passed is refused; what cannot be run, too.
    Must,
    /// Run if this machine can; told if it cannot.
    IfPossible,
    /// Not run.
    No,
}

/// What to check, and against what.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// Where the candidate was read, for reports.
    pub dir: PathBuf,
    /// The candidate.
    pub candidate: Files,
    /// What is in force; `None` at start.
    pub live: Option<Files>,
    /// What was in force at start, or was approved since: its invariants count, too.
    pub baseline: Option<Files>,
    /// Whether the examples are run.
    pub tests: Demand,
    /// The least share of policies that some example must exercise, in percent.
    pub min_coverage: u8,
    /// Whether the invariants are proved.
    pub proofs: Demand,
    /// The solver, where it is not on the path.
    pub solver: Option<PathBuf>,
    /// Where proofs are remembered.
    pub proofs_kept: Option<Kept>,
    /// Whether a candidate that allows more needs an approval.
    pub hold_widening: bool,
    /// Whether this very folder was taken as an emergency stop before.
    pub is_stop: bool,
    /// Time for proofs and comparison, each.
    pub time: Duration,
}

/// Where proofs are remembered, and the key that vouches for them.
#[derive(Clone, Serialize, Deserialize)]
pub struct Kept {
    /// The directory.
    pub dir: PathBuf,
    /// The key.
    pub key: [u8; 32],
    /// Whether they are only looked up, and nothing is added.
    pub read_only: bool,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

/// What was found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// What keeps the candidate from being used.
    pub refusals: Vec<Finding>,
    /// What should be looked at.
    pub warnings: Vec<Finding>,
    /// Gates that this machine could not run, and why.
    pub not_run: BTreeMap<Gate, String>,
    /// Whether the invariants were proved now.
    pub proved: bool,
    /// Whether it is an emergency stop that did not pass every gate.
    #[serde(default)]
    pub is_stop: bool,
    /// Whether the check did not come to its end, so that another try may end otherwise.
    #[serde(default)]
    pub unfinished: bool,
}

/// Something found at a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The gate.
    pub gate: Gate,
    /// The whole report, in plain text.
    pub report: String,
}

impl Finding {
    /// The report, after the gate's name where the report does not show by itself what it is.
    #[must_use]
    pub fn text(&self) -> String {
        let report = self.report.trim_end();
        match self.gate {
            Gate::Folder | Gate::Validation => report.to_owned(),
            gate if report.contains('\n') => format!("{gate}:\n{report}"),
            gate => format!("{gate}: {report}"),
        }
    }
}

/// A report is for reading, and must get through to whoever waits for it.
const MAX_REPORT_BYTES: usize = 200_000;

/// The beginning, up to the end of a line, and how much is missing.
fn shortened(report: String) -> String {
    let end = report.floor_char_boundary(MAX_REPORT_BYTES);
    let Some((shown, _)) = report
        .get(..end)
        .filter(|shown| shown.len() < report.len())
        .and_then(|shown| shown.rsplit_once('\n'))
    else {
        return report;
    };
    let more = report.lines().count() - shown.lines().count();
    format!("{shown}\n… and {more} more lines")
}

impl Verdict {
    /// A verdict with one refusal.
    #[must_use]
    pub fn refused(gate: Gate, report: impl Into<String>) -> Self {
        let mut verdict = Self::default();
        verdict.refuse(gate, report);
        verdict
    }

    fn refuse(&mut self, gate: Gate, report: impl Into<String>) {
        let report = shortened(report.into());
        self.refusals.push(Finding { gate, report });
    }

    fn warn(&mut self, gate: Gate, report: impl Into<String>) {
        let report = shortened(report.into());
        self.warnings.push(Finding { gate, report });
    }

    /// Every refusal, in plain text; `None` if there is none.
    #[must_use]
    pub fn report(&self) -> Option<String> {
        let reports: Vec<String> = self.refusals.iter().map(Finding::text).collect();
        (!reports.is_empty()).then(|| reports.join("\n"))
    }
}

/// Holds a folder against its manifest.
///
/// # Errors
///
/// The folder is not what its manifest lists, or must have one and has none.
pub fn check_manifest(folder: &Folder, demanded: bool) -> Result<Option<u64>, LoadError> {
    let whole = |fault| LoadError::new(vec![fault]);
    match Manifest::read(folder).map_err(whole)? {
        Some(manifest) => {
            manifest.verify(folder).map_err(LoadError::new)?;
            Ok(Some(manifest.version))
        }
        None if demanded => Err(whole(
            Fault::new(
                "the folder has no `manifest.json`, and the setting `policies.manifest` demands one",
            )
            .help("write it with `charter policy manifest DIR`"),
        )),
        None => Ok(None),
    }
}

/// Leads a candidate through the gates. After a fault it goes on where that makes sense, so that
/// one run shows all.
#[must_use]
pub fn run(job: &Job, clock: &dyn Clock) -> Verdict {
    // Both were in force. Without them what they promise could not be held against the candidate.
    let unreadable = |error: LoadError| {
        let report = format!("what is in force cannot be read again\n{}", error.report());
        Verdict::refused(Gate::Validation, report)
    };
    let live = job.live.as_ref().map(|files| Loaded::accepted(job, files));
    let live = match live.transpose() {
        Ok(live) => live,
        Err(error) => return unreadable(error),
    };
    let candidate = match Loaded::after(live.as_ref(), job, &job.candidate) {
        Ok(loaded) => loaded,
        Err(error) => return Verdict::refused(Gate::Validation, error.report()),
    };
    // Often it is one folder; of thousands of policies each reading counts.
    let at_start = match &job.baseline {
        Some(files) if job.live.as_ref() != Some(files) => {
            Some(Loaded::after(live.as_ref(), job, files))
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
        only_forbids: job.is_stop
            || live
                .as_ref()
                .is_some_and(|live| candidate.only_adds_forbids_to(live)),
    };
    gates.tests(job, &candidate);
    let at_start = match &job.baseline {
        Some(_) => at_start.as_ref().or(live.as_ref()),
        None => None,
    };
    let at_start = at_start.map(|loaded| &loaded.snapshot);
    gates.proofs(job, &candidate, at_start, clock);
    if let Some(live) = &live {
        gates.widening(job, live, &candidate, clock);
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
    fn tests(&mut self, job: &Job, candidate: &Loaded) {
        if job.tests == Demand::No {
            return;
        }
        if candidate.folder.tests().is_empty() {
            let report = "the folder has no examples (`tests/*.json`)";
            if job.tests == Demand::Must {
                self.hold_unless_it_stops(Gate::Tests, report);
            } else {
                self.verdict.warn(Gate::Tests, report);
            }
            return;
        }
        match test::run(&candidate.folder, &candidate.snapshot) {
            Ok(report) if report.holds(job.min_coverage) => {}
            Ok(report) => self.hold_unless_it_stops(Gate::Tests, report.text(job.min_coverage)),
            Err(error) => self.hold_unless_it_stops(Gate::Tests, error.report()),
        }
    }

    fn proofs(
        &mut self,
        job: &Job,
        candidate: &Loaded,
        at_start: Option<&Snapshot>,
        clock: &dyn Clock,
    ) {
        if job.proofs == Demand::No {
            return;
        }
        let solver = match Solver::find(job.solver.as_deref()) {
            Ok(solver) => solver,
            Err(error) if job.proofs == Demand::IfPossible && error.is_absent() => {
                self.verdict.not_run.insert(Gate::Proofs, error.to_string());
                return;
            }
            // It may be there and not answer now.
            Err(error) => {
                self.unfinished += usize::from(!self.only_forbids);
                return self.hold_unless_it_stops(Gate::Proofs, error.to_string());
            }
        };
        let cache = job.proofs_kept.as_ref().map(|kept| ProofCache {
            dir: kept.dir.clone(),
            key: kept.key.to_vec().into(),
            read_only: kept.read_only,
        });
        let snapshot = &candidate.snapshot;
        let options = analysis::Options {
            limits: self.limits(job),
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

    fn widening(&mut self, job: &Job, live: &Loaded, candidate: &Loaded, clock: &dyn Clock) {
        // What was refused already need not be approved, too.
        if !job.hold_widening || self.only_forbids || !self.verdict.refusals.is_empty() {
            return;
        }
        let (report, is_unfinished) = match Solver::find(job.solver.as_deref()) {
            Err(error) => (error.to_string(), !error.is_absent()),
            Ok(solver) => {
                let (live, candidate) = (&live.snapshot, &candidate.snapshot);
                match diff::widens(live, candidate, &solver, self.limits(job), clock) {
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
    fn limits(&self, job: &Job) -> solver::Limits {
        let mut whole = job.time * 2 / 5;
        if self.only_forbids && !job.is_stop {
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

/// A folder that passed the first gate.
struct Loaded {
    folder: Folder,
    snapshot: Snapshot,
}

impl Loaded {
    /// What was in force is only parsed: it was checked when it was taken.
    fn accepted(job: &Job, files: &Files) -> Result<Self, LoadError> {
        let folder = Folder::of_files(&job.dir, files.clone())?;
        let snapshot = Snapshot::of_accepted(&folder)?;
        Ok(Self { folder, snapshot })
    }

    /// What is as it was is not checked again.
    fn after(before: Option<&Self>, job: &Job, files: &Files) -> Result<Self, LoadError> {
        let folder = Folder::of_files(&job.dir, files.clone())?;
        let snapshot = match before {
            Some(before) => Snapshot::after(&before.snapshot, &folder)?,
            None => Snapshot::of(&folder)?,
        };
        Ok(Self { folder, snapshot })
    }

    /// Whether all that is in force stays as it is, down to the examples, and what is new forbids.
    fn only_adds_forbids_to(&self, live: &Self) -> bool {
        let beside_policies = |loaded: &Self| -> Files {
            let is_policy = |name: &str| folder::is_policy(name) || name == manifest::NAME;
            let mut files = loaded.folder.files().clone();
            files.retain(|name, _| !is_policy(name));
            files
        };
        let policies = |loaded: &Self| -> BTreeMap<String, (Effect, String)> {
            let policies = loaded.snapshot.policies().policies();
            policies
                .map(|policy| (policy.id().to_string(), stop::text(policy)))
                .collect()
        };
        stop::only_adds_forbids(&policies(live), &policies(self))
            && beside_policies(live) == beside_policies(self)
    }
}
