//! Reports faults among the processes that serve the database.

use std::time::Duration;

use charter_domain::timestamp::Timestamp;
use charter_store::Replica;
use parking_lot::Mutex;

/// A process with an older heartbeat counts as lost. Also bounds the difference between machines' clocks.
const ALIVE: Duration = Duration::from_secs(30);

/// The fault found last.
#[derive(Debug, Default)]
pub struct Replicas(Mutex<Option<String>>);

impl Replicas {
    /// Whether it has not been heard of for so long that it is counted no more.
    pub fn is_lost(replica: &Replica, now: Timestamp) -> bool {
        let age = now.signed_duration_since(replica.seen_at).abs();
        age.to_std().is_ok_and(|age| age >= ALIVE)
    }

    /// Sets or clears the fault.
    pub fn report(&self, fault: Option<String>) {
        *self.0.lock() = fault;
    }

    pub(crate) fn fault(&self) -> Option<String> {
        self.0.lock().clone()
    }
}
