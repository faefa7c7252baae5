//! A policy folder with its checks and requirements.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hmac::Mac as _;
use parking_lot::Mutex;

use crate::settings::keys::Keys;
use crate::settings::{PolicyStart, Settings};
use charter_authz::folder::{DOMAINS, Folder};
use charter_domain::clock::Clock;
use charter_domain::keyed_hash::keyed_hash;
use charter_policy::gates::{self, CheckRequest, GateRequirement, ProofCacheConfig};
use charter_store::Store;

use super::accepted::AcceptedStore;
use super::checker::Checker;
use super::last_accepted::LastAccepted;
use super::ledger::{DatabaseLedger, NoLedger, PolicyLedger};

/// A policy folder, the built-in one or that of a domain of one's own: where it is, how it is checked, and what was
/// accepted of it.
pub(in crate::app) struct Policies {
    /// `None` for the built-in one.
    pub(super) domain: Option<String>,
    pub(super) dir: PathBuf,
    pub(super) shadow: Option<PathBuf>,
    pub(super) rules: EditRules,
    pub(super) proof_cache: ProofCacheConfig,
    pub(super) checker: Checker,
    pub(super) accepted: AcceptedStore,
    pub(super) is_demo: bool,
    /// The last reading, since most polls find the same.
    pub(super) last_read: Mutex<Option<Folder>>,
    records: Option<Records>,
}

/// Where accepted policies are recorded.
#[derive(Clone)]
struct Records {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
}

/// The settings' requirements on an edit.
#[derive(Clone)]
pub(super) struct EditRules {
    approvals: usize,
    pub(super) tests: GateRequirement,
    pub(super) min_coverage: u8,
    pub(super) proofs: GateRequirement,
    pub(super) solver: Option<PathBuf>,
    pub(super) manifest: bool,
    pub(super) hold_widening: bool,
    pub(super) start: PolicyStart,
}

impl Policies {
    /// `program` is this executable, which checks candidates in a child process. Without a `store`,
    /// nothing was ever in force.
    pub(in crate::app) fn new(
        settings: &Settings,
        keys: &Keys,
        program: &Path,
        store: Option<Arc<Store>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let policies = &settings.policies;
        let records = store.map(|store| Records { store, clock });
        Self {
            domain: None,
            dir: policies.dir.clone(),
            shadow: policies.shadow.clone(),
            rules: EditRules {
                approvals: policies.approvals,
                tests: policies.tests,
                min_coverage: policies.min_coverage,
                proofs: policies.proofs,
                solver: policies.solver.clone(),
                manifest: policies.manifest,
                hold_widening: policies.hold_widening,
                start: policies.start,
            },
            proof_cache: ProofCacheConfig {
                dir: settings.data_dir.join("policies").join("proofs"),
                key: proof_cache_key(keys),
                read_only: false,
            },
            checker: Checker::new(
                program,
                policies.search_path.clone(),
                policies.check_timeout,
                policies.check_timeout_per_policy,
            ),
            accepted: accepted(records.clone(), None, policies.approvals),
            is_demo: settings.is_demo,
            last_read: Mutex::default(),
            records,
        }
    }

    /// The folder of a domain of one's own, under the same rules.
    pub(super) fn of_domain(&self, name: &str) -> Self {
        let domain = Some(name.to_owned());
        Self {
            dir: self.dir.join(DOMAINS).join(name),
            shadow: None,
            rules: self.rules.clone(),
            proof_cache: self.proof_cache.clone(),
            checker: self.checker.clone(),
            accepted: accepted(self.records.clone(), domain.clone(), self.rules.approvals),
            is_demo: self.is_demo,
            last_read: Mutex::default(),
            records: self.records.clone(),
            domain,
        }
    }

    /// For `charter check`: the proof cache is only read.
    pub(in crate::app) const fn read_only(mut self) -> Self {
        self.proof_cache.read_only = true;
        self
    }

    /// A check of the folder by itself.
    pub(super) fn check_request(&self, folder: &Folder) -> CheckRequest {
        CheckRequest {
            dir: self.dir.clone(),
            candidate: folder.files().clone(),
            live: None,
            baseline: None,
            tests: self.rules.tests,
            min_coverage: self.rules.min_coverage,
            proofs: self.rules.proofs,
            solver: self.checker.solver(self.rules.solver.as_deref()),
            proof_cache: Some(self.proof_cache.clone()),
            hold_widening: self.rules.hold_widening,
            is_stop: false,
            time: self.checker.timeout(folder),
        }
    }

    /// The version of the folder's manifest. The error says that the folder does not match it or is
    /// older than what was in force.
    pub(super) fn check_version(
        &self,
        folder: &Folder,
        last: &LastAccepted,
    ) -> Result<Option<u64>, String> {
        let version =
            gates::check_manifest(folder, self.rules.manifest).map_err(|error| error.report())?;
        last.check_version(folder.whole_digest(), version)?;
        Ok(version)
    }
}

fn accepted(records: Option<Records>, domain: Option<String>, approvals: usize) -> AcceptedStore {
    let ledger: Box<dyn PolicyLedger> = match records {
        Some(Records { store, clock }) => Box::new(DatabaseLedger {
            store,
            clock,
            domain,
        }),
        None => Box::new(NoLedger),
    };
    AcceptedStore::new(ledger, approvals)
}

/// The key that authenticates the proof cache, derived from the audit key.
#[expect(
    clippy::expect_used,
    reason = "the settings refuse an empty list of keys"
)]
fn proof_cache_key(keys: &Keys) -> [u8; 32] {
    let audit = keys.audit.first().expect("an audit key");
    mac(&mac(audit.expose(), b"charter policies v1"), b"proofs")
}

fn mac(key: &[u8], label: &[u8]) -> [u8; 32] {
    let mac = keyed_hash(key).chain_update(label);
    mac.finalize().into_bytes().into()
}
