//! The folder that is asked beside the one in force: an edit of it is taken if it can be loaded.

use std::path::PathBuf;
use std::sync::Arc;

use charter_authz::folder::{Files, Folder};
use charter_authz::snapshot::Snapshot;
use charter_decision_log::Shadow;
use charter_http::state::State;
use charter_policy::gates::{CheckRequest, Demand};

use super::checked_folder::Policies;
use super::read::behind;
use super::report::shortened;
use super::watch::{POLL, RETRY};

/// The shadow's folder, and what is known of it.
pub(super) struct ShadowFolder {
    dir: PathBuf,
    shadow: Arc<Shadow>,
    policies: Arc<Policies>,
    state: Arc<State>,
    judged: Option<Result<Files, String>>,
}

impl ShadowFolder {
    pub(super) const fn new(
        dir: PathBuf,
        shadow: Arc<Shadow>,
        policies: Arc<Policies>,
        state: Arc<State>,
    ) -> Self {
        Self {
            dir,
            shadow,
            policies,
            state,
            judged: None,
        }
    }

    /// Looks at it each second, for ever.
    pub(super) async fn run(mut self) {
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            poll.tick().await;
            self.look().await;
        }
    }

    /// Takes the folder as it is now. It decides nothing, so that it parses is all it must do.
    async fn look(&mut self) {
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
        if self.judged.as_ref() == Some(&files) {
            return;
        }
        let (loaded, unfinished) = match read {
            Ok(folder) => {
                let verdict = self.policies.checker.check(&self.job(&folder)).await;
                match verdict.report() {
                    None => (self.load(&folder).await, false),
                    Some(reason) => (Err(reason), verdict.unfinished),
                }
            }
            Err(reason) => (Err(reason), false),
        };
        let fault = loaded.err().map(shortened);
        match &fault {
            None => tracing::info!("other policies are asked beside those in force"),
            Some(reason) => {
                tracing::error!(
                    "the shadow's policies cannot be used, those before are asked\n{reason}"
                );
            }
        }
        self.state
            .engine
            .update(|health| health.shadow.clone_from(&fault));
        if unfinished {
            tokio::time::sleep(RETRY).await;
        } else {
            self.judged = Some(files);
        }
    }

    async fn load(&self, folder: &Folder) -> Result<(), String> {
        let folder = folder.clone();
        let loaded = behind(move || Snapshot::of(&folder).map_err(|error| error.report()));
        let snapshot = loaded.await.ok_or("the policies could not be loaded")??;
        let known = self.shadow.snapshot();
        if known.is_none_or(|known| known.digest() != snapshot.digest()) {
            self.shadow.replace(Some(snapshot));
        }
        Ok(())
    }

    /// No gate but loading.
    fn job(&self, folder: &Folder) -> CheckRequest {
        CheckRequest {
            dir: self.dir.clone(),
            tests: Demand::No,
            proofs: Demand::No,
            hold_widening: false,
            ..self.policies.job(folder)
        }
    }
}
