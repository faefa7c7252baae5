use uuid::Uuid;

use super::*;

const MINUTES: [HalfMinute; 3] = [HalfMinute(1), HalfMinute(2), HalfMinute(3)];

fn quota(per_key: usize, per_organization: usize, total: usize) -> Quota {
    Quota::new(Bounds {
        per_key,
        per_organization,
        total,
    })
}

fn organization(n: u128) -> OrganizationId {
    OrganizationId::from_uuid(Uuid::from_u128(n))
}

#[test]
fn a_key_can_only_exhaust_itself_until_the_total() {
    let quota = quota(2, 100, 6);
    let reserve = |key, id| quota.reserve(key, organization(key), id);
    assert_eq!(reserve(1, MINUTES[1]), Ok(()));
    assert_eq!(reserve(1, MINUTES[0]), Ok(()));
    let exhausted = QuotaExceeded::Key {
        limit: 2,
        oldest: MINUTES[0],
    };
    assert_eq!(reserve(1, MINUTES[2]), Err(exhausted));
    assert_eq!(reserve(2, MINUTES[2]), Ok(()));
    quota.restore(3, MINUTES[2]);
    quota.restore(3, MINUTES[2]);
    quota.restore(3, MINUTES[2]);
    assert_eq!(reserve(4, MINUTES[2]), Err(QuotaExceeded::Total));
    quota.forget(MINUTES[0], 1);
    assert_eq!(reserve(4, MINUTES[2]), Ok(()));
    assert_eq!(quota.remembered(), 6);
}

#[test]
fn however_many_organizations_take_all_they_may_a_newcomer_finds_room() {
    for hogs in 1..=60 {
        let quota = quota(1_000, 300, 1_000);
        // They come in turns, with four keys each, until nobody gets anything.
        let mut refused = 0;
        for turn in 0.. {
            let hog = turn % hogs;
            let key = hog * 100 + turn / hogs % 4;
            match quota.reserve(key, organization(hog), MINUTES[0]) {
                Ok(()) => refused = 0,
                Err(QuotaExceeded::Organization { .. } | QuotaExceeded::Key { .. }) => {
                    refused += 1;
                }
                Err(other) => panic!("{other:?}"),
            }
            if refused > hogs * 4 {
                break;
            }
        }
        let held = quota.remembered();
        let each = held / usize::try_from(hogs).expect("small");
        assert!(each <= 300 && held < 1_000, "{hogs}: {held}");
        let newcomer = organization(9_999);
        for n in 0..(each / 2).max(1) {
            let key = u128::try_from(n).expect("small") % 4 + 9_000;
            let reserved = quota.reserve(key, newcomer, MINUTES[0]);
            assert_eq!(reserved, Ok(()), "{hogs} organizations, {n}");
        }
    }
}

#[test]
fn busy_keys_leave_room_for_another_of_their_organization() {
    for hogs in [1, 2, 12] {
        let quota = quota(1_000, 1_000, 4_000);
        let acme = organization(1);
        for key in 0..hogs {
            while quota.reserve(key, acme, MINUTES[0]).is_ok() {}
        }
        let busy = usize::try_from(hogs).expect("few") - 1;
        assert_eq!(quota.remembered(), 875 + busy * LITTLE);
        for key in 0..hogs {
            let refused = quota.reserve(key, acme, MINUTES[0]);
            assert!(
                matches!(refused, Err(QuotaExceeded::Key { .. })),
                "{refused:?}"
            );
        }
        for n in 0..LITTLE {
            assert_eq!(
                quota.reserve(9_999, acme, MINUTES[0]),
                Ok(()),
                "{hogs} keys, {n}"
            );
        }
    }
}

#[test]
fn the_keys_of_one_organization_share() {
    let quota = quota(10, 4, 100);
    let acme = organization(1);
    // FoundState from an earlier process: its key is known to be the organization's when it is used.
    quota.restore(1, MINUTES[0]);
    quota.restore(1, MINUTES[0]);
    assert_eq!(quota.reserve(2, acme, MINUTES[1]), Ok(()));
    assert_eq!(quota.reserve(1, acme, MINUTES[1]), Ok(()));
    let refused = quota.reserve(2, acme, MINUTES[2]);
    let exhausted = QuotaExceeded::Organization {
        limit: 4,
        oldest: Some(MINUTES[1]),
    };
    assert_eq!(refused, Err(exhausted));
    assert_eq!(quota.reserve(3, organization(2), MINUTES[2]), Ok(()));
    let near = quota.near();
    assert_eq!(near.len(), 1);
    assert_eq!(near[0].percent(), 100);
    quota.forget(MINUTES[0], 2);
    assert_eq!(quota.reserve(2, acme, MINUTES[2]), Ok(()));
    assert_eq!(quota.reserve(2, acme, MINUTES[2]), Ok(()));
    quota.reserve(2, acme, MINUTES[2]).expect_err("four");
    for id in MINUTES {
        quota.forget(id, 0);
    }
    assert!(quota.organizations.lock().is_empty());
}

#[test]
fn a_reservation_and_a_forgotten_bucket_may_come_in_any_order() {
    let quota = quota(2, 3, 3);
    let acme = organization(1);
    assert_eq!(quota.reserve(1, acme, MINUTES[0]), Ok(()));
    quota.forget(MINUTES[0], 0);
    assert_eq!(quota.reserve(1, acme, MINUTES[0]), Ok(()));
    quota.release(1, MINUTES[0]);
    quota.release(1, MINUTES[0]);
    assert_eq!(quota.remembered(), 0);
    assert!(quota.keys.iter().all(|keys| keys.lock().is_empty()));
}
