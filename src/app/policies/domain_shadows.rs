//! The domains below the shadow folder: each takes effect if it can be loaded, by itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use charter_authz::folder::{DOMAINS, Files, Folder};
use charter_authz::snapshot::Snapshot;
use charter_decision_log::ShadowPolicies;
use charter_policy::domain_arg;
use charter_policy::gates::{CheckRequest, GateRequirement};

use super::checked_folder::Policies;
use super::folder_reading::{run_in_background, run_on_thread};

pub(super) struct DomainShadows {
    dir: PathBuf,
    shadow: Arc<ShadowPolicies>,
    policies: Arc<Policies>,
    known: BTreeMap<String, KnownShadow>,
}

/// A folder, and what came of it.
#[derive(Default)]
struct KnownShadow {
    last_checked: Option<Result<Files, String>>,
    /// The last that could be loaded.
    snapshot: Option<Arc<Snapshot>>,
    fault: Option<String>,
    /// So many looks pass before a check that did not finish is repeated.
    pause: u32,
}

/// A look is a second.
const PAUSE: u32 = 30;

impl DomainShadows {
    /// Of this shadow folder.
    pub(super) fn new(folder: &Path, shadow: Arc<ShadowPolicies>, policies: Arc<Policies>) -> Self {
        Self {
            dir: folder.join(DOMAINS),
            shadow,
            policies,
            known: BTreeMap::new(),
        }
    }

    /// Loads what has changed.
    pub(super) async fn look(&mut self) {
        let dir = self.dir.clone();
        let Some(names) = run_on_thread(move || domain_arg::names(&dir)).await else {
            return;
        };
        let before = self.known.len();
        self.known.retain(|name, _| names.contains(name));
        let mut is_changed = self.known.len() != before;
        for name in names {
            is_changed |= self.look_at(name).await;
        }
        if is_changed {
            let domains = self.known.iter();
            let loaded = domains.filter_map(|(name, known)| {
                let snapshot = known.snapshot.clone()?;
                Some((name.clone(), snapshot))
            });
            self.shadow.replace_domains(loaded.collect());
        }
    }

    /// Why any cannot be used.
    pub(super) fn faults(&self) -> impl Iterator<Item = String> {
        self.known.iter().filter_map(|(name, known)| {
            let fault = known.fault.as_ref()?;
            Some(format!("the domain `{name}` of the shadow: {fault}"))
        })
    }

    /// Whether it was loaded anew.
    async fn look_at(&mut self, name: String) -> bool {
        let dir = self.dir.join(&name);
        let read = run_on_thread(move || Folder::read(&dir).map_err(|error| error.report())).await;
        let Some(read) = read else {
            return false;
        };
        let files = read.as_ref().map(|folder| folder.files().clone());
        let files = files.map_err(Clone::clone);
        let known = self.known.entry(name.clone()).or_default();
        if known.pause > 0 || known.last_checked.as_ref() == Some(&files) {
            known.pause = known.pause.saturating_sub(1);
            return false;
        }
        let (loaded, is_unfinished) = match read {
            Ok(folder) => self.load(&name, folder).await,
            Err(fault) => (Err(fault), false),
        };
        let known = self.known.entry(name.clone()).or_default();
        known.last_checked = (!is_unfinished).then_some(files);
        known.pause = if is_unfinished { PAUSE } else { 0 };
        match loaded {
            Ok(snapshot) => {
                tracing::info!(domain = name, digest = %snapshot.digest(), "new shadow policies of a domain are in use");
                known.snapshot = Some(Arc::new(snapshot));
                known.fault = None;
                true
            }
            Err(fault) => {
                tracing::error!(
                    domain = name,
                    "the shadow policies of a domain cannot be used; the previous ones stay in use\n{fault}"
                );
                known.fault = Some(fault);
                false
            }
        }
    }

    /// Only the validation gate: they decide nothing. The second part is whether it did not finish.
    async fn load(&self, name: &str, folder: Folder) -> (Result<Snapshot, String>, bool) {
        let request = CheckRequest {
            dir: self.dir.join(name),
            tests: GateRequirement::Off,
            proofs: GateRequirement::Off,
            hold_widening: false,
            ..self.policies.check_request(&folder)
        };
        let verdict = self.policies.checker.check(&request).await;
        if let Some(report) = verdict.report() {
            return (Err(report), verdict.unfinished);
        }
        let load = move || Snapshot::from_folder(&folder).map_err(|error| error.report());
        let loaded = run_in_background(load).await;
        let loaded = loaded.unwrap_or_else(|| Err("the policies could not be loaded".to_owned()));
        (loaded, false)
    }
}
