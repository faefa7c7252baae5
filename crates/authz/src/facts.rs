//! The context of a question: facts that the server vouches for.
//!
//! Building a context costs more than deciding, so requests from one address share it for a second.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use cedar_policy::{Context, ContextCreationError, EntityUid, RestrictedExpression};
use parking_lot::Mutex;

use super::kinds::PrincipalKind;
use charter_domain::timestamp::{self, Timestamp};

/// A power of two. More slots help only if more addresses send requests within one second.
const SLOTS: usize = 256;

/// Cache key of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    source_ip: IpAddr,
    second: i64,
    kind: PrincipalKind,
}

/// A direct-mapped cache of recent contexts.
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

    /// The context of a question. `method` is how this type of principal authenticates.
    pub(super) fn get(
        &self,
        source_ip: IpAddr,
        now: Timestamp,
        kind: PrincipalKind,
        method: &EntityUid,
    ) -> Result<Context, Box<ContextCreationError>> {
        let key = Key {
            // Cedar rejects IPv4-mapped addresses, and policies must see one notation.
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
