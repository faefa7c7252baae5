//! Callers prepared for policy, remembered for as long as the records they were made from.

use std::sync::Arc;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use charter_domain::caller::Caller;
use charter_domain::id::{AccessKeyId, SessionId};

use super::principal::Principal;
use super::snapshot::Snapshot;

/// A bound on memory only, a quarter of a gigabyte at most: who asked least recently is prepared anew.
const MAX_REMEMBERED: u64 = 64_000;

/// One prepared principal for each access key and each session in use.
#[derive(Debug)]
pub(super) struct Principals(Cache<Credential, Arc<Principal>>);

impl Default for Principals {
    fn default() -> Self {
        let cache = Cache::builder().max_capacity(MAX_REMEMBERED);
        Self(cache.eviction_policy(EvictionPolicy::lru()).build())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Credential {
    Key(AccessKeyId),
    Session(SessionId),
}

impl Credential {
    fn of(caller: &Caller) -> Option<Self> {
        match caller {
            Caller::ServiceAccount(caller) => caller.access_key().map(Self::Key),
            Caller::User(caller) => caller.session().map(Self::Session),
        }
    }
}

impl Principals {
    /// The caller, prepared. What was prepared before is used again only for the same records and
    /// the same policies, so nothing stale can be found here. A service account's records are
    /// remembered by authentication and are the very same; a person's are read at each request and
    /// are compared.
    pub(super) fn get(&self, caller: &Caller, snapshot: &Snapshot) -> Arc<Principal> {
        let Some(credential) = Credential::of(caller) else {
            return Arc::new(Principal::prepare(caller, snapshot));
        };
        let remembered = self.0.get(&credential);
        if let Some(principal) = remembered.filter(|known| fits(known, caller, snapshot)) {
            return principal;
        }
        let principal = Arc::new(Principal::prepare(caller, snapshot));
        self.0.insert(credential, Arc::clone(&principal));
        principal
    }
}

fn fits(known: &Principal, caller: &Caller, snapshot: &Snapshot) -> bool {
    let same_records = match (known.caller(), caller) {
        (Caller::ServiceAccount(known), Caller::ServiceAccount(now)) => Arc::ptr_eq(known, now),
        (Caller::User(known), Caller::User(now)) => Arc::ptr_eq(known, now) || known == now,
        _ => false,
    };
    same_records && known.digest == *snapshot.digest()
}
