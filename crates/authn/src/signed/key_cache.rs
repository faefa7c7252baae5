//! Access keys as the store last told them, for at most a second and never past a write.
//!
//! An entry carries the store's epoch from *before* its row was read. Every write leaves a later one with its
//! organization before its caller hears of it, so a row read before a revocation can never be used after it
//! on this node, however the loader was delayed; another node's write is seen when the entry ages out.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

use charter_domain::access_key::AccessKey;
use charter_domain::caller::ServiceAccountCaller;
use charter_domain::clock::Clock;
use charter_store::ChangeFeed;

/// Under one second with room for the request itself, so that "within a second" is true.
const MAX_AGE: Duration = Duration::from_millis(900);
/// A bound on memory only: an evicted entry is read again.
const MAX_ENTRIES: u64 = 100_000;

/// A key's row with its secret opened and made ready.
pub(super) struct Known {
    pub(super) caller: Arc<ServiceAccountCaller>,
    pub(super) access_key: AccessKey,
    pub(super) key: signing::Key,
}

struct Entry {
    known: Arc<Known>,
    epoch: u64,
    read_at: Duration,
}

pub(super) struct KeyCache {
    entries: Cache<String, Arc<Entry>>,
    clock: Arc<dyn Clock>,
}

/// Where and when a row was read, taken before the read.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    epoch: u64,
    read_at: Duration,
}

impl KeyCache {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            entries: Cache::builder()
                .max_capacity(MAX_ENTRIES)
                .time_to_live(MAX_AGE)
                .build(),
            clock,
        }
    }

    pub(super) fn get(&self, access_key: &str, changes: &dyn ChangeFeed) -> Option<Arc<Known>> {
        let entry = self.entries.get(access_key)?;
        let age = self.clock.monotonic().saturating_sub(entry.read_at);
        let organization = entry.known.caller.organization().id;
        let is_current = age < MAX_AGE && changes.is_unchanged(organization, entry.epoch);
        is_current.then(|| Arc::clone(&entry.known))
    }

    /// To be called before the row is read.
    pub(super) fn start_reading(&self, changes: &dyn ChangeFeed) -> Reading {
        Reading {
            epoch: changes.epoch(),
            read_at: self.clock.monotonic(),
        }
    }

    pub(super) fn put(&self, access_key: &str, known: Arc<Known>, reading: Reading) {
        let Reading { epoch, read_at } = reading;
        let entry = Entry {
            known,
            epoch,
            read_at,
        };
        self.entries.insert(access_key.to_owned(), Arc::new(entry));
    }
}
