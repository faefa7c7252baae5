//! Follows folders by reading them again and again: which reading is to be judged, and which names there are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use charter_authz::fault::LoadError;
use charter_authz::folder::{Files, Folder};

use super::folder_reading::run_on_thread;
use super::folder_watch::RETRY;

/// A folder, or why it cannot be read.
pub(super) type Reading = Result<Folder, String>;

/// Why a folder is not taken.
#[derive(Default)]
pub(super) struct Refusal {
    pub(super) report: String,
    /// A check did not finish.
    pub(super) is_unfinished: bool,
}

impl From<String> for Refusal {
    fn from(report: String) -> Self {
        Self {
            report,
            ..Self::default()
        }
    }
}

/// What was judged of one folder.
pub(super) struct FolderFollower<I> {
    judged: Option<I>,
    /// When a check that did not finish is repeated, by the monotonic clock.
    retry_at: Option<Duration>,
}

impl<I> Default for FolderFollower<I> {
    fn default() -> Self {
        Self {
            judged: None,
            retry_at: None,
        }
    }
}

impl<I: PartialEq> FolderFollower<I> {
    /// Whether the inputs of a check are new, or it did not finish and is to be repeated.
    pub(super) fn is_due(&self, input: &I, now: Duration) -> bool {
        self.judged.as_ref() != Some(input) || self.retry_at.is_some_and(|at| at <= now)
    }

    /// Remembers inputs that were judged, and whether their check did not finish.
    pub(super) fn judged(&mut self, input: I, is_unfinished: bool, now: Duration) {
        self.judged = Some(input);
        self.retry_at = is_unfinished.then(|| now + RETRY);
    }
}

/// Reads a folder; `None` without a thread.
pub(super) async fn read(dir: &Path) -> Option<Reading> {
    read_as(dir, |error| error).await
}

/// The same with another wording of its faults.
pub(super) async fn read_as(dir: &Path, word: fn(LoadError) -> LoadError) -> Option<Reading> {
    let dir: PathBuf = dir.to_owned();
    run_on_thread(move || Folder::read(&dir).map_err(|error| word(error).report())).await
}

pub(super) fn files_of(reading: &Reading) -> Result<Files, String> {
    let files = reading.as_ref().map(|folder| folder.files().clone());
    files.map_err(Clone::clone)
}

/// The folders below a directory, without hidden ones; none if there is no such directory. `None` if they cannot be
/// listed: then what is known of them stays.
pub(super) async fn names_below(dir: PathBuf) -> Option<BTreeSet<String>> {
    let listed = run_on_thread(move || list(&dir)).await?;
    listed
        .inspect_err(
            |error| tracing::warn!(%error, "cannot list the domains below a policy folder"),
        )
        .ok()
}

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
        // Only a link needs to be followed: a mount that does not answer holds up nobody here.
        let found = entry.file_type()?;
        if (found.is_dir() || found.is_symlink() && entry.path().is_dir()) && !name.starts_with('.')
        {
            names.insert(name);
        }
    }
    Ok(names)
}
