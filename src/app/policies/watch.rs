//! Hears that something changed in the folder. It may miss things, as when a mount is exchanged;
//! the poll beside it does not.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

/// A watch on the folder, on what it links to, and on the folders in it.
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    watched: Vec<PathBuf>,
    changed: Arc<Notify>,
}

impl Watch {
    pub(super) fn new() -> Self {
        let changed = Arc::new(Notify::new());
        let heard = Arc::clone(&changed);
        let watcher = notify::recommended_watcher(move |_| heard.notify_one());
        if let Err(error) = &watcher {
            tracing::warn!(%error, "changes of the policies cannot be heard of at once, the folder is looked at each second");
        }
        Self {
            watcher: watcher.ok(),
            watched: Vec::new(),
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
        let below = ["invariants", "tests"].map(|name| real.join(name));
        let parents = [dir.parent(), real.parent()];
        let wanted = parents.into_iter().flatten().map(Path::to_owned);
        for path in wanted.chain([real.clone()]).chain(below) {
            let path = if path.as_os_str().is_empty() {
                ".".into()
            } else {
                path
            };
            if path.is_dir()
                && !self.watched.contains(&path)
                && watcher.watch(&path, RecursiveMode::NonRecursive).is_ok()
            {
                self.watched.push(path);
            }
        }
    }

    pub(super) fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }
}
