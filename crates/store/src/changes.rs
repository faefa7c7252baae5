//! Tells caches of rows what has changed since they read (ADR 0002).

use std::sync::atomic::{AtomicU64, Ordering};

use charter_domain::id::OrganizationId;

/// A power of two. Organizations in one slot share their changes, which costs extra reads only.
const SLOTS: usize = 16_384;

/// Reports whether rows of an organization may have changed.
pub trait ChangeFeed: Send + Sync {
    /// Grows with every write, before the writer gets its result. Read it *before* loading a row.
    fn epoch(&self) -> u64;

    /// Whether rows of an organization read under epoch `since` are current, as far as the feed knows.
    fn is_unchanged(&self, organization: OrganizationId, since: u64) -> bool;

    /// Call it after a write to these organizations that has, or may have, been committed.
    fn advance(&self, organizations: &[OrganizationId]);

    /// The same for a write that may concern any organization.
    fn advance_all(&self);
}

/// Tracks writes of this process. Those of other processes are noticed when cache entries expire.
pub(crate) struct ProcessChanges {
    epoch: AtomicU64,
    /// Epoch of the latest write, by a hash of the organization's id.
    latest: Box<[AtomicU64]>,
}

impl Default for ProcessChanges {
    fn default() -> Self {
        Self {
            epoch: AtomicU64::new(0),
            latest: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

impl ProcessChanges {
    fn next(&self) -> u64 {
        self.epoch.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The last bits of a UUIDv7 are random.
    fn slot(&self, organization: OrganizationId) -> Option<&AtomicU64> {
        let bits = usize::try_from(organization.uuid().as_u64_pair().1 % SLOTS as u64);
        self.latest.get(bits.ok()?)
    }
}

impl ChangeFeed for ProcessChanges {
    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// A write that commits after the row was read gets a number greater than `since`, and stores it before its
    /// caller gets the result.
    fn is_unchanged(&self, organization: OrganizationId, since: u64) -> bool {
        self.slot(organization)
            .is_some_and(|latest| latest.load(Ordering::Acquire) <= since)
    }

    fn advance(&self, organizations: &[OrganizationId]) {
        let epoch = self.next();
        for latest in organizations.iter().filter_map(|id| self.slot(*id)) {
            latest.fetch_max(epoch, Ordering::AcqRel);
        }
    }

    fn advance_all(&self) {
        let epoch = self.next();
        for latest in &self.latest {
            latest.fetch_max(epoch, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::prelude::Uuid;

    use super::*;

    fn organization(number: u128) -> OrganizationId {
        OrganizationId::from_uuid(Uuid::from_u128(number))
    }

    fn a_write_is_told_to_its_own_organization(feed: &dyn ChangeFeed) {
        let (acme, other) = (organization(1), organization(2));
        let before = feed.epoch();
        assert!(feed.is_unchanged(acme, before));
        assert_eq!(feed.epoch(), before, "reading changes nothing");
        feed.advance(&[acme]);
        assert!(!feed.is_unchanged(acme, before));
        assert!(feed.is_unchanged(other, before));
        let between = feed.epoch();
        assert!(feed.is_unchanged(acme, between), "read after the write");
        feed.advance_all();
        assert!(!feed.is_unchanged(acme, between) && !feed.is_unchanged(other, between));
    }

    fn no_write_is_missed_among_many(feed: &dyn ChangeFeed) {
        std::thread::scope(|scope| {
            for number in 0..4 {
                scope.spawn(move || {
                    for _ in 0..1_000 {
                        let before = feed.epoch();
                        feed.advance(&[organization(number)]);
                        assert!(!feed.is_unchanged(organization(number), before));
                    }
                });
            }
        });
    }

    #[test]
    fn changes_of_this_process_are_told() {
        a_write_is_told_to_its_own_organization(&ProcessChanges::default());
        no_write_is_missed_among_many(&ProcessChanges::default());
    }
}
