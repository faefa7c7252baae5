//! What has changed since a row was read, for those who remember rows (ADR 0002).

use std::sync::atomic::{AtomicU64, Ordering};

use charter_domain::id::OrganizationId;

/// A power of two. Organizations that share a slot share their changes: then rows are read once more.
const SLOTS: usize = 16_384;

/// Tells whether anything of an organization may have changed.
pub trait ChangeFeed: Send + Sync {
    /// A number that grows with every write, before the writer hears of it. Read it *before* loading a row.
    fn epoch(&self) -> u64;

    /// Whether what was read of an organization under that epoch is what the database has, as far as the feed
    /// knows.
    fn is_unchanged(&self, organization: OrganizationId, since: u64) -> bool;

    /// To be called after a write within these organizations has, or may have, reached the database.
    fn advance(&self, organizations: &[OrganizationId]);

    /// The same of a write that may concern everybody.
    fn advance_all(&self);
}

/// Writes of this process alone; other processes' are noticed when what was remembered has aged out.
pub(crate) struct ProcessChanges {
    epoch: AtomicU64,
    /// The epoch of the latest write, by a hash of the organization's id.
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

    /// A write whose commit came after the row was read takes its number after `since` was read, and leaves it
    /// in the slot before its caller hears of it.
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
