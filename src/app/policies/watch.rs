//! Hears that something changed in the folder. It may miss things, as when a mount is exchanged;
//! the poll beside it does not.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// How often the folder is looked at whatever was heard of it.
pub(super) const POLL: Duration = Duration::from_secs(1);
/// When a check that did not come to its end is tried again.
pub(super) const RETRY: Duration = Duration::from_secs(30);
/// How long a change must have rested before it is looked at.
pub(super) const SETTLE: Duration = Duration::from_millis(100);

/// A watch on the folder, on what it links to, and on the folders in it.
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    watched: Vec<PathBuf>,
    /// What is of interest: changes of these, and in them.
    ours: Arc<Mutex<Vec<PathBuf>>>,
    changed: Arc<Notify>,
}

impl Watch {
    pub(super) fn new() -> Self {
        let changed = Arc::new(Notify::new());
        let ours = Arc::new(Mutex::new(Vec::new()));
        let (heard, of_interest) = (Arc::clone(&changed), Arc::clone(&ours));
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // After an error too: something may have been missed.
            if event.is_ok_and(|event| !matters(&event, &of_interest.lock())) {
                return;
            }
            heard.notify_one();
        });
        if let Err(error) = &watcher {
            tracing::warn!(%error, "changes of the policies cannot be heard of at once, the folder is looked at each second");
        }
        Self {
            watcher: watcher.ok(),
            watched: Vec::new(),
            ours,
            changed,
        }
    }

    /// Watches anew: what is watched is a directory itself, not its name, and another may have
    /// taken its place.
    pub(super) fn arm(&mut self, dir: &Path) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        for path in self.watched.drain(..) {
            // It may be gone.
            let _ = watcher.unwatch(&path);
        }
        let real = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
        // The name itself, which may be a link, in the real folder that it lies in.
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
        *self.ours.lock() = vec![name, real];
    }

    pub(super) fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }
}

/// Reading is no change; it is what the service itself does after each.
fn matters(event: &Event, ours: &[PathBuf]) -> bool {
    let is_change = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    };
    let is_ours = |path: &PathBuf| ours.iter().any(|our| path.starts_with(our));
    // Without a path something was missed.
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
        let mut watch = Watch::new();
        watch.arm(&dir);
        let changed = watch.changed();
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
