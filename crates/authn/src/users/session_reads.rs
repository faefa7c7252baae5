//! Reading the people behind sessions, for many requests at once.
//!
//! Each request is answered by a read that began after it arrived, so what it sees is never older
//! than itself (ADR 0013).

use std::collections::HashMap;
use std::sync::Arc;

use charter_domain::caller::UserCaller;
use charter_domain::clock::Clock;
use charter_domain::id::SessionId;
use charter_store::{self as store, Store};

use super::batches::{BatchHandler, Batches};

/// What a read found; `None` for a session that has ended or never was.
type Found = Result<Option<Arc<UserCaller>>, Arc<store::Error>>;

/// Reads sessions, one statement at a time.
pub(super) struct SessionReads(Batches<Reader>);

struct Reader(Arc<Store>);

impl SessionReads {
    pub(super) fn new(store: Arc<Store>, clock: Arc<dyn Clock>) -> Self {
        let wait_timeout = store.wait_timeout();
        Self(Batches::new(Reader(store), wait_timeout, clock))
    }

    /// The person and the organization behind a session, by a read that begins now or later.
    pub(super) async fn find(&self, session: SessionId) -> Found {
        let found = self.0.ask(session).await;
        found.unwrap_or_else(|error| Err(Arc::new(error.into())))
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
