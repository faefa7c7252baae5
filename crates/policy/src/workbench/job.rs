//! Jobs and their events, the protocol between the two processes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::coverage;
use crate::diff::{compare_sets, role_changes};
use crate::replay::{EarlierSnapshots, ReplayMode, ReplayPolicies, replay};
use crate::solver::{Solver, SolverLimits};
use crate::test;
use charter_authz::fault::LoadError;
use charter_authz::folder::{Files, Folder};
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::Clock;
use charter_domain::progress::Progress;

/// Threads of a replay, few because requests are served meanwhile.
const REPLAY_THREADS: usize = 1;

/// A job. Folders are texts by file name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkbenchJob {
    /// Compares a candidate with the policies in force.
    Diff {
        /// The domain of one's own; `None` is the built-in one.
        domain: Option<String>,
        /// The policies in force.
        in_force: Files,
        /// The policies to compare with them.
        candidate: Files,
        /// The solver's program, if it is not on the search path.
        solver: Option<PathBuf>,
        /// Time for the solver.
        time: Duration,
    },
    /// Evaluates recorded decisions by a candidate.
    Replay {
        /// The domain of one's own; `None` is the built-in one.
        domain: Option<String>,
        /// The policies to evaluate.
        candidate: Files,
        /// Directory of the decision log.
        log: PathBuf,
    },
    /// Measures which policies the examples cover, and which determined decisions.
    Coverage {
        /// The domain of one's own; `None` is the built-in one.
        domain: Option<String>,
        /// The policies in force.
        in_force: Files,
        /// Directory of the decision log; `None` if decisions are not logged.
        log: Option<PathBuf>,
        /// Unix time in milliseconds from which decisions count.
        since: i64,
        /// Time for reading the log.
        time: Duration,
    },
}

/// Events of a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkbenchEvent {
    /// The folders are loaded; the work begins.
    Accepted,
    /// Progress.
    Progress {
        /// Steps done.
        done: u64,
        /// Steps known so far; 0 if they are not counted.
        known: u64,
    },
    /// The result.
    Done(Value),
    /// The faults of a folder, as [`LoadError::document`] has them.
    Refused(Value),
    /// Why there is no result.
    Failed(String),
}

impl WorkbenchEvent {
    /// Whether it is the last event.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        match self {
            Self::Accepted | Self::Progress { .. } => false,
            Self::Done(_) | Self::Refused(_) | Self::Failed(_) => true,
        }
    }
}

/// Why a job has no result.
enum JobError {
    Folder(LoadError),
    Other(String),
}

impl From<LoadError> for JobError {
    fn from(error: LoadError) -> Self {
        Self::Folder(error)
    }
}

pub(super) fn run(
    job: &WorkbenchJob,
    clock: &dyn Clock,
    progress: &Progress,
    emit: &dyn Fn(WorkbenchEvent),
) -> WorkbenchEvent {
    match try_run(job, clock, progress, emit) {
        Ok(result) => WorkbenchEvent::Done(result),
        Err(JobError::Folder(error)) => WorkbenchEvent::Refused(error.document()),
        Err(JobError::Other(reason)) => WorkbenchEvent::Failed(reason),
    }
}

fn try_run(
    job: &WorkbenchJob,
    clock: &dyn Clock,
    progress: &Progress,
    emit: &dyn Fn(WorkbenchEvent),
) -> Result<Value, JobError> {
    match job {
        WorkbenchJob::Diff {
            domain,
            in_force,
            candidate,
            solver,
            time,
        } => {
            let domain = domain.as_deref();
            let old = Snapshot::from_accepted(&folder(domain, in_force)?)?;
            let new = Snapshot::updated_from(&old, &folder(domain, candidate)?)?;
            emit(WorkbenchEvent::Accepted);
            let files = (in_force, candidate);
            diff(
                &old,
                &new,
                files,
                solver.as_deref(),
                *time,
                (clock, progress),
            )
        }
        WorkbenchJob::Replay {
            domain,
            candidate,
            log,
        } => {
            let domain = domain.as_deref();
            let new = Snapshot::from_folder(&folder(domain, candidate)?)?;
            emit(WorkbenchEvent::Accepted);
            let earlier = EarlierSnapshots::new();
            let mode = ReplayMode::Candidate;
            let policies = ReplayPolicies::only(domain, &new);
            let report = replay(log, &policies, &earlier, mode, REPLAY_THREADS, progress);
            let report = report.map_err(|error| JobError::Other(error.to_string()))?;
            Ok(json!({"digest": new.digest().to_string(), "report": report}))
        }
        WorkbenchJob::Coverage {
            domain,
            in_force,
            log,
            since,
            time,
        } => {
            let domain = domain.as_deref();
            let folder = folder(domain, in_force)?;
            let snapshot = Snapshot::from_accepted(&folder)?;
            emit(WorkbenchEvent::Accepted);
            let report = test::run(&folder, &snapshot)?;
            let until = clock.monotonic().saturating_add(*time);
            let decided = log.as_deref().map(|log| {
                let is_late = || clock.monotonic() >= until;
                coverage::decided(log, domain, *since, &is_late, progress)
            });
            let decided = decided.transpose();
            let decided = decided.map_err(|error| JobError::Other(error.to_string()))?;
            Ok(coverage::document(&snapshot, &report, decided.as_ref()))
        }
    }
}

/// Reports name the files without a directory.
fn folder(domain: Option<&str>, files: &Files) -> Result<Folder, LoadError> {
    Folder::without_place(domain, files.clone())
}

fn diff(
    old: &Snapshot,
    new: &Snapshot,
    (old_files, new_files): (&Files, &Files),
    solver: Option<&Path>,
    time: Duration,
    (clock, progress): (&dyn Clock, &Progress),
) -> Result<Value, JobError> {
    let failed = |error: &dyn std::fmt::Display| JobError::Other(error.to_string());
    // Only the built-in domain has roles.
    let roles = (!new.is_custom_domain()).then(|| role_changes(old, new, clock.now()));
    let roles = roles.transpose().map_err(|error| failed(&error))?;
    let mut document = json!({
        "old_digest": old.digest().to_string(),
        "new_digest": new.digest().to_string(),
        "roles": roles.map(|roles| roles.document()),
    });
    // Without a solver, only the table of roles is available.
    let meaning = match Solver::find(solver) {
        Err(error) => json!({"not_compared": error.to_string()}),
        Ok(solver) => {
            let limits = SolverLimits {
                whole: time,
                ..SolverLimits::default()
            };
            let solver = solver.with_progress(progress);
            let diff = compare_sets(old, new, &solver, limits, clock);
            let diff = diff.map_err(|error| failed(&error))?;
            diff.with_facts(old_files, new_files).document()
        }
    };
    if let (Value::Object(document), Value::Object(meaning)) = (&mut document, meaning) {
        document.extend(meaning);
    }
    Ok(document)
}
