//! The folder that is asked beside the one in force: an edit of it is taken if it can be loaded.

use std::path::PathBuf;
use std::sync::Arc;

use crate::authz::decision_log::Shadow;
use crate::authz::folder::{Files, Folder};
use crate::policy::gates::{Demand, Job};

use super::checker::Checker;
use super::reload::{aside, load};

/// The shadow's folder, and what is known of it.
pub(super) struct ShadowFolder {
    dir: PathBuf,
    shadow: Arc<Shadow>,
    judged: Option<Result<Files, String>>,
}

impl ShadowFolder {
    pub(super) const fn new(dir: PathBuf, shadow: Arc<Shadow>) -> Self {
        Self {
            dir,
            shadow,
            judged: None,
        }
    }

    /// Takes the folder as it is now. It decides nothing, so that it parses is all it must do.
    pub(super) async fn look(&mut self, checker: &Checker) {
        let dir = self.dir.clone();
        let read = aside(move || Folder::read(&dir).map_err(|error| error.report())).await;
        let Some(read) = read else {
            return;
        };
        let files = read.as_ref().map(|folder| folder.files().clone());
        let files = files.map_err(Clone::clone);
        if self.judged.as_ref() == Some(&files) {
            return;
        }
        let loaded = match read {
            Ok(folder) => self.load(folder, checker).await,
            Err(reason) => Err(reason),
        };
        match loaded {
            Ok(()) => tracing::info!("other policies are asked beside those in force"),
            Err(reason) => {
                tracing::error!(
                    "the shadow's policies cannot be used, those before are asked\n{reason}"
                );
            }
        }
        self.judged = Some(files);
    }

    async fn load(&self, folder: Folder, checker: &Checker) -> Result<(), String> {
        let verdict = checker.check(&self.job(&folder, checker)).await;
        if let Some(reason) = verdict.report() {
            return Err(reason);
        }
        let snapshot = load(&folder).await?;
        let known = self.shadow.snapshot();
        if known.is_none_or(|known| known.digest() != snapshot.digest()) {
            self.shadow.replace(Some(snapshot));
        }
        Ok(())
    }

    fn job(&self, folder: &Folder, checker: &Checker) -> Job {
        Job {
            dir: self.dir.clone(),
            candidate: folder.files().clone(),
            live: None,
            baseline: None,
            tests: Demand::No,
            min_coverage: 0,
            proofs: Demand::No,
            solver: None,
            proofs_kept: None,
            hold_widening: false,
            time: checker.timeout(),
        }
    }
}
