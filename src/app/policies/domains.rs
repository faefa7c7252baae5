//! The policy domains of other services, `{policies.dir}/domains/*`: each is checked, loaded at start and watched
//! on its own. A broken one does not affect the others, and `/readyz` says why it is refused.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use charter_authz::folder::{DOMAINS, Files, Folder, MAX_DOMAIN_NAME, is_domain_name};
use charter_authz::own_domain::OwnDomain;
use charter_http::state::State;
use charter_policy::gates::{self, CheckRequest, GateRequirement, GateVerdict, PolicyGate};

use super::checked_folder::Policies;
use super::folder_follower::{FolderFollower, Refusal, files_of, names_below, read, settled};
use super::folder_reading::{run_in_background, run_on_thread};
use super::folder_watch::POLL;
use super::report::shortened;
use super::writable::report_writable;

/// Takes the domains' folders.
pub(super) struct DomainFolders {
    policies: Arc<Policies>,
    state: Arc<State>,
    known: BTreeMap<String, KnownFolder>,
}

#[derive(Default)]
struct KnownFolder {
    follower: FolderFollower,
    /// The files in force.
    live: Option<Files>,
    /// The digest of what was read, if only an approval is missing.
    held: Option<Arc<str>>,
}

/// Whether requests are served, which then have priority.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Start,
    Serving,
}

impl DomainFolders {
    pub(super) const fn new(policies: Arc<Policies>, state: Arc<State>) -> Self {
        Self {
            policies,
            state,
            known: BTreeMap::new(),
        }
    }

    /// Loads all domains before anything is served.
    pub(super) async fn load(&mut self) {
        self.look(Phase::Start).await;
    }

    /// Watches the folders.
    pub(super) async fn follow(mut self) {
        loop {
            tokio::time::sleep(POLL).await;
            self.look(Phase::Serving).await;
        }
    }

    async fn look(&mut self, phase: Phase) {
        let Some(names) = names_below(self.policies.dir.join(DOMAINS)).await else {
            return;
        };
        self.state.domains.keep_only(&names);
        self.known.retain(|name, _| names.contains(name));
        for name in names {
            self.judge(&name, phase).await;
        }
    }

    async fn judge(&mut self, name: &str, phase: Phase) {
        let dir = self.policies.dir.join(DOMAINS).join(name);
        let Some(mut reading) = read(&dir).await else {
            return;
        };
        let now = self.state.clock.monotonic();
        let held = self.known.get(name).and_then(|known| known.held.clone());
        let is_approved = match &held {
            Some(digest) => self.is_approved(digest).await,
            None => false,
        };
        let known = self.known.entry(name.to_owned()).or_default();
        if !known.follower.is_due(&reading, now) && !is_approved {
            return;
        }
        if phase == Phase::Serving {
            match settled(&dir, &reading).await {
                Some(again) => reading = again,
                None => return,
            }
        }
        let files = files_of(&reading);
        let live = known.live.clone();
        let taken = match reading {
            Err(report) => Err(report.into()),
            Ok(folder) => self.take(name, &dir, folder, live, phase).await,
        };
        let known = self.known.entry(name.to_owned()).or_default();
        known.follower.judged(files.clone(), &taken, now);
        known.held = None;
        match taken {
            Ok(domain) => {
                tracing::info!(domain = name, digest = %domain.snapshot().digest(), "a domain is in force");
                known.live = files.ok();
                self.state.domains.take(name, domain);
                if let Some(found) = self.policies.writable_warnings().await {
                    let engine = &self.state.engine;
                    let known = engine.health();
                    engine.update(|health| report_writable(health, &known, &found));
                }
            }
            Err(refusal) => {
                let report = refusal.report;
                tracing::error!(domain = name, "a domain was refused\n{report}");
                known.held = refusal.held;
                self.state.domains.refuse(name, shortened(report));
            }
        }
    }

    /// Runs the gates.
    async fn take(
        &self,
        name: &str,
        dir: &Path,
        folder: Folder,
        live: Option<Files>,
        phase: Phase,
    ) -> Result<OwnDomain, Refusal> {
        if !is_domain_name(name) {
            let report = format!(
                "`{name}` cannot be the name of a domain: use 1 to {MAX_DOMAIN_NAME} characters of `a-z 0-9 -`"
            );
            return Err(report.into());
        }
        if !folder.is_own_domain() {
            let report = format!("`{}` is not directly below `{DOMAINS}`", dir.display());
            return Err(report.into());
        }
        gates::check_manifest(&folder, self.policies.rules.manifest)
            .map_err(|error| error.report())?;
        let verdict = self.check(dir, &folder, live, phase).await;
        if let Some(report) = verdict.report() {
            let mut refusals = verdict.refusals.iter();
            let is_held = refusals.all(|refusal| refusal.gate == PolicyGate::Widening);
            return Err(Refusal {
                report,
                is_unfinished: verdict.unfinished,
                held: is_held.then(|| Arc::clone(folder.whole_digest())),
            });
        }
        let load = move || OwnDomain::from_folder(&folder).map_err(|error| error.report());
        let loaded = match phase {
            Phase::Start => run_on_thread(load).await,
            Phase::Serving => run_in_background(load).await,
        };
        loaded
            .unwrap_or_else(|| Err("the domain could not be loaded".to_owned()))
            .map_err(Refusal::from)
    }

    async fn check(
        &self,
        dir: &Path,
        folder: &Folder,
        live: Option<Files>,
        phase: Phase,
    ) -> GateVerdict {
        let mut request = CheckRequest {
            dir: dir.to_owned(),
            ..self.policies.check_request(folder)
        };
        request.hold_widening &= live.is_some() && !self.is_approved(folder.whole_digest()).await;
        request.live = live;
        if request.tests == GateRequirement::Off
            && request.proofs == GateRequirement::Off
            && !request.hold_widening
        {
            return GateVerdict::default();
        }
        match phase {
            Phase::Start => self.policies.checker.check_at_start(&request).await,
            Phase::Serving => self.policies.checker.check(&request).await,
        }
    }

    /// Approvals are for what is to follow the built-in policies in force, and end with them.
    async fn is_approved(&self, whole_digest: &str) -> bool {
        match self.policies.accepted.last().await {
            Ok(last) => {
                let accepted = &self.policies.accepted;
                accepted.is_approved(whole_digest, &last).await
            }
            Err(error) => {
                tracing::warn!(%error, "approvals cannot be read, nothing is approved");
                false
            }
        }
    }
}
