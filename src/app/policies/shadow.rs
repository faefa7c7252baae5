//! The folder of the shadow policies: an edit takes effect if it can be loaded.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use charter_authz::fault::LoadError;
use charter_authz::folder::Files;
use charter_authz::snapshot::Snapshot;
use charter_decision_log::ShadowPolicies;
use charter_http::state::State;

use super::checked_folder::Policies;
use super::domain_shadows::{DomainShadows, load};
use super::folder_follower::{FolderFollower, Refusal, files_of, read_as};
use super::folder_watch::POLL;
use super::report::shortened;

pub(super) struct ShadowFolder {
    dir: PathBuf,
    shadow: Arc<ShadowPolicies>,
    policies: Arc<Policies>,
    state: Arc<State>,
    follower: FolderFollower<Result<Files, String>>,
    /// What is wrong with the folder itself.
    fault: Option<String>,
    reported: Option<String>,
    domains: DomainShadows,
}

impl ShadowFolder {
    pub(super) fn new(
        dir: PathBuf,
        shadow: Arc<ShadowPolicies>,
        policies: Arc<Policies>,
        state: Arc<State>,
    ) -> Self {
        let domains = DomainShadows::new(&dir, Arc::clone(&shadow), Arc::clone(&policies));
        Self {
            dir,
            shadow,
            policies,
            state,
            follower: FolderFollower::default(),
            fault: None,
            reported: None,
            domains,
        }
    }

    /// Polls the folder for ever.
    pub(super) async fn run(mut self) {
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            poll.tick().await;
            let now = self.state.clock.monotonic();
            self.domains.look(&*self.state.clock).await;
            self.poll_folder(now).await;
            self.report();
        }
    }

    fn report(&mut self) {
        let faults: Vec<String> = self
            .fault
            .iter()
            .cloned()
            .chain(self.domains.faults())
            .collect();
        let fault = (!faults.is_empty()).then(|| shortened(faults.join("\n")));
        if fault == self.reported {
            return;
        }
        self.reported.clone_from(&fault);
        self.state
            .engine
            .update(|health| health.shadow.clone_from(&fault));
    }

    /// Loads the folder if it has changed.
    async fn poll_folder(&mut self, now: Duration) {
        let word = |error: LoadError| error.renamed("`policies.dir`", "`policies.shadow`");
        let Some(reading) = read_as(&self.dir, word).await else {
            return;
        };
        let files = files_of(&reading);
        if !self.follower.is_due(&files, now) {
            return;
        }
        let clock = &*self.state.clock;
        let loaded = load::<Snapshot>(&self.policies, &self.dir, reading, clock).await;
        let is_unfinished = loaded.as_ref().is_err_and(|it: &Refusal| it.is_unfinished);
        self.follower.judged(files, is_unfinished, now);
        match loaded {
            Ok((snapshot, in_use)) => {
                let known = self.shadow.snapshot();
                if known.is_none_or(|known| known.digest() != snapshot.digest()) {
                    self.shadow.replace(Some(snapshot));
                }
                tracing::info!("new shadow policies are in use");
                self.fault = None;
                self.state
                    .engine
                    .update(|health| health.shadow_in_use = Some(in_use.clone()));
            }
            Err(refusal) => {
                let reason = refusal.report;
                tracing::error!(
                    "the shadow policies cannot be used; the previous ones stay in use\n{reason}"
                );
                self.fault = Some(reason);
            }
        }
    }
}
