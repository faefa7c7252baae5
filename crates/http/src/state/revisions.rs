//! Earlier policies, for explanations of the decisions that they made.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_store::{Error, Store};

/// Cache size; most requests are about the last few edits.
const MAX_KEPT: usize = 4;

/// Earlier policies, from the database.
#[derive(Debug)]
pub struct Revisions {
    store: Arc<Store>,
    /// Least recently used first.
    kept: Mutex<VecDeque<Arc<Snapshot>>>,
}

impl Revisions {
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            kept: Mutex::default(),
        }
    }

    /// The policies with this digest; `None` if they are unknown or this version cannot load them. Loading may
    /// take seconds.
    pub async fn get(&self, digest: &str) -> Result<Option<Arc<Snapshot>>, Error> {
        if let Some(kept) = self.kept(digest) {
            return Ok(Some(kept));
        }
        let Some((revision, files)) = self.store.policies_of_digest(digest).await? else {
            return Ok(None);
        };
        let loaded = tokio::task::spawn_blocking(move || {
            Folder::from_files(Path::new(""), files)
                .and_then(|folder| Snapshot::from_folder(&folder))
        });
        match loaded.await {
            Ok(Ok(snapshot)) if **snapshot.digest() == *digest => {
                let snapshot = Arc::new(snapshot);
                let mut kept = self.kept.lock();
                if kept.len() >= MAX_KEPT {
                    kept.pop_front();
                }
                kept.push_back(Arc::clone(&snapshot));
                Ok(Some(snapshot))
            }
            _ => {
                tracing::warn!(
                    revision = revision.sequence,
                    "earlier policies cannot be read by this version, their decisions are not explained"
                );
                Ok(None)
            }
        }
    }

    fn kept(&self, digest: &str) -> Option<Arc<Snapshot>> {
        let mut kept = self.kept.lock();
        let place = kept.iter().position(|kept| **kept.digest() == *digest)?;
        let found = kept.remove(place)?;
        kept.push_back(Arc::clone(&found));
        Some(found)
    }
}
