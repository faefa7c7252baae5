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
use crate::domain::timestamp::Timestamp;
use crate::policy::gates::{self, Demand, Job, Kept, Verdict};
use crate::settings::keys::Keys;
use crate::settings::{Requirement, Settings};
use crate::store::Store;

pub use memory::Memory;
use memory::{Accepted, Last};
use reload::Read;
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
    pub(super) taken: Taken,
}

/// The folder that was taken at start.
pub(super) struct Taken {
    folder: Folder,
    /// Whether the solver proved it.
    proved: bool,
    /// What is to be noted, if it was not in force before.
    note: Option<Accepted>,
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
                policies.check_timeout_per_policy,
            ),
            memory: Memory::of(&settings.data_dir, keys),
        }
    }

    /// Reads the folder and leads it through the gates that are demanded.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with it.
    pub(super) async fn start(&self, now: Timestamp) -> Result<Started, StartError> {
        let folder = load(&self.dir)?;
        folder.warn_if_anybody_may_write();
        let last = self.memory.last().map_err(StartError::Policies)?;
        let version = self
            .check_version(&folder, &last)
            .map_err(StartError::Policies)?;
        let job = self.job_at_start(&folder, &last)?;
        let mut verdict = Verdict::default();
        if job.tests != Demand::No || job.proofs != Demand::No || job.hold_widening {
            verdict = self.checker.check(&job).await;
            if let Some(report) = verdict.report() {
                return Err(StartError::Policies(report));
            }
        }
        let snapshot =
            Snapshot::of(&folder).map_err(|error| StartError::Policies(error.report()))?;
        // The same folder is in force since it was first.
        let is_news = match &last {
            Last::Known(last, _) => {
                *last.digest != **folder.whole_digest() || last.version != version
            }
            Last::None | Last::Broken(_) => true,
        };
        tell(&verdict);
        self.memory.remember(&last);
        let note = is_news.then(|| accepted(&folder, version, &verdict, &last, now));
        Ok(Started {
            snapshot,
            health: health(&verdict),
            taken: Taken {
                folder,
                proved: verdict.proved,
                note,
            },
        })
    }

    /// Notes what was taken at start, once nothing else keeps the service from starting.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub(super) fn note_start(&self, taken: &Taken) -> Result<(), StartError> {
        let Some(note) = &taken.note else {
            return Ok(());
        };
        self.memory.accept(note.clone()).map_err(|error| {
            let dir = self.memory.dir().display();
            StartError::Policies(format!(
                "it cannot be noted in `{dir}` which policies are in force: {error}\nmake the directory the service's own"
            ))
        })
    }

    /// Reads the folder, and what is known of it. Blocking.
    fn read(&self) -> Read {
        let folder = Folder::read(&self.dir).map_err(|error| error.report());
        let last = self.memory.last();
        let is_approved =
            |folder: &Folder, last: &Last| self.memory.is_approved(folder.whole_digest(), last);
        match (folder, last) {
            (Ok(folder), Ok(last)) => Read {
                approved: is_approved(&folder, &last),
                folder: Ok(folder),
                last,
            },
            (Err(reason), _) | (_, Err(reason)) => Read {
                folder: Err(reason),
                last: Last::None,
                approved: false,
            },
        }
    }

    /// A check of the folder in the light of what was in force before the stop. Its invariants count
    /// no more: restarting is how they are taken back.
    fn job_at_start(&self, folder: &Folder, last: &Last) -> Result<Job, StartError> {
        let digest = folder.whole_digest();
        let mut job = self.job(folder);
        // Nobody is served worse by a start that takes longer, as on a busy machine.
        job.time = job.time.max(START_TIMEOUT);
        let before = match last {
            Last::None => {
                job.hold_widening = false;
                return Ok(job);
            }
            Last::Known(last, _) if *last.digest == **digest => {
                job.hold_widening = false;
                job.is_stop = last.is_stop;
                return Ok(job);
            }
            Last::Known(last, _) => Some(last.files.clone()),
            Last::Broken(_) => {
                tracing::error!("the note of the policies that were in force before is broken");
                None
            }
        };
        let is_approved = self.memory.is_approved(digest, last);
        job.hold_widening &= !is_approved;
        // Another version of this program may not be able to read it any more.
        job.live = before.filter(|files| {
            let folder = Folder::of_files(&self.dir, files.clone());
            folder.and_then(|folder| Snapshot::of(&folder)).is_ok()
        });
        let is_held = job.hold_widening && job.live.is_none();
        let may_be_older = self.rules.manifest && matches!(last, Last::Broken(_));
        if !is_approved && (is_held || may_be_older) {
            return Err(StartError::Policies(format!(
                "what was in force before is not known any more, so the policies cannot be held against \
                 it\nif they are meant: charter policy approve {digest}"
            )));
        }
        Ok(job)
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
            is_stop: false,
            time: self.checker.timeout(folder),
        }
    }

    /// The manifest's version, if it has one; the report if it is not whole, or older than what was
    /// in force before.
    fn check_version(&self, folder: &Folder, last: &Last) -> Result<Option<u64>, String> {
        let version =
            gates::check_manifest(folder, self.rules.manifest).map_err(|error| error.report())?;
        last.check_version(folder.whole_digest(), version)?;
        Ok(version)
    }
}

/// What is noted of a folder that is in force from a time on, in the place of another.
fn accepted(
    folder: &Folder,
    version: Option<u64>,
    verdict: &Verdict,
    before: &Last,
    at: Timestamp,
) -> Accepted {
    Accepted {
        version,
        digest: folder.whole_digest().to_string(),
        at,
        is_stop: verdict.is_stop,
        files: folder.files().clone(),
        after: before.mark(),
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

/// Logs what was found beside refusals.
fn tell(verdict: &Verdict) {
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
