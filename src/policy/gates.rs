//! What a candidate must pass before it decides anything. It runs in a process of its own, which
//! may die of a policy without harm to the service.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cedar_policy::Effect;
use serde::{Deserialize, Serialize};

use crate::authz::fault::{Fault, LoadError};
use crate::authz::folder::{self, Files, Folder};
use crate::authz::snapshot::Snapshot;

use super::manifest::Manifest;
use super::test;

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
    /// Whether a candidate that allows more needs an approval.
    pub hold_widening: bool,
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

impl Verdict {
    /// A verdict with one refusal.
    #[must_use]
    pub fn refused(gate: Gate, report: impl Into<String>) -> Self {
        let mut verdict = Self::default();
        verdict.refuse(gate, report);
        verdict
    }

    fn refuse(&mut self, gate: Gate, report: impl Into<String>) {
        let report = report.into();
        self.refusals.push(Finding { gate, report });
    }

    fn warn(&mut self, gate: Gate, report: impl Into<String>) {
        let report = report.into();
        self.warnings.push(Finding { gate, report });
    }

    /// Every refusal, in plain text; `None` if there is none.
    #[must_use]
    pub fn report(&self) -> Option<String> {
        let reports: Vec<String> = self
            .refusals
            .iter()
            .map(|finding| format!("{}: {}", finding.gate, finding.report.trim_end()))
            .collect();
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
pub fn run(job: &Job) -> Verdict {
    let candidate = match Loaded::of(job, &job.candidate) {
        Ok(loaded) => loaded,
        Err(error) => return Verdict::refused(Gate::Validation, error.report()),
    };
    // Both were checked when they were taken.
    let earlier = |files: &Option<Files>| Loaded::of(job, files.as_ref()?).ok();
    let live = earlier(&job.live);
    let mut gates = Gates {
        verdict: Verdict::default(),
        only_forbids: live
            .as_ref()
            .is_some_and(|live| candidate.only_adds_forbids_to(live)),
    };
    gates.tests(job, &candidate);
    gates.verdict
}

/// On the way through the gates.
struct Gates {
    verdict: Verdict,
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

    fn hold_unless_it_stops(&mut self, gate: Gate, report: impl Into<String>) {
        if self.only_forbids {
            self.verdict.warn(gate, report);
        } else {
            self.verdict.refuse(gate, report);
        }
    }
}

/// A folder that passed the first gate.
struct Loaded {
    folder: Folder,
    snapshot: Snapshot,
}

impl Loaded {
    fn of(job: &Job, files: &Files) -> Result<Self, LoadError> {
        let folder = Folder::of_files(&job.dir, files.clone())?;
        let snapshot = Snapshot::of(&folder)?;
        Ok(Self { folder, snapshot })
    }

    /// Whether all that is in force stays as it is, and what is new forbids.
    fn only_adds_forbids_to(&self, live: &Self) -> bool {
        let schema = |loaded: &Self| loaded.folder.files().get(folder::SCHEMA).cloned();
        let policies = |loaded: &Self| -> BTreeMap<String, (Effect, String)> {
            let policies = loaded.snapshot.policies().policies();
            policies
                .map(|policy| {
                    (
                        policy.id().to_string(),
                        (policy.effect(), policy.to_string()),
                    )
                })
                .collect()
        };
        let (before, now) = (policies(live), policies(self));
        let kept = before
            .iter()
            .all(|(id, policy)| now.get(id) == Some(policy));
        let mut added = now.iter().filter(|(id, _)| !before.contains_key(*id));
        kept && schema(live) == schema(self)
            && added.all(|(_, (effect, _))| *effect == Effect::Forbid)
    }
}
