//! Which policies decide: checked at start, watched, and exchanged when a sound edit arrives.
//!
//! Whatever is wrong with an edit, what was in force stays in force, and `/readyz` says why.

mod accepted;
mod checker;
mod promise;
mod read;
mod reload;
mod shadow;
mod start;
mod stops;
mod take;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::settings::keys::Keys;
use crate::settings::{PolicyStart, Requirement, Settings};
use charter_authz::engine::Health;
use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::Clock;
use charter_domain::timestamp::Timestamp;
use charter_policy::gates::{self, Demand, Job, Kept, Verdict};
use charter_store::{NewPolicyRevision, Store, TakenAs};

use accepted::{AcceptedStore, Last};
pub(super) use reload::Reloader;
use start::Taken;

use checker::Checker;

/// What is known about the folder beside its texts, and how it is checked.
pub(super) struct Policies {
    dir: PathBuf,
    shadow: Option<PathBuf>,
    rules: Rules,
    /// Whether proofs are looked up and never kept.
    is_read_only: bool,
    checker: Checker,
    accepted: AcceptedStore,
}

/// What the settings demand of an edit.
struct Rules {
    tests: Demand,
    min_coverage: u8,
    proofs: Demand,
    solver: Option<PathBuf>,
    manifest: bool,
    hold_widening: bool,
    start: PolicyStart,
}

impl Policies {
    /// `program` is this program, which checks candidates in a process of its own; without a `store`,
    /// nothing was ever in force.
    pub(super) fn new(
        settings: &Settings,
        keys: &Keys,
        program: &Path,
        store: Option<Arc<Store>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
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
                start: policies.start,
            },
            is_read_only: false,
            checker: Checker::new(
                program,
                policies.search_path.clone(),
                policies.check_timeout,
                policies.check_timeout_per_policy,
            ),
            accepted: AcceptedStore::new(
                &settings.data_dir,
                keys,
                policies.approvals,
                store,
                clock,
            ),
        }
    }

    /// For somebody who only wants to know: no proof is kept, and a folder that is not sound is an error whatever
    /// `policies.start` says.
    pub(super) fn read_only(mut self) -> Self {
        self.is_read_only = true;
        self.rules.start = PolicyStart::Strict;
        self
    }

    /// Whether a start would go on with what was in force before, if the folder is not sound.
    pub(super) async fn has_predecessor(&self) -> bool {
        let last = self.accepted.last().await;
        last.is_ok_and(|last| last.revision().is_some())
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
                dir: self.accepted.proofs().0.to_owned(),
                key: self.accepted.proofs().1,
                read_only: self.is_read_only,
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

/// What is recorded of a folder that is in force from a time on.
fn revision(
    folder: &Folder,
    version: Option<u64>,
    taken_as: TakenAs,
    at: Timestamp,
) -> NewPolicyRevision {
    NewPolicyRevision {
        whole_digest: folder.whole_digest().to_string(),
        policy_digest: folder.digest().to_string(),
        manifest_version: version,
        files: folder.files().clone(),
        taken_as,
        in_force_from: at,
    }
}

fn demand(requirement: Requirement) -> Demand {
    match requirement {
        Requirement::Auto => Demand::IfPossible,
        Requirement::Required => Demand::Must,
        Requirement::Off => Demand::No,
    }
}

/// Logs what was found beside refusals.
fn log_findings(verdict: &Verdict) {
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

/// What the gates found beside refusals. Of an emergency stop, it would have held any other edit up.
fn health(verdict: &Verdict) -> Health {
    let not_run = |(gate, reason): (&gates::Gate, &String)| format!("{gate}: {reason}");
    let found = verdict.warnings.iter().map(gates::Finding::text).collect();
    let (failed_checks, warnings) = if verdict.is_stop {
        (found, Vec::new())
    } else {
        (Vec::new(), found)
    };
    Health {
        failed_checks,
        warnings,
        not_run: verdict.not_run.iter().map(not_run).collect(),
        ..Health::default()
    }
}

/// Names that somebody has and the policies do not know: they count for nothing. `None` if they
/// cannot be read now.
pub(super) async fn warn_of_unknown_names(
    store: &Store,
    snapshot: &Snapshot,
) -> Option<Vec<String>> {
    let names = match store.granted_names().await {
        Ok(names) => names,
        Err(error) => {
            tracing::warn!(%error, "roles and permissions in the database could not be held against the policies");
            return None;
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
    let warnings: Vec<String> = warnings.collect();
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    Some(warnings)
}

/// How long a change must have rested before it is looked at.
const SETTLE: Duration = Duration::from_millis(100);
