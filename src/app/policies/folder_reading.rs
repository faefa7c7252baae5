//! Readings of the policy folder, and the threads for work on policies.

use std::sync::Arc;
use std::thread;

use tokio::sync::oneshot;

use charter_authz::custom_domain::CustomDomain;
use charter_authz::fault::LoadError;
use charter_authz::folder::{Files, Folder, is_test};
use charter_authz::snapshot::Snapshot;
use charter_policy::process_limits;

use super::checked_folder::Policies;
use super::last_accepted::LastAccepted;

/// A reading of the folder, with the state it is checked against.
#[derive(Debug, Clone)]
pub(super) struct FolderReading {
    /// The folder, or why it cannot be read.
    pub(super) folder: Result<Folder, String>,
    /// The policies that can be read of a folder that cannot.
    readable: Files,
    pub(super) last: Arc<LastAccepted>,
    /// Whether it has the required approvals.
    pub(super) approved: bool,
}

/// The inputs of a check: with the same inputs it has the same result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CheckInput {
    /// The files, or why they cannot be read.
    pub(super) read: Result<Files, String>,
    readable: Files,
    pub(super) approved: bool,
}

/// What a folder is loaded as.
pub(super) trait FromFolder: Sized + Send + Sync + 'static {
    const IS_OWN_DOMAIN: bool;

    fn from_folder(folder: &Folder) -> Result<Self, LoadError>;

    /// What is unchanged is not checked again.
    fn updated_from(before: &Self, folder: &Folder) -> Result<Self, LoadError>;

    fn after(before: Option<&Self>, folder: &Folder) -> Result<Self, LoadError> {
        match before {
            Some(before) => Self::updated_from(before, folder),
            None => Self::from_folder(folder),
        }
    }
}

impl FromFolder for Snapshot {
    const IS_OWN_DOMAIN: bool = false;

    fn from_folder(folder: &Folder) -> Result<Self, LoadError> {
        Self::from_folder(folder)
    }

    fn updated_from(before: &Self, folder: &Folder) -> Result<Self, LoadError> {
        Self::updated_from(before, folder)
    }
}

impl FromFolder for CustomDomain {
    const IS_OWN_DOMAIN: bool = true;

    fn from_folder(folder: &Folder) -> Result<Self, LoadError> {
        Self::from_folder(folder)
    }

    fn updated_from(before: &Self, folder: &Folder) -> Result<Self, LoadError> {
        Self::updated_from(before, folder)
    }
}

/// Whether requests are served, which then have priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Start,
    Serving,
}

impl Phase {
    /// Runs blocking work on a separate thread; `None` without one.
    pub(super) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        match self {
            Self::Start => run_on_thread(work).await,
            Self::Serving => run_in_background(work).await,
        }
    }
}

impl Policies {
    /// Reads the folder. The folder in force, `live`, needs no approval.
    pub(super) async fn read(&self, live: &Files) -> Result<FolderReading, String> {
        let last = self.accepted.last().await;
        let last =
            last.map_err(|error| format!("cannot read the active policy revision: {error}"))?;
        Ok(self.read_after(last, live).await)
    }

    /// The same, the last revision being known.
    pub(super) async fn read_after(&self, last: Arc<LastAccepted>, live: &Files) -> FolderReading {
        let (dir, known) = (self.dir.clone(), self.last_read.lock().clone());
        let folder = run_on_thread(move || {
            let folder = match known {
                Some(known) => known.read_again(&dir),
                None => Folder::read(&dir),
            };
            match folder {
                Ok(folder) => (Ok(folder), Files::new()),
                Err(error) => (Err(error.report()), Folder::readable_policies(&dir)),
            }
        });
        let unread = || {
            let reason = "the policy folder could not be read".to_owned();
            (Err(reason), Files::new())
        };
        let (folder, readable) = folder.await.unwrap_or_else(unread);
        if let Ok(folder) = &folder {
            *self.last_read.lock() = Some(folder.clone());
        }
        let approved = match &folder {
            Ok(folder) if folder.files() != live => {
                self.accepted
                    .is_approved(folder.whole_digest(), &last)
                    .await
            }
            _ => false,
        };
        FolderReading {
            folder,
            readable,
            last,
            approved,
        }
    }

    /// # Errors
    ///
    /// The approval that a check began with, if any, was withdrawn meanwhile.
    pub(super) async fn require_still_approved(
        &self,
        whole_digest: &str,
        (approved, last): (bool, &LastAccepted),
    ) -> Result<(), String> {
        if !approved || self.accepted.is_approved(whole_digest, last).await {
            return Ok(());
        }
        Err("its approval was withdrawn while it was checked".to_owned())
    }
}

impl FolderReading {
    pub(super) fn check_input(&self) -> CheckInput {
        let files = self.folder.as_ref().map(|folder| folder.files().clone());
        CheckInput {
            read: files.map_err(Clone::clone),
            readable: self.readable.clone(),
            approved: self.approved,
        }
    }

    /// A folder of which nothing can be read.
    pub(super) const fn unreadable(reason: String, last: Arc<LastAccepted>) -> Self {
        Self {
            folder: Err(reason),
            readable: Files::new(),
            last,
            approved: false,
        }
    }

    pub(super) fn files(&self) -> Option<&Files> {
        self.folder.as_ref().ok().map(Folder::files)
    }

    /// What emergency stops are looked for in.
    pub(super) fn readable(&self) -> &Files {
        self.files().unwrap_or(&self.readable)
    }

    /// Whether both are the same except for examples, of which one may still be being written.
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

/// Runs blocking work on a separate thread.
pub(super) async fn run_on_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (done, result) = oneshot::channel();
    thread::Builder::new()
        .name("policy-load".to_owned())
        .spawn(move || {
            // The receiver is gone when the service stops.
            let _ = done.send(work());
        })
        .inspect_err(|error| tracing::error!(%error, "cannot start a thread for policies"))
        .ok()?;
    result.await.ok()
}

/// Runs blocking work at low priority. The priority cannot be raised again, so the thread ends with
/// the work.
pub(super) async fn run_in_background<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    run_on_thread(move || {
        process_limits::lower_priority();
        work()
    })
    .await
}
