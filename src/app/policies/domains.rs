//! The policy domains of other services, `{policies.dir}/domains/*`: each is checked, loaded at start and watched
//! on its own. A broken one does not affect the others, and `/readyz` says why it is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use charter_authz::folder::{DOMAINS, Files, Folder, MAX_DOMAIN_NAME, is_domain_name};
use charter_authz::own_domain::OwnDomain;
use charter_http::state::State;
use charter_policy::gates::{self, CheckRequest, GateRequirement, GateVerdict, PolicyGate};

use super::checked_folder::Policies;
use super::folder_reading::{run_in_background, run_on_thread};
use super::folder_watch::{POLL, RETRY, SETTLE};
use super::report::shortened;

/// Takes the domains' folders.
pub(super) struct DomainFolders {
    policies: Arc<Policies>,
    state: Arc<State>,
    known: BTreeMap<String, KnownFolder>,
}

#[derive(Default)]
struct KnownFolder {
    /// The last checked reading.
    judged: Option<Result<Files, String>>,
    /// The files in force.
    live: Option<Files>,
    /// When a check that did not finish is repeated, by the monotonic clock.
    retry_at: Option<Duration>,
    /// The digest of what was read, if only an approval is missing.
    held: Option<Arc<str>>,
}

/// Why a folder is not taken.
struct DomainRefusal {
    report: String,
    /// A check did not finish.
    is_unfinished: bool,
    held: Option<Arc<str>>,
}

impl From<String> for DomainRefusal {
    fn from(report: String) -> Self {
        Self {
            report,
            is_unfinished: false,
            held: None,
        }
    }
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
        let dir = self.policies.dir.join(DOMAINS);
        let listed = run_on_thread(move || list(&dir)).await;
        let names = match listed {
            Some(Ok(names)) => names,
            Some(Err(error)) => {
                // The loaded domains stay in force.
                tracing::warn!(%error, "cannot list the domains below the policy folder");
                return;
            }
            None => return,
        };
        self.state.domains.keep_only(&names);
        self.known.retain(|name, _| names.contains(name));
        for name in names {
            self.judge(&name, phase).await;
        }
    }

    async fn judge(&mut self, name: &str, phase: Phase) {
        let dir = self.policies.dir.join(DOMAINS).join(name);
        let Some(mut read) = read(&dir).await else {
            return;
        };
        let now = self.state.clock.monotonic();
        let (retry_at, held) = match self.known.get(name) {
            Some(known) => (known.retry_at, known.held.clone()),
            None => (None, None),
        };
        let is_approved = match &held {
            Some(digest) => self.is_approved(digest).await,
            None => false,
        };
        let is_due = is_approved || retry_at.is_some_and(|at| at <= now);
        let known = self.known.entry(name.to_owned()).or_default();
        if known.judged.as_ref() == Some(&files_of(&read)) && !is_due {
            return;
        }
        if phase == Phase::Serving {
            // Files may still be being written; the next poll follows soon.
            tokio::time::sleep(SETTLE).await;
            let before = files_of(&read);
            match self::read(&dir).await {
                Some(again) if files_of(&again) == before => read = again,
                _ => return,
            }
        }
        let judged = files_of(&read);
        let live = known.live.clone();
        let taken = match read {
            Err(report) => Err(report.into()),
            Ok(folder) => self.take(name, &dir, folder, live, phase).await,
        };
        let known = self.known.entry(name.to_owned()).or_default();
        known.judged = Some(judged.clone());
        known.retry_at = None;
        known.held = None;
        match taken {
            Ok(domain) => {
                tracing::info!(domain = name, digest = %domain.snapshot().digest(), "a domain is in force");
                known.live = judged.ok();
                self.state.domains.take(name, domain);
            }
            Err(refusal) => {
                let report = refusal.report;
                tracing::error!(domain = name, "a domain was refused\n{report}");
                known.retry_at = refusal.is_unfinished.then(|| now + RETRY);
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
    ) -> Result<OwnDomain, DomainRefusal> {
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
            return Err(DomainRefusal {
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
            .map_err(DomainRefusal::from)
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

async fn read(dir: &Path) -> Option<Result<Folder, String>> {
    let dir: PathBuf = dir.to_owned();
    run_on_thread(move || Folder::read(&dir).map_err(|error| error.report())).await
}

fn files_of(read: &Result<Folder, String>) -> Result<Files, String> {
    let files = read.as_ref().map(|folder| folder.files().clone());
    files.map_err(Clone::clone)
}

/// The names of the folders, without hidden ones; none if there is no such directory.
fn list(dir: &Path) -> io::Result<BTreeSet<String>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error),
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !name.starts_with('.') {
            names.insert(name);
        }
    }
    Ok(names)
}
