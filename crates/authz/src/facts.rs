//! The context of a question: facts that the server vouches for.
//!
//! Building one costs more than deciding, and requests of one second from one address share it.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use cedar_policy::{Context, ContextCreationError, EntityUid, RestrictedExpression};
use parking_lot::Mutex;

use super::kinds::PrincipalKind;
use charter_domain::timestamp::{self, Timestamp};

/// A power of two; more would only help where that many addresses ask in one second.
const SLOTS: usize = 256;

/// What a context is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    source_ip: IpAddr,
    second: i64,
    kind: PrincipalKind,
}

/// Contexts of the latest second or so, each slot holding the last one that fell into it.
pub(super) struct FactsCache {
    slots: Vec<Mutex<Option<(Key, Context)>>>,
    hasher: RandomState,
}

impl std::fmt::Debug for FactsCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FactsCache").finish_non_exhaustive()
    }
}

impl FactsCache {
    pub(super) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Mutex::new(None)).collect(),
            hasher: RandomState::new(),
        }
    }

    /// The context for a question. `method` is how that kind of principal authenticates.
    pub(super) fn get(
        &self,
        source_ip: IpAddr,
        now: Timestamp,
        kind: PrincipalKind,
        method: &EntityUid,
    ) -> Result<Context, Box<ContextCreationError>> {
        let key = Key {
            // Cedar refuses IPv4-mapped addresses, and a policy must see one spelling.
            source_ip: source_ip.to_canonical(),
            second: now.timestamp(),
            kind,
        };
        let slot = usize::try_from(self.hasher.hash_one(key)).unwrap_or(0) % SLOTS;
        let Some(slot) = self.slots.get(slot) else {
            return context(key.source_ip, now, method);
        };
        let mut slot = slot.lock();
        if let Some((cached, context)) = slot.as_ref()
            && *cached == key
        {
            return Ok(context.clone());
        }
        let context = context(key.source_ip, now, method)?;
        *slot = Some((key, context.clone()));
        Ok(context)
    }
}

fn context(
    source_ip: IpAddr,
    now: Timestamp,
    method: &EntityUid,
) -> Result<Context, Box<ContextCreationError>> {
    Context::from_pairs([
        (
            "source_ip".to_owned(),
            RestrictedExpression::new_ip(source_ip.to_string()),
        ),
        (
            "now".to_owned(),
            RestrictedExpression::new_datetime(timestamp::format(now)),
        ),
        (
            "authentication".to_owned(),
            RestrictedExpression::new_entity_uid(method.clone()),
        ),
    ])
    .map_err(Box::new)
}
