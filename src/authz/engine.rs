//! Holds the snapshot that is in force.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::domain::caller::Caller;

use super::principal::Principal;
use super::principals::Principals;
use super::snapshot::Snapshot;

/// Gives each request the snapshot it keeps from its start to its end.
#[derive(Debug)]
pub struct Engine {
    current: ArcSwap<Snapshot>,
    principals: Principals,
}

impl Engine {
    /// An engine that answers by this snapshot.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        Self {
            current: ArcSwap::from_pointee(snapshot),
            principals: Principals::default(),
        }
    }

    /// The snapshot in force now. Take it once for each request: two questions of one request must
    /// not be answered by two policy sets.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// A caller, prepared for the questions of one request.
    #[must_use]
    pub fn prepare(&self, caller: &Caller, snapshot: &Snapshot) -> Arc<Principal> {
        self.principals.get(caller, snapshot)
    }

    /// Puts another snapshot in force, for requests that start from now on.
    pub fn replace(&self, snapshot: Snapshot) {
        self.current.store(Arc::new(snapshot));
    }
}
