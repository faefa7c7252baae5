//! Users of sessions: cached while their rows are current, else read by a query that concurrent requests share.
//!
//! A query begins after the requests that share it arrived, so its rows are current for them (ADR 0013).

use std::collections::HashMap;
use std::sync::Arc;

use charter_domain::caller::UserCaller;
use charter_domain::clock::Clock;
use charter_domain::id::SessionId;
use charter_store::record_cache::RecordCache;
use charter_store::{self as store, Store};

use super::batches::{BatchHandler, Batches};

/// The rows of a session; `None` if it has ended or never existed.
type Found = Result<Option<Arc<UserCaller>>, Arc<store::Error>>;

/// Reads sessions, one statement at a time.
pub(super) struct SessionReads {
    store: Arc<Store>,
    remembered: RecordCache<SessionId, UserCaller>,
    reads: Batches<Reader>,
}

struct Reader(Arc<Store>);

impl SessionReads {
    /// `memory`: approximate bytes of cached rows.
    pub(super) fn new(store: Arc<Store>, memory: u64, clock: Arc<dyn Clock>) -> Self {
        let wait_timeout = store.wait_timeout();
        Self {
            remembered: RecordCache::new(memory),
            reads: Batches::new(Reader(Arc::clone(&store)), wait_timeout, clock),
            store,
        }
    }

    /// The user and the organization of a session, as stored now.
    pub(super) async fn find(&self, session: SessionId) -> Found {
        let changes = self.store.changes();
        if let Some(remembered) = self.remembered.get(&session, changes) {
            return Ok(Some(remembered));
        }
        let reading = RecordCache::<SessionId, UserCaller>::start_reading(changes);
        let found = self.reads.ask(session).await;
        let found = found.unwrap_or_else(|error| Err(Arc::new(error.into())));
        if let Ok(Some(caller)) = &found {
            self.remembered.put(session, Arc::clone(caller), reading);
        }
        found
    }
}

impl BatchHandler for Reader {
    type Question = SessionId;
    type Answer = Found;

    async fn answer(&self, asked: Vec<SessionId>) -> Vec<Found> {
        let mut sessions = asked.clone();
        sessions.sort_unstable();
        sessions.dedup();
        let found = self.0.find_sessions(&sessions).await;
        let found = found.map(shared).map_err(Arc::new);
        let of_one = |session: &SessionId| match &found {
            Err(error) => Err(Arc::clone(error)),
            Ok(found) => found.get(session).cloned().transpose(),
        };
        asked.iter().map(of_one).collect()
    }
}

type Shared = Result<Arc<UserCaller>, Arc<store::Error>>;

fn shared(found: Vec<(SessionId, Result<UserCaller, store::Error>)>) -> HashMap<SessionId, Shared> {
    found
        .into_iter()
        .map(|(session, caller)| (session, caller.map(Arc::new).map_err(Arc::new)))
        .collect()
}
