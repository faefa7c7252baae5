//! Caches prepared principals for as long as their records are current.

use std::sync::Arc;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use charter_domain::caller::Caller;
use charter_domain::id::{AccessKeyId, SessionId};

use super::principal::Principal;
use super::snapshot::Snapshot;

/// Bounds memory to a quarter of a gigabyte; the least recently used principal is evicted.
const MAX_REMEMBERED: u64 = 64_000;

/// One principal for each access key and session in use.
#[derive(Debug)]
pub(super) struct PrincipalCache {
    by_credential: Cache<Credential, Arc<Principal>>,
}

impl Default for PrincipalCache {
    fn default() -> Self {
        let cache = Cache::builder().max_capacity(MAX_REMEMBERED);
        Self {
            by_credential: cache.eviction_policy(EvictionPolicy::lru()).build(),
        }
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

impl PrincipalCache {
    /// Reuses a prepared principal only for the same records and policies, so it is never stale. A
    /// service account's records are cached by authentication and compared by address; a user's
    /// records are read for each request and compared by value.
    pub(super) fn get(&self, caller: &Caller, snapshot: &Snapshot) -> Arc<Principal> {
        let Some(credential) = Credential::of(caller) else {
            return Arc::new(Principal::prepare(caller, snapshot));
        };
        let remembered = self.by_credential.get(&credential);
        if let Some(principal) = remembered.filter(|known| is_current(known, caller, snapshot)) {
            return principal;
        }
        let principal = Arc::new(Principal::prepare(caller, snapshot));
        self.by_credential
            .insert(credential, Arc::clone(&principal));
        principal
    }
}

fn is_current(known: &Principal, caller: &Caller, snapshot: &Snapshot) -> bool {
    let same_records = match (known.caller(), caller) {
        (Caller::ServiceAccount(known), Caller::ServiceAccount(now)) => Arc::ptr_eq(known, now),
        (Caller::User(known), Caller::User(now)) => Arc::ptr_eq(known, now) || known == now,
        _ => false,
    };
    same_records && known.digest == *snapshot.digest()
}
