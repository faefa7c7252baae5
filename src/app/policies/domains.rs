//! The policy domains of other services, `{policies.dir}/domains/*`: each is checked, taken at start and followed on
//! its own, against what was accepted of it last. A broken one does not affect the others, and `/readyz` says why it
//! is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use charter_authz::engine::{PolicyHealth, RefusedFolder};
use charter_authz::folder::{DOMAINS, Files, MAX_DOMAIN_NAME, is_domain_name};
use charter_authz::own_domain::OwnDomain;
use charter_domain::timestamp::Timestamp;
use charter_http::state::State;
use charter_store::NewPolicyRevision;

use super::checked_folder::Policies;
use super::folder_follower::{FolderFollower, names_below};
use super::folder_reading::{CheckInput, FolderReading, Phase, run_on_thread};
use super::folder_watch::{POLL, SETTLE};
use super::last_accepted::LastAccepted;
use super::report::{NOT_RECORDED, set_warning};
use super::start::{Started, UnfitFolder};
use super::writable::report_writable;

/// Warning of each domain in force while there is no directory of domains.
const GONE: &str = "domains: there is no directory `domains` in the policy folder. What was in force stays in force; to \
    remove a domain, remove its own folder";

/// Why a new domain decides nothing yet.
const NEVER_RECORDED: &str = "the first policies of a domain must be recorded where later ones are compared with them, \
    and the database does not take them; retrying";

/// Takes the domains' folders.
pub(super) struct DomainFolders {
    policies: Arc<Policies>,
    state: Arc<State>,
    known: BTreeMap<String, KnownFolder>,
}

struct KnownFolder {
    policies: Policies,
    follower: FolderFollower<CheckInput>,
    /// The files in force.
    live: Option<Files>,
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
        for (name, known) in &mut self.known {
            known.retry_recording(name, &self.state).await;
        }
        let dir = self.policies.dir.join(DOMAINS);
        let Some(names) = names_below(dir.clone()).await else {
            return;
        };
        // Nobody removes all domains by removing their directory: it was moved, or is being replaced.
        let is_gone = names.is_empty() && run_on_thread(move || !dir.is_dir()).await != Some(false);
        for name in self.known.keys() {
            warn(&self.state, name, GONE, is_gone);
        }
        if is_gone && !self.known.is_empty() {
            return;
        }
        self.state.domains.keep_only(&names);
        let mut has_taken = false;
        // Without its folder a domain decides nothing. Back again, the folder follows what was accepted of it last.
        self.known.retain(|name, known| {
            if !names.contains(name) {
                known.forget();
            }
            names.contains(name) || known.policies.accepted.has_unwritten()
        });
        for name in names {
            let known = self.known.entry(name.clone());
            let known = known.or_insert_with(|| KnownFolder::new(&self.policies, &name));
            has_taken |= known.judge(&name, &self.state, phase).await;
        }
        if has_taken && let Some(found) = self.policies.writable_warnings().await {
            let engine = &self.state.engine;
            let known = engine.health();
            engine.update(|health| report_writable(health, &known, &found));
        }
    }
}

/// What a start would refuse of the domains' folders, and why, by name.
pub(in crate::app) async fn refused_domains(
    policies: &Policies,
    now: Timestamp,
) -> BTreeMap<String, String> {
    let names = names_below(policies.dir.join(DOMAINS)).await;
    let mut refused = BTreeMap::new();
    for name in names.unwrap_or_default() {
        let folder = KnownFolder::new(policies, &name);
        let reason = match folder.read(&name).await {
            Err(reason) => Some(reason),
            Ok(read) => match folder.take(read, now, Phase::Start).await {
                Err(unfit) => Some(unfit.reason),
                Ok(started) => started.health.refused.map(|it| it.reason),
            },
        };
        refused.extend(reason.map(|reason| (name, reason)));
    }
    refused
}

impl KnownFolder {
    fn new(policies: &Policies, name: &str) -> Self {
        Self {
            policies: policies.of_domain(name),
            follower: FolderFollower::default(),
            live: None,
        }
    }

    fn forget(&mut self) {
        self.follower = FolderFollower::default();
        self.live = None;
    }

    /// Whether another version is in force now.
    async fn judge(&mut self, name: &str, state: &State, phase: Phase) -> bool {
        let read = match self.read(name).await {
            Ok(read) => read,
            Err(reason) => {
                tracing::warn!(domain = name, "{reason}");
                if self.live.is_none() {
                    state.domains.refuse(name, unread(reason, state));
                }
                return false;
            }
        };
        let (input, now) = (read.check_input(), state.clock.monotonic());
        if !self.follower.is_due(&input, now) {
            return false;
        }
        if phase == Phase::Serving {
            // Its files may still be being written; the next poll follows soon.
            tokio::time::sleep(SETTLE).await;
            let again = self.read(name).await;
            if again.map(|again| again.check_input()).as_ref() != Ok(&input) {
                return false;
            }
        }
        if self.live.is_some() && read.files() == self.live.as_ref() {
            state.domains.update(name, |health| health.refused = None);
            self.follower.judged(input, false, now);
            return false;
        }
        let is_new = read.last.revision().is_none();
        let (has_taken, is_unfinished) = match self.take(read, state.clock.now(), phase).await {
            Ok(started) => {
                let is_unfinished = started.is_unfinished;
                if is_new && !self.is_on_record(&started).await {
                    tracing::error!(domain = name, "{NEVER_RECORDED}");
                    state
                        .domains
                        .refuse(name, unread(NEVER_RECORDED.to_owned(), state));
                    (false, true)
                } else {
                    self.put_in_force(name, started, state).await;
                    (true, is_unfinished)
                }
            }
            Err(unfit) => {
                let report = &unfit.reason;
                tracing::error!(domain = name, "a domain was refused\n{report}");
                let is_unfinished = unfit.is_unfinished;
                let refused = unfit.refused_at(state.clock.now());
                state.domains.refuse(name, refused);
                (false, is_unfinished)
            }
        };
        self.follower.judged(input, is_unfinished, now);
        has_taken
    }

    async fn read(&self, name: &str) -> Result<FolderReading, String> {
        if is_domain_name(name) {
            let nothing = Files::new();
            return self
                .policies
                .read(self.live.as_ref().unwrap_or(&nothing))
                .await;
        }
        let reason = format!(
            "`{name}` cannot be the name of a domain: use 1 to {MAX_DOMAIN_NAME} characters of `a-z 0-9 -`"
        );
        Ok(FolderReading {
            folder: Err(reason),
            last: Arc::new(LastAccepted::none()),
            approved: false,
        })
    }

    async fn take(
        &self,
        read: FolderReading,
        now: Timestamp,
        phase: Phase,
    ) -> Result<Started<OwnDomain>, UnfitFolder> {
        if self.live.is_some() {
            self.policies.take_folder(read, now, phase).await
        } else {
            self.policies.take_or_restore(read, now, phase).await
        }
    }

    /// Whether what follows it could be compared with it after a restart, where the settings demand that.
    async fn is_on_record(&self, started: &Started<OwnDomain>) -> bool {
        let rules = &self.policies.rules;
        match &started.taken.new {
            Some(new) if rules.hold_widening || rules.manifest => {
                self.policies.accepted.accept(new.clone()).await.is_ok()
            }
            _ => true,
        }
    }

    async fn put_in_force(&mut self, name: &str, started: Started<OwnDomain>, state: &State) {
        let Started {
            loaded,
            health,
            taken,
            ..
        } = started;
        if health.refused.is_none() {
            tracing::info!(domain = name, digest = %loaded.snapshot().digest(), "a domain is in force");
        }
        self.live = Some(taken.folder.files().clone());
        state.domains.take(name, loaded, health);
        warn(
            state,
            name,
            NOT_RECORDED,
            self.policies.accepted.has_unwritten(),
        );
        if let Some(new) = taken.new {
            self.record(name, new, state).await;
        }
    }

    async fn record(&self, name: &str, new: NewPolicyRevision, state: &State) {
        if let Err(error) = self.policies.accepted.accept(new).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(domain = name, error, "{NOT_RECORDED}");
            warn(state, name, NOT_RECORDED, true);
        }
    }

    /// Retries recording the revision in force.
    async fn retry_recording(&self, name: &str, state: &State) {
        let accepted = &self.policies.accepted;
        if accepted.has_unwritten() && accepted.write().await.is_ok() {
            tracing::info!(domain = name, "the active policy revision is persisted");
            warn(state, name, NOT_RECORDED, false);
        }
    }
}

/// What is shown of a domain whose record cannot be read now.
fn unread(reason: String, state: &State) -> RefusedFolder {
    RefusedFolder {
        digest: None,
        reason,
        since: state.clock.now(),
        gates: Vec::new(),
        files: None,
    }
}

fn warn(state: &State, name: &str, warning: &str, holds: bool) {
    let change = |health: &mut PolicyHealth| {
        set_warning(&mut health.warnings, warning, holds);
    };
    state.domains.update(name, change);
}
