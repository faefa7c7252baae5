//! When keys were last used, exact to the minute, written in batches off the request's path.

use std::collections::HashMap;

use parking_lot::Mutex;

use charter_domain::id::{AccessKeyId, ServiceAccountId};
use charter_domain::timestamp::Timestamp;
use charter_store::{self as store, Store};

/// What has been used since the store last heard of it.
#[derive(Debug, Default)]
pub struct LastUsed {
    pending: Mutex<HashMap<AccessKeyId, (ServiceAccountId, Timestamp)>>,
}

impl LastUsed {
    /// Notes a use, unless the store already knows of one in the same minute.
    pub fn note(
        &self,
        key: AccessKeyId,
        service_account: ServiceAccountId,
        stored: Option<Timestamp>,
        now: Timestamp,
    ) {
        let minute = |at: Timestamp| at.timestamp().div_euclid(60);
        if stored.is_none_or(|stored| minute(stored) != minute(now)) {
            self.pending.lock().insert(key, (service_account, now));
        }
    }

    /// The latest use of a key: what the store said, or what it has not heard yet.
    #[must_use]
    pub fn of_key(&self, key: AccessKeyId, stored: Option<Timestamp>) -> Option<Timestamp> {
        let pending = self.pending.lock().get(&key).map(|(_, at)| *at);
        stored.max(pending)
    }

    /// The latest use of any key of a service account.
    #[must_use]
    pub fn of_service_account(
        &self,
        id: ServiceAccountId,
        stored: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let pending = self.pending.lock();
        let latest = pending
            .values()
            .filter(|(service_account, _)| *service_account == id)
            .map(|(_, at)| *at)
            .max();
        stored.max(latest)
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
            .iter()
            .map(|(key, (service_account, at))| (*key, *service_account, *at))
            .collect();
        if batch.is_empty() {
            return Ok(());
        }
        store.touch_last_used(&batch).await?;
        let mut pending = self.pending.lock();
        for (key, _, written) in batch {
            // A use noted while the batch was under way is newer and stays.
            if pending.get(&key).is_some_and(|(_, at)| *at == written) {
                pending.remove(&key);
            }
        }
        Ok(())
    }
}
