//! The folder of the shadow policies: an edit takes effect if it can be loaded.

use std::path::PathBuf;
use std::sync::Arc;

use charter_authz::engine::ShadowInUse;
use charter_authz::folder::{Files, Folder};
use charter_authz::snapshot::Snapshot;
use charter_decision_log::ShadowPolicies;
use charter_http::state::State;
use charter_policy::gates::{CheckRequest, GateRequirement};

use super::checked_folder::Policies;
use super::domain_shadows::DomainShadows;
use super::folder_reading::run_in_background;
use super::folder_watch::{POLL, RETRY};
use super::report::shortened;

pub(super) struct ShadowFolder {
    dir: PathBuf,
    shadow: Arc<ShadowPolicies>,
    policies: Arc<Policies>,
    state: Arc<State>,
    last_checked: Option<Result<Files, String>>,
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
            last_checked: None,
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
            self.domains.look().await;
            self.poll_folder().await;
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

    /// Loads the folder if it has changed. Shadow policies decide nothing, so only validation is
    /// required.
    async fn poll_folder(&mut self) {
        let dir = self.dir.clone();
        let read = tokio::task::spawn_blocking(move || {
            Folder::read(&dir).map_err(|error| {
                error
                    .renamed("`policies.dir`", "`policies.shadow`")
                    .report()
            })
        });
        let Ok(read) = read.await else {
            return;
        };
        let files = read.as_ref().map(|folder| folder.files().clone());
        let files = files.map_err(Clone::clone);
        if self.last_checked.as_ref() == Some(&files) {
            return;
        }
        let mut in_use = None;
        let (loaded, unfinished) = match read {
            Ok(folder) => {
                in_use = Some(ShadowInUse {
                    whole_digest: Arc::clone(folder.whole_digest()),
                    since: self.state.clock.now(),
                    files: Arc::new(folder.files().clone()),
                });
                let verdict = self
                    .policies
                    .checker
                    .check(&self.check_request(&folder))
                    .await;
                match verdict.report() {
                    None => (self.load(&folder).await, false),
                    Some(reason) => (Err(reason), verdict.unfinished),
                }
            }
            Err(reason) => (Err(reason), false),
        };
        self.fault = loaded.err();
        match &self.fault {
            None => tracing::info!("new shadow policies are in use"),
            Some(reason) => {
                tracing::error!(
                    "the shadow policies cannot be used; the previous ones stay in use\n{reason}"
                );
            }
        }
        if self.fault.is_none() {
            self.state
                .engine
                .update(|health| health.shadow_in_use.clone_from(&in_use));
        }
        self.report();
        if unfinished {
            tokio::time::sleep(RETRY).await;
        } else {
            self.last_checked = Some(files);
        }
    }

    async fn load(&self, folder: &Folder) -> Result<(), String> {
        let folder = folder.clone();
        let loaded = run_in_background(move || {
            Snapshot::from_folder(&folder).map_err(|error| error.report())
        });
        let snapshot = loaded.await.ok_or("the policies could not be loaded")??;
        let known = self.shadow.snapshot();
        if known.is_none_or(|known| known.digest() != snapshot.digest()) {
            self.shadow.replace(Some(snapshot));
        }
        Ok(())
    }

    /// Only the validation gate.
    fn check_request(&self, folder: &Folder) -> CheckRequest {
        CheckRequest {
            dir: self.dir.clone(),
            tests: GateRequirement::Off,
            proofs: GateRequirement::Off,
            hold_widening: false,
            ..self.policies.check_request(folder)
        }
    }
}
