//! The domains below the shadow folder: each takes effect if it can be loaded, by itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use charter_authz::custom_domain::CustomDomain;
use charter_authz::folder::{DOMAINS, Files};
use charter_authz::policy_health::ShadowInUse;
use charter_decision_log::{ShadowDomain, ShadowPolicies};
use charter_domain::clock::Clock;
use charter_policy::gates::{CheckRequest, GateRequirement};

use super::checked_folder::Policies;
use super::folder_follower::{FolderFollower, Reading, Refusal, files_of, names_below, read};
use super::folder_reading::{FromFolder, run_in_background};

pub(super) struct DomainShadows {
    dir: PathBuf,
    shadow: Arc<ShadowPolicies>,
    policies: Arc<Policies>,
    known: BTreeMap<String, KnownShadow>,
}

#[derive(Default)]
struct KnownShadow {
    follower: FolderFollower<Result<Files, String>>,
    shown: ShadowDomain,
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
    pub(super) async fn look(&mut self, clock: &dyn Clock) {
        let Some(names) = names_below(self.dir.clone()).await else {
            return;
        };
        let before = self.known.len();
        self.known.retain(|name, _| names.contains(name));
        let mut is_changed = self.known.len() != before;
        for name in names {
            is_changed |= self.look_at(name, clock).await;
        }
        if is_changed {
            let domains = self.known.iter();
            let shown = domains.map(|(name, known)| (name.clone(), known.shown.clone()));
            self.shadow.replace_domains(shown.collect());
        }
    }

    /// Why any cannot be used.
    pub(super) fn faults(&self) -> impl Iterator<Item = String> {
        self.known.iter().filter_map(|(name, known)| {
            let fault = known.shown.fault.as_ref()?;
            Some(format!("the domain `{name}` of the shadow: {fault}"))
        })
    }

    /// Whether it was judged anew.
    async fn look_at(&mut self, name: String, clock: &dyn Clock) -> bool {
        let now = clock.monotonic();
        let dir = self.dir.join(&name);
        let Some(reading) = read(&dir).await else {
            return false;
        };
        let known = self.known.entry(name.clone()).or_default();
        let files = files_of(&reading);
        if !known.follower.is_due(&files, now) {
            return false;
        }
        let loaded = load::<CustomDomain>(&self.policies, &dir, reading, clock).await;
        let is_unfinished = loaded.as_ref().is_err_and(|it: &Refusal| it.is_unfinished);
        known.follower.judged(files, is_unfinished, now);
        match loaded {
            Ok((domain, in_use)) => {
                let digest = domain.snapshot().digest();
                tracing::info!(domain = name, %digest, "new shadow policies of a domain are in use");
                known.shown = ShadowDomain {
                    domain: Some(Arc::new(domain)),
                    in_use: Some(in_use),
                    fault: None,
                };
            }
            Err(Refusal { report, .. }) => {
                tracing::error!(
                    domain = name,
                    "the shadow policies of a domain cannot be used; the previous ones stay in use\n{report}"
                );
                known.shown.fault = Some(report);
            }
        }
        true
    }
}

/// Loads shadow policies. They decide nothing, so only validation is required.
pub(super) async fn load<L: FromFolder>(
    policies: &Policies,
    dir: &Path,
    reading: Reading,
    clock: &dyn Clock,
) -> Result<(L, ShadowInUse), Refusal> {
    let folder = reading?;
    let in_use = ShadowInUse {
        whole_digest: Arc::clone(folder.whole_digest()),
        since: clock.now(),
        files: Arc::new(folder.files().clone()),
    };
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
    let load = move || L::from_folder(&folder).map_err(|error| error.report());
    let loaded = run_in_background(load).await;
    let loaded = loaded.unwrap_or_else(|| Err("the policies could not be loaded".to_owned()));
    Ok((loaded?, in_use))
}
