//! The policy folder, and what is demanded of it before it is in force.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::settings::keys::Keys;
use crate::settings::{PolicyStart, Requirement, Settings};
use charter_authz::folder::Folder;
use charter_domain::clock::Clock;
use charter_policy::gates::{self, CheckRequest, Demand, Kept};
use charter_store::Store;

use super::accepted::{AcceptedStore, Last};

use super::checker::Checker;

/// What is known about the folder beside its texts, and how it is checked.
pub(in crate::app) struct Policies {
    pub(super) dir: PathBuf,
    pub(super) shadow: Option<PathBuf>,
    pub(super) rules: Rules,
    /// Whether proofs are looked up and never kept.
    pub(super) is_read_only: bool,
    pub(super) checker: Checker,
    pub(super) accepted: AcceptedStore,
}

/// What the settings demand of an edit.
pub(super) struct Rules {
    pub(super) tests: Demand,
    pub(super) min_coverage: u8,
    pub(super) proofs: Demand,
    pub(super) solver: Option<PathBuf>,
    pub(super) manifest: bool,
    pub(super) hold_widening: bool,
    pub(super) start: PolicyStart,
}

impl Policies {
    /// `program` is this program, which checks candidates in a process of its own; without a `store`,
    /// nothing was ever in force.
    pub(in crate::app) fn new(
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

    /// For somebody who only wants to know: no proof is kept.
    pub(in crate::app) const fn read_only(mut self) -> Self {
        self.is_read_only = true;
        self
    }

    /// A check of the folder for itself.
    pub(super) fn job(&self, folder: &Folder) -> CheckRequest {
        CheckRequest {
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
    pub(super) fn check_version(
        &self,
        folder: &Folder,
        last: &Last,
    ) -> Result<Option<u64>, String> {
        let version =
            gates::check_manifest(folder, self.rules.manifest).map_err(|error| error.report())?;
        last.check_version(folder.whole_digest(), version)?;
        Ok(version)
    }
}

fn demand(requirement: Requirement) -> Demand {
    match requirement {
        Requirement::Auto => Demand::IfPossible,
        Requirement::Required => Demand::Must,
        Requirement::Off => Demand::No,
    }
}
