//! Lists: the same order on both engines, and pages with edges.

use std::time::Duration;

use charter_domain::page::{KeyOrder, Page, PageRequest, ResourceOrder};
use charter_store::{Error, NewAccount, NewKey, ServiceAccountFilter};
use test_support::services::TestDatabase;

use super::world::{World, first_page, name, noon};

test_support::on_both_engines![
    names_are_ordered_by_code_point,
    pages_have_edges,
    keys_are_ordered_with_their_nulls_in_place,
    inactive_records_are_listed_on_request,
];

async fn names_are_ordered_by_code_point(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let tenant = world.tenant(&acme.organization);
    let mut names = [
        "b", "a", "B", "A", "é", "z", "ß", "ss", "𝕏", "\u{ffe6}", "10", "9", "a b", "ab", "_", "-",
    ];
    for called in names {
        let new = NewAccount {
            name: name(called),
            metadata: charter_domain::metadata::Metadata::default(),
        };
        tenant
            .by(&world.by())
            .create_account(new)
            .await
            .expect("an account");
    }
    let list = tenant
        .list_accounts(first_page(ResourceOrder::Name), false)
        .await;
    let listed: Vec<_> = list.expect("a list").results;
    let listed: Vec<_> = listed
        .iter()
        .filter(|account| !account.is_default)
        .map(|account| account.name.as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(listed, names);
}

async fn pages_have_edges(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let tenant = world.tenant(&acme.organization);
    // Made in the same instant: only their ids tell them apart.
    let mut made = Vec::new();
    for count in 0..5 {
        made.push(
            world
                .service_account(&acme, &format!("sa {count}"))
                .await
                .id,
        );
    }
    made.sort();
    let list = async |page, quantity, descending| {
        let request = PageRequest {
            page,
            quantity,
            order: ResourceOrder::CreatedAt,
            descending,
        };
        let list = tenant
            .list_service_accounts(request, ServiceAccountFilter::default())
            .await;
        let Page { total, results } = list.expect("a list");
        assert_eq!(total, 5);
        results.into_iter().map(|one| one.id).collect::<Vec<_>>()
    };
    for descending in [false, true] {
        assert_eq!(list(1, 2, descending).await, made[..2]);
        assert_eq!(list(2, 2, descending).await, made[2..4]);
        assert_eq!(list(3, 2, descending).await, made[4..]);
        assert_eq!(list(1, 5, descending).await, made);
        assert_eq!(list(1, 100, descending).await, made);
        for (page, quantity) in [
            (4, 2),
            (2, 5),
            (6, 1),
            (i64::MAX.unsigned_abs(), 1),
            (u64::MAX, 100),
        ] {
            assert_eq!(list(page, quantity, descending).await, []);
        }
    }
    let empty = world.organization("empty").await;
    let list = world
        .tenant(&empty.organization)
        .list_service_accounts(
            first_page(ResourceOrder::Name),
            ServiceAccountFilter::default(),
        )
        .await;
    assert_eq!(
        list.expect("a list"),
        Page {
            total: 0,
            results: vec![]
        }
    );
}

async fn keys_are_ordered_with_their_nulls_in_place(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let of = world.service_account(&acme, "ci").await.id;
    let tenant = world.tenant(&acme.organization);
    let in_hours = |hours: u64| noon() + Duration::from_secs(3_600 * hours);
    let mut keys = Vec::new();
    // Fractions too: on SQLite times are text.
    for expires_at in [
        Some(in_hours(2)),
        None,
        Some(in_hours(1)),
        Some(in_hours(1) + Duration::from_micros(1_500)),
        Some(in_hours(1) + Duration::from_millis(1)),
    ] {
        let new = NewKey {
            expires_at,
            ..world.new_key()
        };
        let key = tenant
            .by(&world.by())
            .create_key(of, new, |_| Ok::<_, Error>(()))
            .await;
        keys.push(key.expect("a key").id);
    }
    let batch = [(keys[0], of, in_hours(9)), (keys[3], of, in_hours(8))];
    world.store.touch_last_used(&batch).await.expect("noted");
    let list = async |order, descending| {
        let request = PageRequest {
            descending,
            ..first_page(order)
        };
        let list = tenant.list_keys(of, request, false).await.expect("a list");
        list.results
            .iter()
            .map(|key| {
                keys.iter()
                    .position(|id| *id == key.id)
                    .expect("one of them")
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(list(KeyOrder::ExpiresAt, false).await, [2, 4, 3, 0, 1]);
    assert_eq!(list(KeyOrder::ExpiresAt, true).await, [1, 0, 3, 4, 2]);
    let mut never = [1, 2, 4];
    never.sort_by_key(|at| keys[*at]);
    let [one, two, three] = never;
    assert_eq!(
        list(KeyOrder::LastUsedAt, false).await,
        [one, two, three, 3, 0]
    );
    assert_eq!(
        list(KeyOrder::LastUsedAt, true).await,
        [0, 3, one, two, three]
    );

    world.clock.advance(3_600);
    assert_eq!(
        list(KeyOrder::ExpiresAt, false).await,
        [4, 3, 0, 1],
        "one has expired"
    );
}

async fn inactive_records_are_listed_on_request(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let tenant = world.tenant(&acme.organization);
    let other = NewAccount {
        name: name("Other"),
        metadata: charter_domain::metadata::Metadata::default(),
    };
    let other = tenant
        .by(&world.by())
        .create_account(other)
        .await
        .expect("an account");
    let on = world.service_account(&acme, "on").await.id;
    let off = world.service_account(&acme, "off").await.id;
    tenant
        .by(&world.by())
        .update_service_account(off, None, |service_account| {
            service_account.is_active = false;
            Ok::<_, Error>(())
        })
        .await
        .expect("switched off");
    tenant
        .by(&world.by())
        .update_account(
            other.id,
            None,
            |account| {
                account.is_active = false;
                Ok::<_, Error>(())
            },
            |_| Ok(()),
        )
        .await
        .expect("switched off");
    let accounts = async |include_inactive| {
        let page = first_page(ResourceOrder::Name);
        tenant
            .list_accounts(page, include_inactive)
            .await
            .expect("a list")
            .total
    };
    assert_eq!((accounts(false).await, accounts(true).await), (1, 2));
    let list = async |account, include_inactive| {
        let filter = ServiceAccountFilter {
            account,
            include_inactive,
            include_deleted: false,
        };
        let page = first_page(ResourceOrder::Name);
        let list = tenant
            .list_service_accounts(page, filter)
            .await
            .expect("a list");
        list.results
            .into_iter()
            .map(|one| one.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(list(None, false).await, [on]);
    assert_eq!(list(None, true).await, [off, on]);
    assert_eq!(list(Some(acme.account.id), true).await, [off, on]);
    assert_eq!(list(Some(other.id), true).await, []);
}
