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
    kept: Mutex<VecDeque<Kept>>,
}

/// Policies of a domain, `None` being the built-in one.
#[derive(Debug, Clone)]
struct Kept {
    domain: Option<String>,
    digest: String,
    /// `None` if this version cannot load them.
    snapshot: Option<Arc<Snapshot>>,
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
            return Ok(kept.snapshot);
        }
        let known = self.store.policies_of_digest(domain, digest).await?;
        let Some((revision, files)) = known else {
            return Ok(None);
        };
        let (of, number) = (domain.map(str::to_owned), revision.sequence);
        let loaded = tokio::task::spawn_blocking(move || {
            Folder::of_revision(of.as_deref(), number, files)
                .and_then(|folder| Snapshot::from_recorded(&folder))
        });
        let loaded = match loaded.await {
            Ok(Ok(snapshot)) if **snapshot.digest() == *digest => Ok(Arc::new(snapshot)),
            Ok(Ok(snapshot)) => Err(format!("they have the digest {}", snapshot.digest())),
            Ok(Err(error)) => Err(error.to_string()),
            Err(panicked) => Err(panicked.to_string()),
        };
        let snapshot = loaded.inspect_err(|error| {
            tracing::warn!(
                revision = revision.sequence,
                %error,
                "earlier policies cannot be read by this version, their decisions are not explained"
            );
        });
        let kept = Kept {
            domain: domain.map(str::to_owned),
            digest: digest.to_owned(),
            snapshot: snapshot.ok(),
        };
        let snapshot = kept.snapshot.clone();
        let mut all = self.kept.lock();
        if all.len() >= MAX_KEPT {
            all.pop_front();
        }
        all.push_back(kept);
        Ok(snapshot)
    }

    fn kept(&self, domain: Option<&str>, digest: &str) -> Option<Kept> {
        let mut all = self.kept.lock();
        let place = all
            .iter()
            .position(|it| it.domain.as_deref() == domain && it.digest == digest)?;
        let found = all.remove(place)?;
        all.push_back(found.clone());
        Some(found)
    }
}
