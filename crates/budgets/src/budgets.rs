//! Accounts for what each organization uses of its shares.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::exhausted::{Exhausted, Holder};
use super::meter::Meter;
use super::near::{Near, nearest};
use super::principals::{Payer, PrincipalMeters};
use super::resource::Resource;
use super::share::Share;
use charter_domain::clock::Clock;
use charter_domain::id::OrganizationId;

const SHARDS: usize = 16;

/// Contains only organizations with recent use.
pub struct Budgets {
    shares: [Option<Share>; Resource::ALL.len()],
    clock: Arc<dyn Clock>,
    organizations: [Mutex<HashMap<OrganizationId, Meters>>; SHARDS],
    principals: PrincipalMeters,
}

/// Indexed by resource.
type Meters = [Meter; Resource::ALL.len()];

impl Budgets {
    /// Resources without a share are unlimited.
    pub fn new(shares: impl IntoIterator<Item = (Resource, Share)>, clock: Arc<dyn Clock>) -> Self {
        let given: HashMap<Resource, Share> = shares.into_iter().collect();
        Self {
            shares: Resource::ALL.map(|resource| given.get(&resource).copied()),
            clock,
            organizations: std::array::from_fn(|_| Mutex::default()),
            principals: PrincipalMeters::default(),
        }
    }

    pub fn unlimited(clock: Arc<dyn Clock>) -> Self {
        Self::new([], clock)
    }

    /// Uses `amount` or nothing. An amount above the whole share is accepted if nothing was used recently. Call it
    /// *before* the work.
    pub fn charge(
        &self,
        resource: Resource,
        organization: OrganizationId,
        amount: u64,
    ) -> Result<(), Exhausted> {
        let Some(share) = self.share(resource) else {
            return Ok(());
        };
        let charged = self.with_meter(resource, organization, |meter, now| {
            meter.charge(share, amount, now)
        });
        charged.map_err(|retry_after| {
            Exhausted::new(Holder::Organization, resource, share.amount(), retry_after)
        })
    }

    /// Uses an amount that was unknown before the work. The share may be overdrawn; then [`Budgets::charge`] fails
    /// until it has refilled.
    pub fn spend(&self, resource: Resource, organization: OrganizationId, amount: u64) {
        if let Some(share) = self.share(resource) {
            self.with_meter(resource, organization, |meter, now| {
                meter.spend(share, amount, now);
            });
        }
    }

    /// Returns an amount that was charged but not used.
    pub fn give_back(&self, resource: Resource, organization: OrganizationId, amount: u64) {
        self.with_meter(resource, organization, |meter, _| meter.give_back(amount));
    }

    /// Whether anything of the share is left. Uses nothing.
    pub fn check(&self, resource: Resource, organization: OrganizationId) -> Result<(), Exhausted> {
        let Some(share) = self.share(resource) else {
            return Ok(());
        };
        let now = self.clock.monotonic();
        let organizations = self.shard(organization).lock();
        let meter = organizations
            .get(&organization)
            .and_then(|meters| meters.get(resource.index()));
        let checked = meter.map_or(Ok(()), |meter| meter.clone().charge(share, 1, now));
        checked.map_err(|retry_after| {
            Exhausted::new(Holder::Organization, resource, share.amount(), retry_after)
        })
    }

    /// Like [`Budgets::spend`], counted against the principal's part, too.
    pub fn spend_as(&self, resource: Resource, payer: Payer, amount: u64) {
        if let Some(share) = self.share(resource) {
            let clock = &*self.clock;
            self.principals
                .spend((resource, share), payer, amount, clock);
            self.spend(resource, payer.organization, amount);
        }
    }

    /// Whether anything is left of the organization's share, and of what the principal may use of it. Uses nothing.
    pub fn check_as(&self, resource: Resource, payer: Payer) -> Result<(), Exhausted> {
        self.check(resource, payer.organization)?;
        let Some(share) = self.share(resource) else {
            return Ok(());
        };
        let checked = self
            .principals
            .check((resource, share), payer, &*self.clock);
        checked.map_err(|it| Exhausted::new(Holder::Principal, resource, it.limit, it.retry_after))
    }

    /// Uses one unit of a concurrent resource until the result is dropped.
    pub fn hold(
        self: &Arc<Self>,
        resource: Resource,
        organization: OrganizationId,
    ) -> Result<Hold, Exhausted> {
        self.charge(resource, organization, 1)?;
        Ok(Hold {
            budgets: Arc::clone(self),
            resource,
            organization,
        })
    }

    /// The share of each organization; `None` if unlimited.
    pub fn share(&self, resource: Resource) -> Option<Share> {
        self.shares.get(resource.index()).copied().flatten()
    }

    /// Removes organizations and principals whose shares are full again. Call it periodically.
    pub fn forget_idle(&self) {
        self.principals
            .forget_idle(|resource| self.share(resource), &*self.clock);
        let now = self.clock.monotonic();
        for organizations in &self.organizations {
            organizations.lock().retain(|_, meters| {
                let mut meters = meters.iter().zip(self.shares);
                meters.any(|(meter, share)| share.is_some_and(|share| meter.used(share, now) > 0))
            });
        }
    }

    /// The organizations nearest to their limits, a few for each resource. Excludes nonces, which the replay guard
    /// counts.
    pub fn near(&self) -> Vec<Near> {
        let now = self.clock.monotonic();
        let mut all = Vec::new();
        for organizations in &self.organizations {
            for (organization, meters) in &*organizations.lock() {
                let meters = Resource::ALL.into_iter().zip(meters).zip(self.shares);
                all.extend(meters.filter_map(|((resource, meter), share)| {
                    let share = share?;
                    Near::of(
                        resource,
                        *organization,
                        meter.used(share, now),
                        share.amount(),
                    )
                }));
            }
        }
        nearest(all)
    }

    fn with_meter<T>(
        &self,
        resource: Resource,
        organization: OrganizationId,
        then: impl FnOnce(&mut Meter, Duration) -> T,
    ) -> T {
        let mut organizations = self.shard(organization).lock();
        // Read under the lock, so that time never decreases for a meter.
        let now = self.clock.monotonic();
        let meters = organizations.entry(organization).or_default();
        let mut unlimited = Meter::default();
        let meter = meters.get_mut(resource.index()).unwrap_or(&mut unlimited);
        then(meter, now)
    }

    fn shard(&self, organization: OrganizationId) -> &Mutex<HashMap<OrganizationId, Meters>> {
        // The low bits of a UUIDv7 are random.
        let [first, ..] = &self.organizations;
        let low = organization.uuid().as_u128() & (SHARDS as u128 - 1);
        let shard = usize::try_from(low).unwrap_or(0);
        self.organizations.get(shard).unwrap_or(first)
    }
}

impl std::fmt::Debug for Budgets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budgets")
            .field("shares", &self.shares)
            .finish_non_exhaustive()
    }
}

/// One unit of a concurrent resource, returned when dropped.
#[derive(Debug)]
pub struct Hold {
    budgets: Arc<Budgets>,
    resource: Resource,
    organization: OrganizationId,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.budgets.give_back(self.resource, self.organization, 1);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use charter_domain::timestamp::{self, Timestamp};

    struct TestClock(Mutex<Duration>);

    impl Clock for TestClock {
        fn now(&self) -> Timestamp {
            timestamp::parse("2025-09-30T12:00:00Z").expect("a time")
        }

        fn monotonic(&self) -> Duration {
            *self.0.lock()
        }
    }

    fn organization(n: u128) -> OrganizationId {
        OrganizationId::from_uuid(Uuid::from_u128(n))
    }

    fn budgets(shares: &[(Resource, Share)]) -> (Arc<Budgets>, Arc<TestClock>) {
        let clock = Arc::new(TestClock(Mutex::new(Duration::from_secs(5))));
        let budgets = Budgets::new(shares.iter().copied(), Arc::clone(&clock) as _);
        (Arc::new(budgets), clock)
    }

    fn an_hour(amount: u64) -> Share {
        Share::PerTime {
            amount,
            per: Duration::from_hours(1),
        }
    }

    #[test]
    fn an_organization_over_its_share_waits_and_others_do_not() {
        let (budgets, clock) = budgets(&[(Resource::Writes, an_hour(60))]);
        assert_eq!(
            budgets.charge(Resource::Writes, organization(1), 59),
            Ok(())
        );
        let exhausted = budgets
            .charge(Resource::Writes, organization(1), 3)
            .expect_err("more than the rest");
        assert_eq!(
            (exhausted.limit, exhausted.retry_after),
            (60, Duration::from_mins(2))
        );
        // The refused amount was not used.
        assert_eq!(budgets.charge(Resource::Writes, organization(1), 1), Ok(()));
        assert_eq!(
            budgets.charge(Resource::Writes, organization(2), 60),
            Ok(())
        );
        assert_eq!(
            budgets.charge(Resource::Searches, organization(1), 1_000),
            Ok(())
        );
        *clock.0.lock() += exhausted.retry_after;
        assert_eq!(budgets.charge(Resource::Writes, organization(1), 2), Ok(()));
    }

    #[test]
    fn an_overdrawn_budget_recovers_with_time() {
        let (budgets, clock) = budgets(&[(Resource::DecisionLogBytes, an_hour(3_600))]);
        let one = organization(1);
        budgets.spend(Resource::DecisionLogBytes, one, 5_000);
        let exhausted = budgets
            .check(Resource::DecisionLogBytes, one)
            .expect_err("overdrawn");
        assert_eq!(exhausted.retry_after, Duration::from_secs(1_401));
        *clock.0.lock() += exhausted.retry_after;
        assert_eq!(budgets.check(Resource::DecisionLogBytes, one), Ok(()));
        assert_eq!(budgets.charge(Resource::DecisionLogBytes, one, 1), Ok(()));
        assert!(budgets.charge(Resource::DecisionLogBytes, one, 1).is_err());
    }

    #[test]
    fn more_than_the_whole_share_passes_after_a_pause_and_is_paid_for() {
        let (budgets, clock) = budgets(&[(Resource::StoredBytes, an_hour(100))]);
        let one = organization(1);
        assert_eq!(budgets.charge(Resource::StoredBytes, one, 300), Ok(()));
        *clock.0.lock() += Duration::from_hours(2);
        assert!(budgets.charge(Resource::StoredBytes, one, 1).is_err());
        *clock.0.lock() += Duration::from_mins(1);
        assert_eq!(budgets.charge(Resource::StoredBytes, one, 1), Ok(()));
    }

    #[test]
    fn holds_are_given_back_and_nothing_stays_in_memory() {
        let (budgets, _) = budgets(&[(Resource::SearchesAtOnce, Share::AtOnce(2))]);
        let hold = |n| budgets.hold(Resource::SearchesAtOnce, organization(n));
        let (first, second) = (hold(1).expect("the first"), hold(1).expect("the second"));
        hold(1).expect_err("two are its share");
        drop(hold(2).expect("another's"));
        budgets.forget_idle();
        assert_eq!(budgets.near().len(), 1);
        drop(first);
        let third = hold(1).expect("one was returned");
        drop((second, third));
        budgets.forget_idle();
        assert!(
            budgets
                .organizations
                .iter()
                .all(|shard| shard.lock().is_empty())
        );
    }

    #[test]
    fn one_principal_has_at_most_half_of_what_the_others_left() {
        let log = Resource::DecisionLogBytes;
        let (budgets, clock) = budgets(&[(log, an_hour(100))]);
        let payer = |principal| Payer::new(organization(1), Uuid::from_u128(principal));
        let (noisy, other) = (payer(7), payer(8));
        budgets.spend_as(log, noisy, 50);
        let exhausted = budgets.check_as(log, noisy).expect_err("its half");
        assert_eq!((exhausted.holder, exhausted.limit), (Holder::Principal, 50));
        assert_eq!(budgets.check_as(log, other), Ok(()));
        budgets.spend_as(log, other, 50);
        let exhausted = budgets
            .check_as(log, payer(9))
            .expect_err("the organization's share");
        assert_eq!(
            (exhausted.holder, exhausted.limit),
            (Holder::Organization, 100)
        );
        *clock.0.lock() += Duration::from_hours(1);
        assert_eq!(budgets.check_as(log, noisy), Ok(()));
        budgets.forget_idle();
        assert!(budgets.principals.is_empty());
    }

    /// For three hours, each uses whatever it may: one more finds as much left as each of them has.
    #[test]
    fn principals_together_leave_something_for_another() {
        let log = Resource::DecisionLogBytes;
        for noisy in [1_u128, 2, 5, 20] {
            let (budgets, clock) = budgets(&[(log, an_hour(1_000_000))]);
            let payer = |principal| Payer::new(organization(1), Uuid::from_u128(principal));
            for _ in 0..3 * 60 * 60 {
                *clock.0.lock() += Duration::from_secs(1);
                for principal in 1..=noisy {
                    while budgets.check_as(log, payer(principal)).is_ok() {
                        budgets.spend_as(log, payer(principal), 100);
                    }
                }
            }
            let mut left = 0;
            while budgets.check_as(log, payer(1_000)).is_ok() {
                budgets.spend_as(log, payer(1_000), 100);
                left += 100;
            }
            let fair = 1_000_000 / (u64::try_from(noisy).expect("few") + 1);
            assert!(left * 3 > fair, "{noisy} leave {left}, fair is {fair}");
        }
    }

    #[test]
    fn a_refused_principal_is_told_when_it_may_go_on() {
        let log = Resource::DecisionLogBytes;
        let (budgets, clock) = budgets(&[(log, an_hour(3_600))]);
        let payer = |principal| Payer::new(organization(1), Uuid::from_u128(principal));
        budgets.spend_as(log, payer(8), 600);
        budgets.spend_as(log, payer(7), 2_000);
        let exhausted = budgets.check_as(log, payer(7)).expect_err("over its half");
        assert_eq!(exhausted.limit, 1_500);
        *clock.0.lock() += exhausted.retry_after - Duration::from_secs(2);
        budgets.check_as(log, payer(7)).expect_err("too early");
        *clock.0.lock() += Duration::from_secs(3);
        assert_eq!(budgets.check_as(log, payer(7)), Ok(()));
    }

    #[test]
    fn those_near_their_share_are_named_and_few_of_them() {
        let (budgets, clock) = budgets(&[(Resource::Writes, an_hour(100))]);
        for n in 1..=40 {
            budgets.spend(
                Resource::Writes,
                organization(n),
                u64::try_from(n).expect("small") + 70,
            );
        }
        let near = budgets.near();
        assert_eq!(near.len(), crate::near::MAX_NAMED);
        let first = near.first().expect("one");
        assert_eq!(
            (first.organization, first.used, first.limit),
            (organization(40), 110, 100)
        );
        *clock.0.lock() += Duration::from_hours(1);
        assert!(budgets.near().is_empty());
    }
}
