//! Caches prepared principals for as long as their records are current.

use std::sync::Arc;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use charter_domain::caller::Caller;
use charter_domain::grants::Grants;
use charter_domain::id::{AccessKeyId, SessionId};

use super::principal::Principal;
use super::snapshot::Snapshot;

/// What one takes with its log lines' parts and its decisions, beside its grants: measured, about.
const PRINCIPAL_BYTES: u32 = 2_048;
/// A policy that names a role or permission of it.
const GRANT_BYTES: usize = 16;

/// One principal for each access key and session in use; the least recently used ones make room.
#[derive(Debug)]
pub(super) struct PrincipalCache {
    by_credential: Cache<Credential, Arc<Principal>>,
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
    /// Takes about so many bytes of memory, the records not counted.
    pub(super) fn new(memory: u64) -> Self {
        let cache = Cache::builder()
            .max_capacity(memory)
            .weigher(|_, principal: &Arc<Principal>| bytes(principal))
            .eviction_policy(EvictionPolicy::lru());
        Self {
            by_credential: cache.build(),
        }
    }

    /// Reuses a prepared principal only for the same records and policies, so it is never stale. Records that
    /// authentication keeps in memory are compared by address, a user's that were read anew by value.
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

fn bytes(principal: &Principal) -> u32 {
    let grants = match principal.caller() {
        Caller::ServiceAccount(caller) => {
            let service_account = caller.service_account();
            [&service_account.roles, &service_account.permissions].map(bytes_of_grants)
        }
        Caller::User(_) => [GRANT_BYTES, 0],
    };
    let grants = u32::try_from(grants.iter().sum::<usize>()).unwrap_or(u32::MAX);
    PRINCIPAL_BYTES.saturating_add(grants)
}

/// Their JSON is about as long as they are, twice, and shared as they are.
fn bytes_of_grants(grants: &Grants) -> usize {
    grants.len() * GRANT_BYTES + 2 * grants.bytes()
}

fn is_current(known: &Principal, caller: &Caller, snapshot: &Snapshot) -> bool {
    let same_records = match (known.caller(), caller) {
        (Caller::ServiceAccount(known), Caller::ServiceAccount(now)) => Arc::ptr_eq(known, now),
        (Caller::User(known), Caller::User(now)) => Arc::ptr_eq(known, now) || known == now,
        _ => false,
    };
    same_records && known.digest == *snapshot.digest()
}
