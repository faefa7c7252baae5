//! Access keys: their number, their rotation, their end.

use std::time::Duration;

use charter_domain::access_key::{AccessKey, MAX_ACTIVE_KEYS};
use charter_domain::audit::AuditContext;
use charter_domain::clock::Clock as _;
use charter_domain::id::ServiceAccountId;
use charter_domain::ip_allowlist::IpAllowlist;
use charter_domain::page::KeyOrder;
use charter_domain::timestamp::{self, Timestamp};
use charter_store::{Error, NewKey, RotationTimes};
use test_support::services::TestDatabase;
use test_support::stored_tenant::StoredTenant;

use super::world::{World, description, first_page, noon};

test_support::on_both_engines![
    a_service_account_has_few_active_keys,
    racing_creations_stay_within_the_limit,
    rotation_hands_over_and_lets_the_old_key_run_out,
    a_dead_key_is_not_rotated,
    writes_judge_expiry_by_their_own_time,
    a_key_rotated_by_a_clock_ahead_is_rotated,
    a_key_in_overlap_makes_room_once,
    a_revoked_key_stays_revoked,
    a_refused_check_makes_no_key,
    a_time_that_cannot_be_written_is_brought_forward,
    secrets_of_a_missing_sealing_key_are_counted_while_they_are_needed,
];

const DAY: Duration = Duration::from_hours(24);

pub(super) async fn create(
    world: &World,
    tenant: &StoredTenant<'_>,
    of: ServiceAccountId,
) -> Result<AccessKey, Error> {
    tenant
        .by(&world.by())
        .create_key(of, world.new_key(), |_| Ok(()))
        .await
}

async fn rotate(
    world: &World,
    tenant: &StoredTenant<'_>,
    key: &AccessKey,
    overlap_until: Timestamp,
) -> Result<AccessKey, Error> {
    rotate_by(&world.by(), world, tenant, key, overlap_until).await
}

async fn rotate_by(
    by: &AuditContext,
    world: &World,
    tenant: &StoredTenant<'_>,
    key: &AccessKey,
    overlap_until: Timestamp,
) -> Result<AccessKey, Error> {
    let (of, new) = (key.service_account_id, world.new_key());
    let overlap = (overlap_until - world.clock.now()).to_std();
    let times = RotationTimes {
        overlap: overlap.expect("an overlap"),
        expires_at: None,
    };
    tenant
        .by(by)
        .rotate_key(of, key.id, new, times, |_| Ok(()))
        .await
}

async fn a_service_account_has_few_active_keys(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let tenant = world.tenant(&acme.organization);
    let one = world.service_account(&acme, "one").await.id;
    let other = world.service_account(&acme, "other").await.id;
    let mut keys = Vec::new();
    for _ in 0..MAX_ACTIVE_KEYS {
        keys.push(create(&world, &tenant, one).await.expect("room"));
    }
    let full = create(&world, &tenant, one).await;
    assert!(matches!(full, Err(Error::TooManyKeys)), "{full:?}");
    create(&world, &tenant, other)
        .await
        .expect("room of its own");

    // Revoked, expired and rotated keys do not count.
    tenant
        .by(&world.by())
        .revoke_key(one, keys[0].id)
        .await
        .expect("revoked");
    let brief = NewKey {
        expires_at: Some(noon() + DAY),
        ..world.new_key()
    };
    let brief = tenant
        .by(&world.by())
        .create_key(one, brief, |_| Ok::<_, Error>(()))
        .await;
    assert_eq!(brief.expect("room").expires_at, Some(noon() + DAY));
    assert!(matches!(
        create(&world, &tenant, one).await,
        Err(Error::TooManyKeys)
    ));
    world.clock.advance(86_400);
    create(&world, &tenant, one)
        .await
        .expect("the brief one has expired");
    assert!(matches!(
        create(&world, &tenant, one).await,
        Err(Error::TooManyKeys)
    ));
    rotate(&world, &tenant, &keys[1], noon() + DAY * 9)
        .await
        .expect("rotated");
    assert!(matches!(
        create(&world, &tenant, one).await,
        Err(Error::TooManyKeys)
    ));
}

async fn racing_creations_stay_within_the_limit(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let of = world.service_account(&acme, "ci").await.id;
    let tenant = world.tenant(&acme.organization);
    let attempts = (0..12).map(|_| create(&world, &tenant, of));
    let results = futures_util::future::join_all(attempts).await;
    let made = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(made, MAX_ACTIVE_KEYS);
    let list = tenant
        .list_keys(of, first_page(KeyOrder::CreatedAt), true)
        .await;
    assert_eq!(list.expect("a list").total, 5);
}

async fn rotation_hands_over_and_lets_the_old_key_run_out(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let of = world.service_account(&acme, "ci").await.id;
    let tenant = world.tenant(&acme.organization);
    let old = NewKey {
        description: description("the pipeline"),
        ip_allowlist: IpAllowlist::parse(&["10.0.0.0/8", "::1"]).expect("entries"),
        expires_at: Some(noon() + DAY * 3),
        ..world.new_key()
    };
    let old = tenant
        .by(&world.by())
        .create_key(of, old, |_| Ok::<_, Error>(()))
        .await;
    let old = old.expect("a key");
    let new = rotate(&world, &tenant, &old, noon() + DAY)
        .await
        .expect("rotated");
    assert_eq!(new.description, old.description);
    assert_eq!(new.ip_allowlist, old.ip_allowlist);
    assert_eq!(tenant.key(of, new.id).await.expect("found"), new);
    let old = tenant.key(of, old.id).await.expect("found");
    assert_eq!(old.expires_at, Some(noon() + DAY));
    assert_eq!(old.rotated_at, Some(noon()));

    // Its own expiry comes first: the overlap does not lengthen a life.
    rotate(&world, &tenant, &old, noon() + DAY * 2)
        .await
        .expect("rotated again");
    let old = tenant.key(of, old.id).await.expect("found");
    assert_eq!(old.expires_at, Some(noon() + DAY));

    // No overlap: over at once.
    rotate(&world, &tenant, &new, noon())
        .await
        .expect("rotated");
    let new = tenant.key(of, new.id).await.expect("found");
    assert!(!new.is_active(noon()));
    assert_eq!(new.revoked_at, None);
}

async fn a_dead_key_is_not_rotated(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let of = world.service_account(&acme, "ci").await.id;
    let tenant = world.tenant(&acme.organization);
    let revoked = create(&world, &tenant, of).await.expect("a key");
    tenant
        .by(&world.by())
        .revoke_key(of, revoked.id)
        .await
        .expect("revoked");
    let expired = NewKey {
        expires_at: Some(noon() + DAY),
        ..world.new_key()
    };
    let expired = tenant
        .by(&world.by())
        .create_key(of, expired, |_| Ok::<_, Error>(()))
        .await;
    world.clock.advance(86_400);
    let later = noon() + DAY * 9;
    for key in [revoked, expired.expect("a key")] {
        let result = rotate(&world, &tenant, &key, later).await;
        assert!(matches!(result, Err(Error::KeyNotActive)), "{result:?}");
    }
}

/// A request takes its time before it waits for the organization's lock.
async fn writes_judge_expiry_by_their_own_time(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let of = world.service_account(&acme, "ci").await.id;
    let tenant = world.tenant(&acme.organization);
    let mut keys = Vec::new();
    for _ in 0..MAX_ACTIVE_KEYS {
        keys.push(create(&world, &tenant, of).await.expect("room"));
    }
    let came_first = world.by();
    world.clock.advance(1);
    rotate(&world, &tenant, &keys[0], world.clock.now())
        .await
        .expect("rotated");
    let came_last = rotate_by(&came_first, &world, &tenant, &keys[0], world.clock.now()).await;
    assert!(
        matches!(came_last, Err(Error::KeyNotActive)),
        "{came_last:?}"
    );
    let brief = NewKey {
        expires_at: Some(world.clock.now() + Duration::from_secs(1)),
        ..world.new_key()
    };
    let one_less = tenant.by(&world.by()).revoke_key(of, keys[1].id).await;
    one_less.expect("revoked");
    let brief = tenant
        .by(&world.by())
        .create_key(of, brief, |_| Ok::<_, Error>(()))
        .await;
    brief.expect("room");
    let came_first = world.by();
    world.clock.advance(1);
    let created = tenant
        .by(&came_first)
        .create_key(of, world.new_key(), |_| Ok::<_, Error>(()))
        .await
        .expect("the room of the key that has expired");
    assert_eq!(created.created_at, world.clock.now());
}

async fn a_key_rotated_by_a_clock_ahead_is_rotated(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let of = world.service_account(&acme, "ci").await.id;
    let tenant = world.tenant(&acme.organization);
    let key = create(&world, &tenant, of).await.expect("a key");
    let behind = World::on_existing(&world.database).await;
    let by_other = world.by();
    world.clock.advance(5);
    rotate(&world, &tenant, &key, world.clock.now())
        .await
        .expect("rotated");
    let other = StoredTenant::of(&behind, &acme.organization);
    let again = rotate_by(&by_other, &world, &other, &key, world.clock.now()).await;
    assert!(matches!(again, Err(Error::KeyNotActive)), "{again:?}");
}

async fn a_key_in_overlap_makes_room_once(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let of = world.service_account(&acme, "ci").await.id;
    let tenant = world.tenant(&acme.organization);
    let first = create(&world, &tenant, of).await.expect("a key");
    let until = noon() + DAY;
    for _ in 0..MAX_ACTIVE_KEYS {
        rotate(&world, &tenant, &first, until).await.expect("room");
    }
    let full = rotate(&world, &tenant, &first, until).await;
    assert!(matches!(full, Err(Error::TooManyKeys)), "{full:?}");
}

async fn a_revoked_key_stays_revoked(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let of = world.service_account(&acme, "ci").await.id;
    let tenant = world.tenant(&acme.organization);
    let key = create(&world, &tenant, of).await.expect("a key");
    tenant
        .by(&world.by())
        .revoke_key(of, key.id)
        .await
        .expect("revoked");
    let events = world.audit().await.events;
    let epoch = world.store.changes().epoch();
    world.clock.advance(60);
    tenant
        .by(&world.by())
        .revoke_key(of, key.id)
        .await
        .expect("twice too");
    let revoked = tenant.key(of, key.id).await.expect("found");
    assert_eq!(revoked.revoked_at, Some(noon()));
    assert_eq!(
        (world.audit().await.events, world.store.changes().epoch()),
        (events, epoch)
    );
    for (off, on) in [(false, true), (true, false)] {
        tenant
            .by(&world.by())
            .update_service_account(of, None, |service_account| {
                assert_ne!(service_account.is_active, off);
                service_account.is_active = off;
                Ok::<_, Error>(())
            })
            .await
            .expect("switched");
        let key = tenant.key(of, key.id).await.expect("found");
        assert!(!key.is_active(noon()), "{on}");
    }
}

async fn a_refused_check_makes_no_key(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let of = world.service_account(&acme, "ci").await;
    let tenant = world.tenant(&acme.organization);
    let (before, epoch) = (world.audit().await, world.store.changes().epoch());
    let refused = tenant
        .by(&world.by())
        .create_key(of.id, world.new_key(), |key| {
            assert_eq!((key.owner, key.signer), (&of, None));
            Err(Error::Stale)
        })
        .await;
    assert!(matches!(refused, Err(Error::Stale)));
    let list = tenant
        .list_keys(of.id, first_page(KeyOrder::CreatedAt), true)
        .await;
    assert_eq!(list.expect("a list").total, 0);
    assert_eq!(
        (world.audit().await, world.store.changes().epoch()),
        (before, epoch)
    );
}

async fn a_time_that_cannot_be_written_is_brought_forward(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let of = world.service_account(&acme, "ci").await.id;
    let tenant = world.tenant(&acme.organization);
    let last = timestamp::parse("9999-12-31T23:59:59Z").expect("a time");
    let new = NewKey {
        expires_at: Some(last + DAY),
        ..world.new_key()
    };
    let key = tenant
        .by(&world.by())
        .create_key(of, new, |_| Ok::<_, Error>(()))
        .await;
    let key = key.expect("a key");
    assert_eq!(key.expires_at, Some(last));
    assert_eq!(tenant.key(of, key.id).await.expect("found"), key);
}

async fn secrets_of_a_missing_sealing_key_are_counted_while_they_are_needed(
    database: TestDatabase,
) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let tenant = world.tenant(&acme.organization);
    let robot = world.service_account(&acme, "robot").await.id;
    let revoked = create(&world, &tenant, robot).await.expect("a key");
    create(&world, &tenant, robot).await.expect("a key");
    let expiring = NewKey {
        expires_at: Some(world.clock.now() + DAY),
        ..world.new_key()
    };
    let by = world.by();
    let writer = tenant.by(&by);
    let made = writer.create_key(robot, expiring, |_| Ok::<_, Error>(()));
    made.await.expect("a key");
    let needed = async |configured: &[&str]| {
        let configured: Vec<String> = configured.iter().map(ToString::to_string).collect();
        let found = world.store.sealed_by_others(&configured).await;
        let found = found.expect("counted").into_iter();
        let counts = found.map(|(key, count)| (key, count.access_keys, count.mails));
        counts.collect::<Vec<_>>()
    };
    assert!(needed(&["kek-2", "kek-1"]).await.is_empty());
    assert_eq!(needed(&["kek-2"]).await, [("kek-1".to_owned(), 3, 0)]);
    let revoke = writer.revoke_key(robot, revoked.id);
    revoke.await.expect("revoked");
    world.clock.advance(DAY.as_secs().cast_signed());
    assert_eq!(needed(&["kek-2"]).await, [("kek-1".to_owned(), 1, 0)]);
}
