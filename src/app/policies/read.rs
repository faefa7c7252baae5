//! What was found in the folder, and the threads that work on policies.

use std::sync::Arc;
use std::thread;

use tokio::sync::oneshot;

use charter_authz::folder::{Files, Folder, is_test};
use charter_policy::limits;

use super::accepted::Last;
use super::checked_folder::Policies;

/// What was found in the folder, and what is known of it.
#[derive(Debug, Clone)]
pub(super) struct Read {
    /// The folder, or why it cannot be read.
    pub(super) folder: Result<Folder, String>,
    pub(super) last: Arc<Last>,
    /// Whether enough people answer for it.
    pub(super) approved: bool,
}

/// What a judgement depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    /// The files, or why they cannot be read.
    pub(super) read: Result<Files, String>,
    pub(super) approved: bool,
}

impl Policies {
    /// Reads the folder. `live` is what is in force, for which nobody needs to answer.
    pub(super) async fn read(self: &Arc<Self>, live: &Files) -> Result<Read, String> {
        let last = self.accepted.last().await;
        let last = last.map_err(|error| format!("what was in force cannot be read: {error}"))?;
        let dir = self.dir.clone();
        let folder = beside(move || Folder::read(&dir).map_err(|error| error.report())).await;
        let folder =
            folder.unwrap_or_else(|| Err("the policy folder could not be read".to_owned()));
        let approved = match &folder {
            Ok(folder) if folder.files() != live => {
                self.accepted
                    .is_approved(folder.whole_digest(), &last)
                    .await
            }
            _ => false,
        };
        Ok(Read {
            folder,
            last,
            approved,
        })
    }
}

impl Read {
    pub(super) fn judged(&self) -> Judged {
        let files = self.folder.as_ref().map(|folder| folder.files().clone());
        Judged {
            read: files.map_err(Clone::clone),
            approved: self.approved,
        }
    }

    pub(super) fn files(&self) -> Option<&Files> {
        self.folder.as_ref().ok().map(Folder::files)
    }

    /// Whether both are the same but for examples, of which one may be on its way.
    pub(super) fn is_alike_but_for_tests(&self, other: &Self) -> bool {
        let rest = |read: &Self| -> Option<Files> {
            let mut files = read.files()?.clone();
            files.retain(|name, _| !is_test(name));
            Some(files)
        };
        let (one, other) = (rest(self), rest(other));
        one.is_some() && one == other
    }
}

/// Does work that blocks on a thread of its own.
pub(super) async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (done, result) = oneshot::channel();
    thread::Builder::new()
        .name("policy-load".to_owned())
        .spawn(move || {
            // Nobody waits any more when the service stops.
            let _ = done.send(work());
        })
        .inspect_err(|error| tracing::error!(%error, "no thread for work on policies"))
        .ok()?;
    result.await.ok()
}

/// The same, for what may take seconds: requests go first. The thread's priority could not be
/// raised again, so it ends with the work.
pub(super) async fn behind<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    beside(move || {
        limits::lower_priority();
        work()
    })
    .await
}
