//! The domains below the shadow folder: each takes effect if it can be loaded, by itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use charter_authz::folder::{DOMAINS, Files, Folder};
use charter_authz::snapshot::Snapshot;
use charter_decision_log::ShadowPolicies;
use charter_policy::gates::{CheckRequest, GateRequirement};

use super::checked_folder::Policies;
use super::folder_follower::{FolderFollower, Refusal, files_of, names_below, read};
use super::folder_reading::run_in_background;

pub(super) struct DomainShadows {
    dir: PathBuf,
    shadow: Arc<ShadowPolicies>,
    policies: Arc<Policies>,
    known: BTreeMap<String, KnownShadow>,
}

#[derive(Default)]
struct KnownShadow {
    follower: FolderFollower<Result<Files, String>>,
    /// The last that could be loaded.
    snapshot: Option<Arc<Snapshot>>,
    fault: Option<String>,
}

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
    pub(super) async fn look(&mut self, now: Duration) {
        let Some(names) = names_below(self.dir.clone()).await else {
            return;
        };
        let before = self.known.len();
        self.known.retain(|name, _| names.contains(name));
        let mut is_changed = self.known.len() != before;
        for name in names {
            is_changed |= self.look_at(name, now).await;
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
    async fn look_at(&mut self, name: String, now: Duration) -> bool {
        let dir = self.dir.join(&name);
        let Some(reading) = read(&dir).await else {
            return false;
        };
        let known = self.known.entry(name.clone()).or_default();
        let files = files_of(&reading);
        if !known.follower.is_due(&files, now) {
            return false;
        }
        let loaded = match reading {
            Ok(folder) => load(&self.policies, &dir, folder).await,
            Err(fault) => Err(fault.into()),
        };
        let is_unfinished = loaded.as_ref().is_err_and(|it: &Refusal| it.is_unfinished);
        known.follower.judged(files, is_unfinished, now);
        match loaded {
            Ok(snapshot) => {
                tracing::info!(domain = name, digest = %snapshot.digest(), "new shadow policies of a domain are in use");
                known.snapshot = Some(Arc::new(snapshot));
                known.fault = None;
                true
            }
            Err(Refusal { report, .. }) => {
                tracing::error!(
                    domain = name,
                    "the shadow policies of a domain cannot be used; the previous ones stay in use\n{report}"
                );
                known.fault = Some(report);
                false
            }
        }
    }
}

/// Loads shadow policies. They decide nothing, so only validation is required.
pub(super) async fn load(
    policies: &Policies,
    dir: &Path,
    folder: Folder,
) -> Result<Snapshot, Refusal> {
    let request = CheckRequest {
        dir: dir.to_owned(),
        tests: GateRequirement::Off,
        proofs: GateRequirement::Off,
        hold_widening: false,
        ..policies.check_request(&folder)
    };
    let verdict = policies.checker.check(&request).await;
    if let Some(report) = verdict.report() {
        return Err(Refusal {
            report,
            is_unfinished: verdict.unfinished,
        });
    }
    let load = move || Snapshot::from_folder(&folder).map_err(|error| error.report());
    let loaded = run_in_background(load).await;
    let loaded = loaded.unwrap_or_else(|| Err("the policies could not be loaded".to_owned()));
    loaded.map_err(Refusal::from)
}
