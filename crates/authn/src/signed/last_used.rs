//! When keys were last used, exact to the minute, written in batches off the request's path.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;

use charter_domain::id::{AccessKeyId, ServiceAccountId};
use charter_domain::timestamp::{Timestamp, to_seconds};
use charter_store::{self as store, Store};

/// Keys after which what was written is forgotten.
const WRITTEN_AT_ONCE: usize = 4_096;

/// What has been used since the store last heard of it.
#[derive(Debug, Default)]
pub struct LastUsed {
    pending: Mutex<Pending>,
}

#[derive(Debug, Default)]
struct Pending {
    keys: HashMap<AccessKeyId, (ServiceAccountId, Timestamp)>,
    /// The latest use of any key of each, as long as one of its keys is pending or longer.
    service_accounts: HashMap<ServiceAccountId, Timestamp>,
}

/// The minute in which a key was last used, as far as the store was told or will be.
#[derive(Debug)]
pub struct NotedMinute(AtomicI64);

impl NotedMinute {
    /// As the store has it.
    #[must_use]
    pub fn new(stored: Option<Timestamp>) -> Self {
        Self(AtomicI64::new(stored.map_or(i64::MIN, minute)))
    }
}

fn minute(at: Timestamp) -> i64 {
    at.timestamp().div_euclid(60)
}

impl LastUsed {
    /// Notes a use, unless one in the same minute was noted.
    pub fn note(
        &self,
        key: AccessKeyId,
        service_account: ServiceAccountId,
        noted: &NotedMinute,
        now: Timestamp,
    ) {
        let minute = minute(now);
        if noted.0.load(Ordering::Relaxed) != minute {
            // Uses of one second are written together.
            let at = to_seconds(now);
            let mut pending = self.pending.lock();
            pending.keys.insert(key, (service_account, at));
            pending.service_accounts.insert(service_account, at);
            drop(pending);
            noted.0.store(minute, Ordering::Relaxed);
        }
    }

    /// The latest use of a key: what the store said, or what it has not heard yet.
    #[must_use]
    pub fn of_key(&self, key: AccessKeyId, stored: Option<Timestamp>) -> Option<Timestamp> {
        let pending = self.pending.lock().keys.get(&key).map(|(_, at)| *at);
        stored.max(pending)
    }

    /// The latest use of any key of a service account.
    #[must_use]
    pub fn of_service_account(
        &self,
        id: ServiceAccountId,
        stored: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let pending = self.pending.lock().service_accounts.get(&id).copied();
        stored.max(pending)
    }

    /// Writes what is pending; what cannot be written stays pending.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub async fn flush(&self, store: &Store) -> Result<(), store::Error> {
        let batch: Vec<_> = self
            .pending
            .lock()
            .keys
            .iter()
            .map(|(key, (service_account, at))| (*key, *service_account, *at))
            .collect();
        for written in batch.chunks(WRITTEN_AT_ONCE) {
            store.touch_last_used(written).await?;
            let mut pending = self.pending.lock();
            for (key, service_account, at) in written {
                // A use noted while the batch was under way is newer and stays.
                if pending.keys.get(key).is_some_and(|(_, noted)| noted == at) {
                    pending.keys.remove(key);
                }
                let latest = pending.service_accounts.get(service_account);
                if latest == Some(at) {
                    pending.service_accounts.remove(service_account);
                }
            }
        }
        Ok(())
    }
}
