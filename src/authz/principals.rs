//! Callers prepared for policy, remembered for as long as the records they were made from.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::domain::caller::{Caller, ServiceAccountCaller};
use crate::domain::id::AccessKeyId;

use super::principal::Principal;
use super::snapshot::Snapshot;

/// A bound on memory only: when it is reached, everybody is prepared anew.
const MAX_REMEMBERED: usize = 10_000;

/// One prepared principal for each access key in use.
#[derive(Debug, Default)]
pub(super) struct Principals {
    by_key: Mutex<HashMap<AccessKeyId, Arc<Principal>>>,
}

impl Principals {
    /// The caller, prepared. What was prepared before is used again only for the very same records
    /// (not for equal ones) and the same policies, so nothing stale can be found here.
    pub(super) fn get(&self, caller: &Caller, snapshot: &Snapshot) -> Arc<Principal> {
        let Caller::ServiceAccount(records) = caller else {
            return Arc::new(Principal::prepare(caller, snapshot));
        };
        let key = records.access_key.id;
        let remembered = self.by_key.lock().get(&key).cloned();
        if let Some(principal) = remembered.filter(|known| fits(known, records, snapshot)) {
            return principal;
        }
        let principal = Arc::new(Principal::prepare(caller, snapshot));
        let mut by_key = self.by_key.lock();
        if by_key.len() >= MAX_REMEMBERED {
            by_key.clear();
        }
        by_key.insert(key, Arc::clone(&principal));
        principal
    }
}

fn fits(known: &Principal, records: &Arc<ServiceAccountCaller>, snapshot: &Snapshot) -> bool {
    known.digest == *snapshot.digest()
        && matches!(known.caller(), Caller::ServiceAccount(of) if Arc::ptr_eq(of, records))
}
