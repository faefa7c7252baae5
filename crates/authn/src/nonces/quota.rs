//! Bounds the number of stored nonces: of each key, of each organization and in all.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::claim_error::{ClaimError, MIN_RETRY};
use super::half_minute::HalfMinute;
use charter_budgets::{Exhausted, Holder, Near, Resource};
use charter_domain::id::OrganizationId;
use charter_domain::timestamp::Timestamp;

const SHARDS: usize = 32;
/// The last eighth of an organization's share is for keys that have used next to nothing, so that busy ones keep no
/// other from being used, such as one that revokes them.
const RESERVED_PART: usize = 8;
/// Next to nothing: a thousandth of the share, or so many.
const LITTLE_PART: usize = 1_000;
const LITTLE: usize = 8;

/// How many nonces may be remembered.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Of one access key; beyond, that key is refused.
    pub per_key: usize,
    /// Of one organization; beyond, that organization is refused. Well below `total`.
    pub per_organization: usize,
    /// Of all; beyond, everybody is refused.
    pub total: usize,
}

/// Which bound is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QuotaExceeded {
    /// The key's; `oldest` is its oldest half minute.
    Key { limit: usize, oldest: HalfMinute },
    /// The organization's; `oldest` is this key's oldest half minute, if it has any.
    Organization {
        limit: usize,
        oldest: Option<HalfMinute>,
    },
    /// The total.
    Total,
}

/// The stored nonces of one key.
#[derive(Default)]
struct Usage {
    /// Its organization's count; `None` until the key is used in this process.
    organization: Option<Arc<AtomicUsize>>,
    remembered: usize,
    /// By half minute: some twenty at most, usually the newest last.
    half_minutes: Vec<(HalfMinute, usize)>,
}

/// Counts of stored nonces.
pub(super) struct Quota {
    bounds: Bounds,
    /// How many processes share the bounds.
    sharers: AtomicUsize,
    remembered: AtomicUsize,
    keys: [Mutex<HashMap<u128, Usage>>; SHARDS],
    /// Locked after a shard of the keys, never before.
    organizations: Mutex<HashMap<OrganizationId, Arc<AtomicUsize>>>,
}

impl Quota {
    /// This process's share.
    pub(super) fn bounds(&self) -> Bounds {
        let sharers = self.sharers.load(Ordering::Relaxed);
        let share = |bound: usize| (bound / sharers.max(1)).max(1);
        Bounds {
            per_key: share(self.bounds.per_key),
            per_organization: share(self.bounds.per_organization),
            total: share(self.bounds.total),
        }
    }

    /// Sets how many processes share the bounds.
    pub(super) fn share_among(&self, sharers: usize) {
        self.sharers.store(sharers, Ordering::Relaxed);
    }

    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            sharers: AtomicUsize::new(1),
            remembered: AtomicUsize::new(0),
            keys: std::array::from_fn(|_| Mutex::default()),
            organizations: Mutex::default(),
        }
    }

    /// Counts a nonce before it is stored, so that concurrent claims stay within the bounds.
    pub(super) fn reserve(
        &self,
        key: u128,
        organization: OrganizationId,
        id: HalfMinute,
    ) -> Result<(), QuotaExceeded> {
        let before = self.remembered.fetch_add(1, Ordering::Relaxed);
        let reserved = self.reserve_within(before, key, organization, id);
        if reserved.is_err() {
            self.remembered.fetch_sub(1, Ordering::Relaxed);
        }
        reserved
    }

    fn reserve_within(
        &self,
        before: usize,
        key: u128,
        organization: OrganizationId,
        id: HalfMinute,
    ) -> Result<(), QuotaExceeded> {
        let bounds = self.bounds();
        let free = bounds.total.saturating_sub(before);
        if free == 0 {
            return Err(QuotaExceeded::Total);
        }
        let mut keys = self.shard(key).lock();
        let usage = keys.entry(key).or_default();
        if usage.remembered >= bounds.per_key {
            return Err(QuotaExceeded::Key {
                limit: bounds.per_key,
                oldest: usage.oldest().unwrap_or(id),
            });
        }
        let remembered = usage.remembered;
        let count = usage
            .organization
            .get_or_insert_with(|| self.count_of(organization, remembered));
        // Never more than is still free, so that room is left for other organizations (ADR 0019).
        let limit = bounds.per_organization.min(free);
        let used = count.fetch_add(1, Ordering::Relaxed);
        let is_reserved = used >= limit.saturating_sub(limit / RESERVED_PART);
        let has_little = remembered < (limit / LITTLE_PART).max(LITTLE);
        if used < limit && (has_little || !is_reserved) {
            usage.add(id);
            return Ok(());
        }
        count.fetch_sub(1, Ordering::Relaxed);
        let oldest = usage.oldest();
        Err(if used >= limit {
            QuotaExceeded::Organization { limit, oldest }
        } else {
            QuotaExceeded::Key {
                limit: remembered,
                oldest: oldest.unwrap_or(id),
            }
        })
    }

    /// The organization's count, plus the key's nonces that were restored before its organization was known.
    fn count_of(&self, organization: OrganizationId, remembered: usize) -> Arc<AtomicUsize> {
        let mut organizations = self.organizations.lock();
        let count = organizations.entry(organization).or_default();
        count.fetch_add(remembered, Ordering::Relaxed);
        Arc::clone(count)
    }

    /// Counts a nonce of an earlier process, regardless of the bounds.
    pub(super) fn restore(&self, key: u128, id: HalfMinute) {
        self.remembered.fetch_add(1, Ordering::Relaxed);
        self.shard(key).lock().entry(key).or_default().add(id);
    }

    /// Undoes a reservation.
    pub(super) fn release(&self, key: u128, id: HalfMinute) {
        self.remembered.fetch_sub(1, Ordering::Relaxed);
        let mut keys = self.shard(key).lock();
        if let Some(usage) = keys.get_mut(&key) {
            usage.remove(id, 1);
            if usage.remembered == 0 {
                keys.remove(&key);
            }
        }
    }

    /// Subtracts a half minute that was dropped with `len` nonces. A reservation in progress is released by its own
    /// claim, before or after this.
    pub(super) fn forget(&self, id: HalfMinute, len: usize) {
        self.remembered.fetch_sub(len, Ordering::Relaxed);
        self.remove_all(id);
    }

    /// Subtracts a half minute that nothing else counts; returns how many nonces it had.
    pub(super) fn forget_all(&self, id: HalfMinute) -> usize {
        let removed = self.remove_all(id);
        self.remembered.fetch_sub(removed, Ordering::Relaxed);
        removed
    }

    fn remove_all(&self, id: HalfMinute) -> usize {
        let mut removed: usize = 0;
        for keys in &self.keys {
            keys.lock().retain(|_, usage| {
                removed = removed.saturating_add(usage.remove(id, usize::MAX));
                usage.remembered > 0
            });
        }
        // Under the lock no other reference can be made.
        let mut organizations = self.organizations.lock();
        organizations.retain(|_, count| Arc::strong_count(count) > 1);
        removed
    }

    /// Organizations that have used most of their share.
    pub(super) fn near(&self) -> Vec<Near> {
        let remembered = self.remembered();
        let bounds = self.bounds();
        let free = bounds.total.saturating_sub(remembered);
        let organizations = self.organizations.lock();
        let counts = organizations.iter().map(|(id, count)| {
            let used = count.load(Ordering::Relaxed);
            let limit = bounds.per_organization.min(free);
            Near::of(Resource::Nonces, *id, used as u64, limit as u64)
        });
        counts.flatten().collect()
    }

    pub(super) fn remembered(&self) -> usize {
        self.remembered.load(Ordering::Relaxed)
    }

    fn shard(&self, key: u128) -> &Mutex<HashMap<u128, Usage>> {
        // The low bits of a UUIDv7 are random.
        let [first, ..] = &self.keys;
        let shard = usize::try_from(key & (SHARDS as u128 - 1)).unwrap_or(0);
        self.keys.get(shard).unwrap_or(first)
    }
}

impl QuotaExceeded {
    /// The refusal of a claim. `oldest` is the oldest half minute of all.
    pub(super) fn claim_error(
        self,
        window: Duration,
        now: Timestamp,
        oldest: impl FnOnce() -> Option<HalfMinute>,
    ) -> ClaimError {
        let after = |id: HalfMinute| id.remaining(window, now).max(MIN_RETRY);
        let first = |known: Option<HalfMinute>| {
            after(known.or_else(oldest).unwrap_or_else(|| HalfMinute::of(now)))
        };
        match self {
            Self::Key { limit, oldest } => ClaimError::KeyQuota {
                limit: limit as u64,
                retry_after: after(oldest),
            },
            Self::Organization { limit, oldest } => ClaimError::Budget(Exhausted {
                holder: Holder::Organization,
                resource: Resource::Nonces,
                limit: limit as u64,
                retry_after: first(oldest),
            }),
            Self::Total => ClaimError::Full {
                retry_after: first(None),
            },
        }
    }
}

impl Usage {
    fn oldest(&self) -> Option<HalfMinute> {
        self.half_minutes.iter().map(|&(id, _)| id).min()
    }

    fn add(&mut self, id: HalfMinute) {
        self.remembered = self.remembered.saturating_add(1);
        match self
            .half_minutes
            .iter_mut()
            .rfind(|(other, _)| *other == id)
        {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.half_minutes.push((id, 1)),
        }
    }

    /// Removes up to `most` of a half minute.
    fn remove(&mut self, id: HalfMinute, most: usize) -> usize {
        let found = self.half_minutes.iter_mut().find(|(other, _)| *other == id);
        let Some((_, count)) = found else {
            return 0;
        };
        let removed = most.min(*count);
        *count = count.saturating_sub(removed);
        self.remembered = self.remembered.saturating_sub(removed);
        if let Some(organization) = &self.organization {
            organization.fetch_sub(removed, Ordering::Relaxed);
        }
        self.half_minutes.retain(|&(_, count)| count > 0);
        removed
    }
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
