//! Watches the folder for changes. Notifications may be missed, for example when a mount is
//! replaced, so the folder is polled as well.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Interval of the poll.
pub(super) const POLL: Duration = Duration::from_secs(1);
/// Delay before a check that did not finish is repeated.
pub(super) const RETRY: Duration = Duration::from_secs(30);
/// How long the folder must be unchanged before it is read.
pub(super) const SETTLE: Duration = Duration::from_millis(100);

/// Watches the folder, the target of its link, and its subdirectories.
pub(super) struct FolderWatch {
    watcher: Option<RecommendedWatcher>,
    watched: Vec<PathBuf>,
    /// Only changes of these paths and below are reported.
    relevant_paths: Arc<Mutex<Vec<PathBuf>>>,
    changed: Arc<Notify>,
}

impl FolderWatch {
    pub(super) fn new() -> Self {
        let changed = Arc::new(Notify::new());
        let relevant_paths = Arc::new(Mutex::new(Vec::new()));
        let (heard, of_interest) = (Arc::clone(&changed), Arc::clone(&relevant_paths));
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // After an error something may have been missed.
            if event.is_ok_and(|event| !is_relevant(&event, &of_interest.lock())) {
                return;
            }
            heard.notify_one();
        });
        if let Err(error) = &watcher {
            tracing::warn!(%error, "cannot watch the policy folder; polling it each second");
        }
        Self {
            watcher: watcher.ok(),
            watched: Vec::new(),
            relevant_paths,
            changed,
        }
    }

    /// Renews the watches: they belong to directories and not to names, and a directory may have
    /// been replaced.
    pub(super) fn watch(&mut self, dir: &Path) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        for path in self.watched.drain(..) {
            // It may be gone.
            let _ = watcher.unwatch(&path);
        }
        let real = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
        // The name itself, which may be a link, in its resolved parent directory.
        let name = parent_of(dir)
            .and_then(|parent| Some(fs::canonicalize(parent).ok()?.join(dir.file_name()?)))
            .unwrap_or_else(|| dir.to_owned());
        let parents = [parent_of(&name), parent_of(&real)];
        let below = ["invariants", "tests"].map(|name| real.join(name));
        let wanted = parents.into_iter().flatten().map(Path::to_owned);
        for path in wanted.chain([real.clone()]).chain(below) {
            if path.is_dir()
                && !self.watched.contains(&path)
                && watcher.watch(&path, RecursiveMode::NonRecursive).is_ok()
            {
                self.watched.push(path);
            }
        }
        *self.relevant_paths.lock() = vec![name, real];
    }

    pub(super) fn change_signal(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }
}

/// Reading is no change; the service reads the folder after each one.
fn is_relevant(event: &Event, relevant_paths: &[PathBuf]) -> bool {
    let is_change = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    };
    let is_ours = |path: &PathBuf| relevant_paths.iter().any(|our| path.starts_with(our));
    // An event without a path means that events were lost.
    is_change && (event.paths.is_empty() || event.paths.iter().any(is_ours))
}

fn parent_of(path: &Path) -> Option<&Path> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn reading_is_not_heard_and_writing_is() {
        let home = tempfile::tempdir().expect("a folder");
        let dir = home.path().join("policies");
        fs::create_dir(&dir).expect("a folder");
        fs::write(dir.join("a.cedar"), "text").expect("a file");
        let mut watch = FolderWatch::new();
        watch.watch(&dir);
        let changed = watch.change_signal();
        for _ in 0..10 {
            fs::read(dir.join("a.cedar")).expect("read");
            fs::read_dir(&dir).expect("listed").for_each(drop);
        }
        fs::write(home.path().join("beside"), "text").expect("a file beside");
        let quiet = tokio::time::timeout(Duration::from_millis(300), changed.notified()).await;
        assert!(quiet.is_err(), "nothing changed");
        fs::write(dir.join("a.cedar"), "another").expect("written");
        changed.notified().await;
    }
}
