//! The folder that is asked beside the one in force: an edit of it is taken if it can be loaded.

use std::path::PathBuf;
use std::sync::Arc;

use crate::authz::decision_log::Shadow;
use crate::authz::folder::{Files, Folder};
use crate::policy::gates::{Demand, Job};

use super::Policies;
use super::reload::{POLL, RETRY, load};

/// The shadow's folder, and what is known of it.
pub(super) struct ShadowFolder {
    dir: PathBuf,
    shadow: Arc<Shadow>,
    policies: Arc<Policies>,
    judged: Option<Result<Files, String>>,
}

impl ShadowFolder {
    pub(super) const fn new(dir: PathBuf, shadow: Arc<Shadow>, policies: Arc<Policies>) -> Self {
        Self {
            dir,
            shadow,
            policies,
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
        let read =
            tokio::task::spawn_blocking(move || Folder::read(&dir).map_err(|error| error.report()));
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
        match loaded {
            Ok(()) => tracing::info!("other policies are asked beside those in force"),
            Err(reason) => {
                tracing::error!(
                    "the shadow's policies cannot be used, those before are asked\n{reason}"
                );
            }
        }
        if unfinished {
            tokio::time::sleep(RETRY).await;
        } else {
            self.judged = Some(files);
        }
    }

    async fn load(&self, folder: &Folder) -> Result<(), String> {
        let snapshot = load(folder).await?;
        let known = self.shadow.snapshot();
        if known.is_none_or(|known| known.digest() != snapshot.digest()) {
            self.shadow.replace(Some(snapshot));
        }
        Ok(())
    }

    /// No gate but loading.
    fn job(&self, folder: &Folder) -> Job {
        Job {
            dir: self.dir.clone(),
            tests: Demand::No,
            proofs: Demand::No,
            hold_widening: false,
            ..self.policies.job(folder)
        }
    }
}
