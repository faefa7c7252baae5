//! The latest write of each organization, and how long that knowledge may be relied on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::ChangeFeed;
use charter_domain::clock::Clock;
use charter_domain::id::OrganizationId;

/// A power of two. Organizations that share a slot share their changes: then rows are read once more.
const SLOTS: usize = 65_536;

/// What this process knows of writes, its own and others'.
pub(crate) struct Versions {
    clock: Arc<dyn Clock>,
    epoch: AtomicU64,
    /// The epoch of the latest write that concerns everybody.
    of_all: AtomicU64,
    /// The epoch of the latest write, by a hash of the organization's id.
    latest: Box<[AtomicU64]>,
    /// Until when other processes' writes are known, in nanoseconds on the monotonic clock.
    lease: AtomicU64,
}

impl Versions {
    /// Knows of no other process yet: [`Self::extend_lease`] begins that.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            epoch: AtomicU64::new(0),
            of_all: AtomicU64::new(0),
            latest: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            lease: AtomicU64::new(0),
        }
    }

    /// All writes that were acknowledged up to some moment are known; what is kept in memory may be used
    /// until that time.
    pub(super) fn extend_lease(&self, until: Duration) {
        self.lease.store(nanoseconds(until), Ordering::Release);
    }

    pub(super) fn is_leased(&self) -> bool {
        nanoseconds(self.clock.monotonic()) < self.lease.load(Ordering::Acquire)
    }

    fn next(&self) -> u64 {
        self.epoch.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The last bits of a UUIDv7 are random.
    fn slot(&self, organization: OrganizationId) -> Option<&AtomicU64> {
        let bits = usize::try_from(organization.uuid().as_u64_pair().1 % SLOTS as u64);
        self.latest.get(bits.ok()?)
    }
}

fn nanoseconds(time: Duration) -> u64 {
    time.as_nanos().try_into().unwrap_or(u64::MAX)
}

impl ChangeFeed for Versions {
    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// A write whose commit came after the row was read takes its number after `since` was read, and leaves it
    /// in the slot before its caller hears of it.
    fn is_unchanged(&self, organization: OrganizationId, since: u64) -> bool {
        let is_current = |latest: &AtomicU64| latest.load(Ordering::Acquire) <= since;
        // The lease first: it is extended after what was seen has been noted.
        self.is_leased()
            && is_current(&self.of_all)
            && self.slot(organization).is_some_and(is_current)
    }

    fn advance(&self, organizations: &[OrganizationId]) {
        let epoch = self.next();
        for latest in organizations.iter().filter_map(|id| self.slot(*id)) {
            latest.fetch_max(epoch, Ordering::AcqRel);
        }
    }

    fn advance_all(&self) {
        self.of_all.fetch_max(self.next(), Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;
    use sea_orm::prelude::Uuid;

    use super::*;
    use charter_domain::timestamp::Timestamp;

    /// Time passes when it is told so.
    #[derive(Default)]
    struct Hand(Mutex<Duration>);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        fn monotonic(&self) -> Duration {
            *self.0.lock()
        }
    }

    fn leased() -> (Versions, Arc<Hand>) {
        let clock = Arc::new(Hand::default());
        let versions = Versions::new(Arc::clone(&clock) as _);
        versions.extend_lease(Duration::from_secs(1));
        (versions, clock)
    }

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
        a_write_is_told_to_its_own_organization(&leased().0);
        no_write_is_missed_among_many(&leased().0);
    }

    #[test]
    fn nothing_is_known_to_be_unchanged_without_a_lease() {
        let (versions, clock) = leased();
        let epoch = versions.epoch();
        assert!(versions.is_unchanged(organization(1), epoch));
        *clock.0.lock() = Duration::from_secs(1);
        assert!(!versions.is_unchanged(organization(1), epoch));
        versions.extend_lease(Duration::from_secs(2));
        assert!(versions.is_unchanged(organization(1), epoch));
        let never = Versions::new(Arc::new(Hand::default()));
        assert!(!never.is_unchanged(organization(1), never.epoch()));
    }
}
