//! Shares denials among replicas: writes this process's to the database in batches and finds those of others
//! there.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use charter_decision_log::{
    DecisionLookup, DecisionPage, DecisionQuery, DecisionRecord, LogPosition, RecordFilter,
    RecordList, RecordPosition, Recorder, TakenDenials,
};
use charter_domain::id::DecisionId;
use charter_store::{Denial, DenialQuery, Store};

/// Between batches.
const INTERVAL: Duration = Duration::from_secs(1);
/// Rows of one statement.
const BATCH: usize = 100;
/// How often a denial is looked for in the log.
const MAX_TRIES: u8 = 10;
/// Rows that one page looks through.
pub(super) const SCANNED: usize = 500;
/// The list of the denials of all replicas.
const ALL_DENIALS: &str = "denials";

/// Looks in this process's log first, then in the database.
pub(super) struct SharedLookup {
    pub(super) own: Recorder,
    pub(super) store: Arc<Store>,
    /// Runs the query; `find` blocks.
    pub(super) runtime: Handle,
}

/// Denials of all replicas, newest first.
#[derive(Default)]
pub(super) struct SharedDenials {
    pub(super) denials: Vec<(DecisionId, DecisionRecord)>,
    /// All after this id were looked at; `None` if there are no others.
    pub(super) next: Option<DecisionId>,
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

    fn list(&self, query: &DecisionQuery) -> io::Result<DecisionPage> {
        if is_of_all(query) {
            self.list_denials(query)
        } else {
            self.own.list(query)
        }
    }

    fn records(
        &self,
        filter: &RecordFilter,
        before: Option<RecordPosition>,
        limit: usize,
    ) -> io::Result<RecordList> {
        if filter.decision.as_deref() == Some("deny") {
            self.merged_denials(filter, before, limit)
        } else {
            self.own.records(filter, before, limit)
        }
    }

    fn list_id(&self, query: &DecisionQuery) -> String {
        if is_of_all(query) {
            ALL_DENIALS.to_owned()
        } else {
            self.own.list_id(query)
        }
    }
}

/// Whether the database has what is asked for. Not a feed: a replica's denials come to it late, with ids that other
/// replicas' have passed.
fn is_of_all(query: &DecisionQuery) -> bool {
    query.filter.outcome.as_deref() == Some("deny") && !query.oldest_first
}

impl SharedLookup {
    /// The denials of all replicas, by id. A position is the two halves of one.
    fn list_denials(&self, query: &DecisionQuery) -> io::Result<DecisionPage> {
        let filter = &query.filter;
        let wanted = DenialQuery {
            organization: Some(filter.organization.parse().map_err(io::Error::other)?),
            before: query.from.map(id_at),
            since: filter.since,
            until: filter.until,
            limit: SCANNED,
        };
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        let SharedDenials { denials, next } =
            self.shared_denials(&wanted, query.limit, |_, record| {
                Ok(is(&filter.actor, &record.principal.id)
                    && is(&filter.permission, &record.action.id))
            })?;
        let decisions = denials.into_iter().map(|(_, record)| record.into());
        Ok(DecisionPage {
            decisions: decisions.collect(),
            next: next.map(position_of),
        })
    }

    /// Up to `limit` denials that `accepts` takes.
    pub(super) fn shared_denials(
        &self,
        query: &DenialQuery,
        limit: usize,
        accepts: impl Fn(DecisionId, &DecisionRecord) -> io::Result<bool>,
    ) -> io::Result<SharedDenials> {
        let rows = self.runtime.block_on(self.store.list_denials(query));
        let rows = rows.map_err(io::Error::other)?;
        let is_all = rows.len() < query.limit;
        let mut shared = SharedDenials::default();
        for row in rows {
            if shared.denials.len() >= limit {
                return Ok(shared);
            }
            shared.next = Some(row.id);
            let record = serde_json::from_str(&row.record).map_err(io::Error::other)?;
            if accepts(row.id, &record)? {
                shared.denials.push((row.id, record));
            }
        }
        shared.next = shared.next.filter(|_| !is_all);
        Ok(shared)
    }
}

fn position_of(id: DecisionId) -> LogPosition {
    let (file, offset) = id.uuid().as_u64_pair();
    LogPosition { file, offset }
}

fn id_at(position: LogPosition) -> DecisionId {
    DecisionId::from_uuid(Uuid::from_u64_pair(position.file, position.offset))
}

/// Writes denials to the database until `stop`, and once more after it.
pub(super) async fn share(own: Recorder, store: Arc<Store>, stop: CancellationToken) {
    own.keep_denials();
    let mut tries = HashMap::new();
    while stop
        .run_until_cancelled(tokio::time::sleep(INTERVAL))
        .await
        .is_some()
    {
        // What is not written yet is not in the log; it waits until it is.
        if own.is_writing() {
            share_once(&own, &store, &mut tries).await;
        }
    }
    share_once(&own, &store, &mut tries).await;
}

/// `tries`: how often each of those that were not in the log was looked for.
async fn share_once(own: &Recorder, store: &Store, tries: &mut HashMap<DecisionId, u8>) {
    let mut not_found = Vec::new();
    let TakenDenials { ids, dropped } = own.take_denials();
    if dropped > 0 {
        tracing::warn!(
            denials = dropped,
            "denials are in the log of this replica alone: too many wait to be shared"
        );
    }
    for batch in ids.chunks(BATCH) {
        let (recorder, wanted) = (own.clone(), batch.to_vec());
        let found = tokio::task::spawn_blocking(move || read_batch(&recorder, wanted)).await;
        let (denials, unwritten) = match found {
            Ok(found) => found,
            Err(stopped) => {
                tracing::error!(error = %stopped, "could not read denials from the decision log");
                continue;
            }
        };
        not_found.extend(unwritten);
        if denials.is_empty() {
            continue;
        }
        let ids = denials.iter().map(|denial| denial.id).collect();
        if let Err(error) = store.add_denials(denials).await {
            tracing::warn!(%error, "could not share denials with the other replicas; retrying");
            own.put_back_denials(ids);
        }
    }
    // The writer may be slow, or have dropped them.
    not_found.retain(|id| tries.get(id).is_none_or(|tried| *tried < MAX_TRIES));
    let counted = |id: &DecisionId| (*id, tries.get(id).map_or(1, |tried| tried + 1));
    *tries = not_found.iter().map(counted).collect();
    own.put_back_denials(not_found);
}

/// The denials, and those that the log's writer has not written yet.
fn read_batch(own: &Recorder, ids: Vec<DecisionId>) -> (Vec<Denial>, Vec<DecisionId>) {
    let (mut denials, mut unwritten) = (Vec::new(), Vec::new());
    let mut ids = ids.into_iter();
    while let Some(id) = ids.next() {
        match own.find(id) {
            Ok(Some(record)) => denials.extend(denial(id, &record)),
            Ok(None) => {
                unwritten.push(id);
                if !own.is_writing() {
                    // Nor are the later ones there, and a look for each would wait for the writer.
                    unwritten.extend(ids);
                    break;
                }
            }
            Err(error) => {
                tracing::warn!(decision = %id, %error, "could not read a denial from the decision log");
            }
        }
    }
    (denials, unwritten)
}

/// As logged, with the configured masks.
fn denial(id: DecisionId, record: &DecisionRecord) -> Option<Denial> {
    Some(Denial {
        id,
        organization: match &record.domain {
            Some(_) => None,
            None => Some(record.organization.as_ref()?.parse().ok()?),
        },
        at: charter_domain::timestamp::parse(&record.at).ok()?,
        record: serde_json::to_string(record).ok()?,
    })
}
