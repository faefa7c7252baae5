//! Reading the people behind sessions, for many requests at once.
//!
//! Each request is answered by a read that began after it arrived, so what it sees is never older
//! than itself. Requests that arrive while a read is under way wait for the next one and share it:
//! the more there are, the less each costs (ADR 0013).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::domain::caller::UserCaller;
use crate::domain::id::SessionId;
use crate::store::{self, Store};

/// Sessions read by one statement.
const AT_ONCE: usize = 64;

/// What a read found; `None` for a session that has ended or never was.
type Found = Result<Option<Arc<UserCaller>>, Arc<store::Error>>;

/// Reads sessions, one statement at a time.
pub(super) struct SessionReads {
    store: Arc<Store>,
    queue: Arc<Mutex<Queue>>,
    tasks: TaskTracker,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<(SessionId, oneshot::Sender<Found>)>,
    is_reading: bool,
}

impl SessionReads {
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            queue: Arc::default(),
            tasks: TaskTracker::new(),
        }
    }

    /// The person and the organization behind a session, by a read that begins now or later.
    pub(super) async fn find(&self, session: SessionId) -> Found {
        let (answer, found) = oneshot::channel();
        let starts = {
            let mut queue = self.queue.lock();
            queue.waiting.push((session, answer));
            !std::mem::replace(&mut queue.is_reading, true)
        };
        if starts {
            // A task of its own: the request that started it may be given up, others wait for it.
            let (store, queue) = (Arc::clone(&self.store), Arc::clone(&self.queue));
            self.tasks.spawn(read_all(store, queue));
        }
        found.await.unwrap_or_else(|_| {
            let gone = store::Error::Setup("a read of sessions was given up".to_owned());
            Err(Arc::new(gone))
        })
    }
}

/// Reads until nobody waits.
async fn read_all(store: Arc<Store>, queue: Arc<Mutex<Queue>>) {
    let mut reading = Reading(queue);
    loop {
        // Whatever else is ready runs first, and what of it needs a session shares this read.
        tokio::task::yield_now().await;
        let Some(waiting) = reading.next() else { break };
        let mut sessions: Vec<SessionId> = waiting.iter().map(|(session, _)| *session).collect();
        sessions.sort_unstable();
        sessions.dedup();
        let found = store.find_sessions(&sessions).await;
        let found = found.map(shared).map_err(Arc::new);
        for (session, answer) in waiting {
            let of_this = found.as_ref().map_or_else(
                |error| Err(Arc::clone(error)),
                |found| found.get(&session).cloned().transpose(),
            );
            // Whoever asked may be gone.
            let _ = answer.send(of_this);
        }
    }
}

type Shared = Result<Arc<UserCaller>, Arc<store::Error>>;

fn shared(found: Vec<(SessionId, Result<UserCaller, store::Error>)>) -> HashMap<SessionId, Shared> {
    found
        .into_iter()
        .map(|(session, caller)| (session, caller.map(Arc::new).map_err(Arc::new)))
        .collect()
}

/// The right to read. Whatever ends it, the next request can start anew.
struct Reading(Arc<Mutex<Queue>>);

impl Reading {
    /// Who waits now; `None` once nobody does, and then the right is given back in the same moment.
    fn next(&mut self) -> Option<Vec<(SessionId, oneshot::Sender<Found>)>> {
        let mut queue = self.0.lock();
        queue.waiting.retain(|(_, answer)| !answer.is_closed());
        if queue.waiting.is_empty() {
            queue.is_reading = false;
            return None;
        }
        let taken = queue.waiting.len().min(AT_ONCE);
        Some(queue.waiting.drain(..taken).collect())
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        // After a regular end somebody else may be reading already, and nobody of ours waits.
        if queue.is_reading && std::thread::panicking() {
            queue.is_reading = false;
            queue.waiting.clear();
        }
    }
}
