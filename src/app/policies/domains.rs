//! The policy domains of other services, `{policies.dir}/domains/*`: which there are. Each is followed by a task of its
//! own, so that a check that is slow, hangs or panics concerns its domain alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use charter_authz::folder::DOMAINS;
use charter_authz::policy_health::PolicyHealth;
use charter_domain::timestamp::Timestamp;
use charter_http::state::State;

use super::checked_folder::Policies;
use super::domain_folder::{DomainFolder, refusal};
use super::folder_follower::names_below;
use super::folder_reading::Phase;
use super::folder_reloader::received;
use super::folder_watch::POLL;
use super::report::set_warning;

/// Warning of each domain in force while the folders of all are gone.
const GONE: &str = "domains: the policy folder has no domain any more, its directory `domains` is missing or empty. What \
    was in force stays in force until there is one again; if all are meant to be removed, send SIGHUP or restart";

/// How long a start waits for the first checks.
const START_WAIT: Duration = Duration::from_secs(30);

/// Takes the domains' folders.
pub(super) struct DomainFolders {
    policies: Arc<Policies>,
    state: Arc<State>,
    known: BTreeMap<String, KnownFolder>,
    tasks: JoinSet<()>,
    /// Whether no folder is left, and what was in force stays.
    is_gone: bool,
}

/// A domain whose folder is followed.
struct KnownFolder {
    /// Cancelled when it is gone; the task ends soon after, and only then it may come again.
    gone: CancellationToken,
    task: AbortHandle,
}

impl DomainFolders {
    pub(super) fn new(policies: Arc<Policies>, state: Arc<State>) -> Self {
        Self {
            policies,
            state,
            known: BTreeMap::new(),
            tasks: JoinSet::new(),
            is_gone: false,
        }
    }

    /// Loads all domains before anything is served. One whose first check takes long does not hold up the start.
    pub(super) async fn load(&mut self) {
        let judged = self.look(Phase::Start, false).await;
        let all = async {
            for one in judged {
                // An error is one that panicked.
                let _ = one.await;
            }
        };
        if tokio::time::timeout(START_WAIT, all).await.is_err() {
            tracing::warn!(
                "the first checks of some domains have not finished; starting without waiting for them"
            );
        }
    }

    /// Watches which folders there are.
    pub(super) async fn follow(mut self) {
        let mut hangup = signal(SignalKind::hangup()).ok();
        loop {
            let is_told = tokio::select! {
                () = tokio::time::sleep(POLL) => false,
                () = received(&mut hangup) => true,
            };
            self.look(Phase::Serving, is_told).await;
        }
    }

    /// Follows what is new. With `may_remove_all` an operator says that domains without a folder are removed.
    async fn look(&mut self, phase: Phase, may_remove_all: bool) -> Vec<oneshot::Receiver<()>> {
        while let Some(ended) = self.tasks.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "following a domain failed; it is taken up again");
            }
        }
        self.known.retain(|_, known| !known.task.is_finished());
        let Some(names) = names_below(self.policies.dir.join(DOMAINS)).await else {
            return Vec::new();
        };
        // Nobody removes the last domain by mistake: the directory was moved, unmounted, or is being replaced.
        let is_gone = names.is_empty() && !may_remove_all;
        if is_gone || self.is_gone {
            for name in self.known.keys() {
                let update = |health: &mut PolicyHealth| {
                    set_warning(&mut health.warnings, GONE, is_gone);
                };
                self.state.domains.update(name, update);
            }
        }
        self.is_gone = is_gone;
        if is_gone {
            return Vec::new();
        }
        // Without its folder a domain decides nothing.
        self.state.domains.keep_only(&names);
        for (name, known) in &self.known {
            if !names.contains(name) {
                known.gone.cancel();
            }
        }
        self.follow_new(&names, phase)
    }

    /// Returns what tells that each of them was judged.
    fn follow_new(&mut self, names: &BTreeSet<String>, phase: Phase) -> Vec<oneshot::Receiver<()>> {
        let mut judged = Vec::new();
        for name in names {
            if self.known.contains_key(name) {
                continue;
            }
            let gone = CancellationToken::new();
            let (sender, receiver) = oneshot::channel();
            let state = Arc::clone(&self.state);
            let folder = DomainFolder::new(name, &self.policies, state, gone.clone(), sender);
            let task = self.tasks.spawn(folder.run(phase));
            self.known.insert(name.clone(), KnownFolder { gone, task });
            judged.push(receiver);
        }
        judged
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
        let reason = refusal(policies, &name, now).await;
        refused.extend(reason.map(|reason| (name, reason)));
    }
    refused
}
