//! What authentication reads, and what it writes back.

use std::time::Duration;

use charter_domain::access_key::SealedSecret;
use charter_domain::email::EmailAddress;
use charter_domain::id::UserId;
use charter_store::{Error, NewUser};
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
use test_support::services::{TestDatabase, connect};

use super::world::{World, noon};

test_support::on_both_engines![
    a_credential_brings_everything_behind_the_key,
    the_latest_use_is_kept_and_counts_as_no_change,
    an_address_belongs_to_one_user,
    a_secret_is_sealed_anew_once,
];

async fn a_credential_brings_everything_behind_the_key(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let service_account = world.service_account(&acme, "ci").await;
    let new = world.new_key();
    let key = world
        .tenant(&acme.organization)
        .by(&world.by())
        .create_key(service_account.id, new.clone(), |_| Ok::<_, Error>(()))
        .await
        .expect("a key");
    let found = world.store.find_credential(&new.access_key).await;
    let found = found.expect("an answer").expect("found");
    assert_eq!(found.secret, new.secret);
    assert_eq!(found.access_key, key);
    assert_eq!(*found.caller.service_account(), service_account);
    assert_eq!(*found.caller.account(), acme.account);
    assert_eq!(*found.caller.organization(), acme.organization);
    for unknown in ["", "sa_test", "SA_TEST_", "' OR ''='", "%", "a\0b"] {
        let found = world.store.find_credential(unknown).await;
        assert!(found.expect("an answer").is_none(), "`{unknown}`");
    }
    let shouted = world
        .store
        .find_credential(&new.access_key.to_uppercase())
        .await;
    assert!(shouted.expect("an answer").is_none());
}

async fn the_latest_use_is_kept_and_counts_as_no_change(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let service_account = world.service_account(&acme, "ci").await;
    let tenant = world.tenant(&acme.organization);
    let one = world.key(&acme.organization, service_account.id).await;
    let two = world.key(&acme.organization, service_account.id).await;
    let (epoch, report) = (world.store.changes().epoch(), world.audit().await);
    let at = |minutes: u64| noon() + Duration::from_secs(60 * minutes);
    world.clock.advance(10 * 60);
    let of = service_account.id;
    world
        .store
        .touch_last_used(&[])
        .await
        .expect("nothing to note");
    world
        .store
        .touch_last_used(&[
            (one.id, of, at(3)),
            (two.id, of, at(5)),
            (one.id, of, at(1)),
        ])
        .await
        .expect("noted");
    world
        .store
        .touch_last_used(&[(two.id, of, at(4))])
        .await
        .expect("older news");
    let used = tenant.service_account(of).await.expect("found");
    assert_eq!((used.last_used_at, used.version), (Some(at(5)), 1));
    assert_eq!(used.updated_at, service_account.updated_at);
    for (key, latest) in [(one.id, at(3)), (two.id, at(5))] {
        let key = tenant.key(of, key).await.expect("found");
        assert_eq!(key.last_used_at, Some(latest));
    }
    assert_eq!(world.store.changes().epoch(), epoch);
    assert_eq!(world.audit().await, report);
    // Under a clock that was wrong, and once it is right again.
    for minutes in [60 * 24 * 90, 6] {
        let used = [(one.id, of, at(minutes))];
        let noted = world.store.touch_last_used(&used).await;
        noted.expect("noted");
        let key = tenant.key(of, one.id).await.expect("found");
        assert_eq!(key.last_used_at, Some(at(minutes)));
        let used = tenant.service_account(of).await.expect("found");
        assert_eq!(used.last_used_at, Some(at(minutes)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_use_is_noted_beside_writes_that_name_the_key() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let of = world.service_account(&acme, "ci").await.id;
    let key = world.key(&acme.organization, of).await;
    // As the check of a foreign key locks a row.
    let raw = connect(world.database.url()).await;
    let write = raw.begin().await.expect("a transaction");
    for table in ["service_accounts", "access_keys"] {
        let lock = format!("SELECT 1 FROM {table} FOR KEY SHARE");
        write.execute_unprepared(&lock).await.expect("a lock");
    }
    let noted = world.store.touch_last_used(&[(key.id, of, noon())]).await;
    noted.expect("it waits for no such lock");
    write.rollback().await.expect("let go");
}

async fn an_address_belongs_to_one_user(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let other = world.organization("other").await;
    let owner = NewUser {
        id: UserId::from_uuid(uuid::Uuid::from_u128(1)),
        email: EmailAddress::parse("owner@example.com").expect("an address"),
        password_hash: "$argon2id$do-not-show".to_owned(),
        role: "owner".to_owned(),
        email_verified_at: Some(noon()),
    };
    assert!(!format!("{owner:?}").contains("argon2id"));
    let made = world
        .tenant(&acme.organization)
        .by(&world.by())
        .create_user(owner.clone())
        .await
        .expect("a new user");
    assert!(made.is_active && made.email_verified);
    let again = NewUser {
        id: UserId::from_uuid(uuid::Uuid::from_u128(2)),
        ..owner
    };
    for organization in [&acme.organization, &other.organization] {
        let taken = world
            .tenant(organization)
            .by(&world.by())
            .create_user(again.clone())
            .await;
        assert!(matches!(taken, Err(Error::EmailTaken)), "{taken:?}");
    }
}

async fn a_secret_is_sealed_anew_once(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let of = world.service_account(&acme, "ci").await.id;
    let mut keys = Vec::new();
    for _ in 0..3 {
        keys.push(world.key(&acme.organization, of).await);
    }
    keys.sort_by_key(|key| key.id);
    let list = async |current: &str, limit| {
        let list = world.store.list_keys_to_reseal(current, None, limit).await;
        let list = list.expect("a list").into_iter();
        let readable: Vec<_> = list.map(|(_, key)| key.expect("readable")).collect();
        readable
    };
    assert_eq!(list("kek-1", 9).await, []);
    let found = list("kek-2", 2).await;
    assert_eq!(found.len(), 2);
    let (key, before) = &found[0];
    assert_eq!(*key, keys[0]);
    let after = SealedSecret {
        sealing_key_id: "kek-2".to_owned(),
        bytes: b"sealed anew".to_vec(),
    };
    let reseal = || world.store.reseal_key(key.id, before, after.clone());
    reseal().await.expect("sealed anew");
    assert!(matches!(reseal().await, Err(Error::Stale)));
    let found = world.store.find_credential(&key.access_key).await;
    assert_eq!(found.expect("an answer").expect("found").secret, after);
    assert_eq!(list("kek-2", 9).await.len(), 2);
}
