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

#[test]
fn who_has_used_nothing_lately_has_its_part_whatever_others_used() {
    let log = Resource::PasswordHashes;
    let (budgets, _) = budgets(&[(log, an_hour(10))]);
    let payer = |principal| Payer::new(organization(1), Uuid::from_u128(principal));
    for principal in 1..=100 {
        while budgets.check_part(log, payer(principal)).is_ok() {
            budgets.spend_as(log, payer(principal), 1);
        }
    }
    let exhausted = budgets.check_part(log, payer(7)).expect_err("its own part");
    assert_eq!(exhausted.holder, Holder::Principal);
    assert!(budgets.check(log, organization(1)).is_err(), "overdrawn");
    assert_eq!(budgets.check_part(log, payer(101)), Ok(()));
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
    *clock.0.lock() += exhausted.retry_after.saturating_sub(Duration::from_secs(2));
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
