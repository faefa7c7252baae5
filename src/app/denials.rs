//! Denials of all replicas: this one's go to the database in batches, and those of others are found there.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use charter_decision_log::{DecisionLookup, DecisionPage, DecisionQuery, DecisionRecord, Recorder};
use charter_domain::id::DecisionId;
use charter_store::{Denial, Store};

/// Between batches.
const INTERVAL: Duration = Duration::from_secs(1);
/// Rows of one statement.
const BATCH: usize = 100;

/// Looks in this process's log, then among the denials of all.
pub(super) struct SharedLookup {
    pub(super) own: Recorder,
    pub(super) store: Arc<Store>,
    /// Runs the query: who looks up blocks.
    pub(super) runtime: Handle,
}

impl DecisionLookup for SharedLookup {
    fn find(&self, id: DecisionId) -> io::Result<Option<DecisionRecord>> {
        if let Some(found) = self.own.find(id)? {
            return Ok(Some(found));
        }
        let found = self.runtime.block_on(self.store.find_denial(id));
        let denial = found.map_err(io::Error::other)?;
        let record = denial.map(|denial| serde_json::from_str(&denial.record));
        record.transpose().map_err(io::Error::other)
    }

    /// Of this process's own log, whose order and positions mean nothing to another one's.
    fn list(&self, query: &DecisionQuery) -> io::Result<DecisionPage> {
        self.own.list(query)
    }
}

/// Hands denials on until `stop`, and once more after it.
pub(super) async fn hand_on(own: Recorder, store: Arc<Store>, stop: CancellationToken) {
    own.keep_denials();
    while stop
        .run_until_cancelled(tokio::time::sleep(INTERVAL))
        .await
        .is_some()
    {
        hand_on_once(&own, &store).await;
    }
    hand_on_once(&own, &store).await;
}

async fn hand_on_once(own: &Recorder, store: &Store) {
    let ids = own.take_denials();
    for batch in ids.chunks(BATCH) {
        let (recorder, wanted) = (own.clone(), batch.to_vec());
        let found = tokio::task::spawn_blocking(move || {
            let found = wanted.into_iter().filter_map(|id| denial(&recorder, id));
            found.collect::<Vec<_>>()
        })
        .await;
        let added = match found {
            Ok(denials) if denials.is_empty() => continue,
            Ok(denials) => store.add_denials(denials).await,
            Err(stopped) => {
                tracing::error!(error = %stopped, "denials could not be read from the decision log");
                continue;
            }
        };
        if let Err(error) = added {
            tracing::warn!(%error, "denials could not be handed to the other replicas, they are kept for the next try");
            own.put_back_denials(batch.to_vec());
        }
    }
}

/// As it was written: masked where the settings say so.
fn denial(own: &Recorder, id: DecisionId) -> Option<Denial> {
    let record = match own.find(id) {
        Ok(record) => record?,
        Err(error) => {
            tracing::warn!(decision = %id, %error, "a denial could not be read from the decision log");
            return None;
        }
    };
    Some(Denial {
        id,
        organization: record.organization.as_ref()?.parse().ok()?,
        at: charter_domain::timestamp::parse(&record.at).ok()?,
        record: serde_json::to_string(&record).ok()?,
    })
}
