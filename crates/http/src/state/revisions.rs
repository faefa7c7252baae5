//! Earlier policies, for explanations of the decisions that they made.

use std::collections::VecDeque;
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
    kept: Mutex<VecDeque<(Option<String>, Arc<Snapshot>)>>,
}

impl Revisions {
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            kept: Mutex::default(),
        }
    }

    /// The policies of a domain with this digest, `None` being the built-in one. Nothing if they are unknown or this
    /// version cannot load them. Loading may take seconds.
    pub async fn get(
        &self,
        domain: Option<&str>,
        digest: &str,
    ) -> Result<Option<Arc<Snapshot>>, Error> {
        if let Some(kept) = self.kept(domain, digest) {
            return Ok(Some(kept));
        }
        let known = self.store.policies_of_digest(domain, digest).await?;
        let Some((revision, files)) = known else {
            return Ok(None);
        };
        let of = domain.map(str::to_owned);
        let loaded = tokio::task::spawn_blocking(move || {
            Folder::without_place(of.as_deref(), files)
                .and_then(|folder| Snapshot::from_folder(&folder))
        });
        match loaded.await {
            Ok(Ok(snapshot)) if **snapshot.digest() == *digest => {
                let snapshot = Arc::new(snapshot);
                let mut kept = self.kept.lock();
                if kept.len() >= MAX_KEPT {
                    kept.pop_front();
                }
                kept.push_back((domain.map(str::to_owned), Arc::clone(&snapshot)));
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

    fn kept(&self, domain: Option<&str>, digest: &str) -> Option<Arc<Snapshot>> {
        let mut kept = self.kept.lock();
        let is_it = |(of, kept): &(Option<String>, Arc<Snapshot>)| {
            of.as_deref() == domain && **kept.digest() == *digest
        };
        let place = kept.iter().position(is_it)?;
        let found = kept.remove(place)?;
        kept.push_back(found.clone());
        Some(found.1)
    }
}
