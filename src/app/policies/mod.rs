//! Which policies decide: checked at start, watched, and exchanged when a sound edit arrives.
//!
//! Whatever is wrong with an edit, what was in force stays in force, and `/readyz` says why.

mod checker;
mod memory;
mod reload;
mod shadow;
mod watch;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::authz::engine::Health;
use crate::authz::folder::Folder;
use crate::authz::snapshot::Snapshot;
use crate::policy::gates::{self, Demand, Job, Kept, Verdict};
use crate::settings::keys::Keys;
use crate::settings::{Requirement, Settings};
use crate::store::Store;

pub use memory::{Approval, Memory};
pub(super) use reload::Reloader;

use super::StartError;
use checker::Checker;

/// What is known about the folder beside its texts, and how it is checked.
pub(super) struct Policies {
    dir: PathBuf,
    shadow: Option<PathBuf>,
    rules: Rules,
    checker: Checker,
    memory: Memory,
}

/// What the settings demand of an edit.
struct Rules {
    tests: Demand,
    min_coverage: u8,
    proofs: Demand,
    solver: Option<PathBuf>,
    manifest: bool,
    hold_widening: bool,
}

/// What decides from the start on.
pub(super) struct Started {
    pub(super) snapshot: Snapshot,
    pub(super) health: Health,
    pub(super) folder: Folder,
}

impl Policies {
    /// `program` is this program, which checks candidates in a process of its own.
    pub(super) fn new(settings: &Settings, keys: &Keys, program: &Path) -> Self {
        let policies = &settings.policies;
        Self {
            dir: policies.dir.clone(),
            shadow: policies.shadow.clone(),
            rules: Rules {
                tests: demand(policies.tests),
                min_coverage: policies.min_coverage,
                proofs: demand(policies.proofs),
                solver: policies.solver.clone(),
                manifest: policies.manifest,
                hold_widening: policies.hold_widening,
            },
            checker: Checker::new(
                program,
                policies.search_path.clone(),
                policies.check_timeout,
            ),
            memory: Memory::of(&settings.data_dir, keys),
        }
    }

    /// Reads the folder and leads it through the gates that are demanded.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with it.
    pub(super) async fn start(&self) -> Result<Started, StartError> {
        let folder = load(&self.dir)?;
        let version = self.check_version(&folder).map_err(StartError::Policies)?;
        // Nobody is served worse by a start that takes longer, as on a busy machine.
        let time = self.checker.timeout().max(START_TIMEOUT);
        let job = Job {
            time,
            ..self.job(&folder)
        };
        let mut verdict = Verdict::default();
        if job.tests != Demand::No || job.proofs != Demand::No {
            verdict = self.checker.check(&job).await;
            if let Some(report) = verdict.report() {
                return Err(StartError::Policies(report));
            }
        }
        let snapshot =
            Snapshot::of(&folder).map_err(|error| StartError::Policies(error.report()))?;
        self.accepted(&folder, version, &verdict);
        Ok(Started {
            snapshot,
            health: health(&verdict),
            folder,
        })
    }

    /// A check of the folder for itself.
    fn job(&self, folder: &Folder) -> Job {
        Job {
            dir: self.dir.clone(),
            candidate: folder.files().clone(),
            live: None,
            baseline: None,
            tests: self.rules.tests,
            min_coverage: self.rules.min_coverage,
            proofs: self.rules.proofs,
            solver: self.checker.solver(self.rules.solver.as_deref()),
            proofs_kept: Some(Kept {
                dir: self.memory.dir().join("proofs"),
                key: self.memory.key_for(b"proofs"),
            }),
            hold_widening: self.rules.hold_widening,
            time: self.checker.timeout(),
        }
    }

    /// The manifest's version, if it has one; the report if it is not whole, or older than what was
    /// in force before.
    fn check_version(&self, folder: &Folder) -> Result<Option<u64>, String> {
        let version =
            gates::check_manifest(folder, self.rules.manifest).map_err(|error| error.report())?;
        self.memory.check_version(folder.whole_digest(), version)?;
        Ok(version)
    }

    fn accepted(&self, folder: &Folder, version: Option<u64>, verdict: &Verdict) {
        for finding in &verdict.warnings {
            tracing::warn!(gate = finding.gate.as_str(), "{}", finding.report);
        }
        for (gate, reason) in &verdict.not_run {
            tracing::warn!(
                gate = gate.as_str(),
                reason,
                "a check of the policies was not run"
            );
        }
        if let Some(version) = version
            && let Err(error) = self.memory.accept(folder.whole_digest(), version)
        {
            tracing::error!(%error, "the manifest's version could not be noted, a folder with an older one would be taken after a restart");
        }
    }
}

fn demand(requirement: Requirement) -> Demand {
    match requirement {
        Requirement::Auto => Demand::IfPossible,
        Requirement::Required => Demand::Must,
        Requirement::Off => Demand::No,
    }
}

fn load(dir: &Path) -> Result<Folder, StartError> {
    Folder::read(dir).map_err(|error| StartError::Policies(error.report()))
}

fn health(verdict: &Verdict) -> Health {
    let not_run = |(gate, reason): (&gates::Gate, &String)| format!("{gate}: {reason}");
    Health {
        refused: None,
        warnings: verdict.warnings.iter().map(gates::Finding::text).collect(),
        not_run: verdict.not_run.iter().map(not_run).collect(),
    }
}

/// Names that somebody has and the policies do not know: they count for nothing.
pub(super) async fn warn_of_unknown_names(store: &Store, snapshot: &Snapshot, health: &mut Health) {
    let names = match store.granted_names().await {
        Ok(names) => names,
        Err(error) => {
            tracing::warn!(%error, "roles and permissions in the database could not be held against the policies");
            return;
        }
    };
    let catalogue = snapshot.catalogue();
    let roles = names.roles.iter().filter(|name| !catalogue.has_role(name));
    let permissions = names
        .permissions
        .iter()
        .filter(|name| !catalogue.has_permission(name));
    let warnings = roles
        .map(|name| ("role", name))
        .chain(permissions.map(|name| ("permission", name)))
        .map(|(what, name)| {
            format!("names: somebody has the {what} `{name}`, which the schema does not have; it counts for nothing and can be taken away")
        });
    for warning in warnings {
        tracing::warn!("{warning}");
        health.warnings.push(warning);
    }
}

/// Time for the checks at start, at least.
const START_TIMEOUT: Duration = Duration::from_mins(5);
/// How long a change must have rested before it is looked at.
const SETTLE: Duration = Duration::from_millis(100);
