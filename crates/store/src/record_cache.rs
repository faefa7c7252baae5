//! A cache of records, never older than a write of this process, nor a second behind another process.
//!
//! An entry has the store's epoch from *before* its rows were read. Every write sets a later epoch for its organization
//! before its caller gets a response, so a row read before a revocation is never used after it in this process, even if
//! the loader was delayed. Other processes' writes come through the store's change feed; while it is interrupted, no
//! entry is used (ADR 0028).

use std::hash::Hash;
use std::sync::Arc;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::changes::ChangeFeed;
use charter_domain::caller::UserCaller;
use charter_domain::id::OrganizationId;

/// What is kept: rows of one organization.
pub trait Record: Send + Sync + 'static {
    fn organization(&self) -> OrganizationId;

    /// Approximate bytes of memory.
    fn bytes(&self) -> usize;
}

impl Record for UserCaller {
    fn organization(&self) -> OrganizationId {
        self.organization().id
    }

    fn bytes(&self) -> usize {
        self.bytes()
    }
}

struct CachedRecord<R> {
    record: Arc<R>,
    epoch: u64,
}

impl<R> Clone for CachedRecord<R> {
    fn clone(&self) -> Self {
        Self {
            record: Arc::clone(&self.record),
            epoch: self.epoch,
        }
    }
}

/// Records by key, at most the memory that it was given for. The least recently used ones make room.
pub struct RecordCache<K, R>(Cache<K, CachedRecord<R>>);

/// The store's epoch before a read.
#[derive(Debug, Clone, Copy)]
pub struct Reading(u64);

/// Overhead of an entry, in bytes.
const ENTRY_BYTES: usize = 256;

impl<K: Hash + Eq + Send + Sync + 'static, R: Record> RecordCache<K, R> {
    /// Takes so many bytes of memory, about.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        let weigh = |_: &K, entry: &CachedRecord<R>| {
            let bytes = entry.record.bytes().saturating_add(ENTRY_BYTES);
            bytes.try_into().unwrap_or(u32::MAX)
        };
        let cache = Cache::builder()
            .max_capacity(capacity)
            .weigher(weigh)
            .eviction_policy(EvictionPolicy::lru());
        Self(cache.build())
    }

    /// The record, if it is what the database has (see [`ChangeFeed::is_unchanged`]).
    pub fn get<Q>(&self, key: &Q, changes: &dyn ChangeFeed) -> Option<Arc<R>>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let entry = self.0.get(key)?;
        changes
            .is_unchanged(entry.record.organization(), entry.epoch)
            .then_some(entry.record)
    }

    /// To be called before the rows are read.
    #[must_use]
    pub fn start_reading(changes: &dyn ChangeFeed) -> Reading {
        Reading(changes.epoch())
    }

    /// Keeps what was read since then.
    pub fn put(&self, key: K, record: Arc<R>, Reading(epoch): Reading) {
        self.0.insert(key, CachedRecord { record, epoch });
    }
}
