//! When things go wrong underneath: refused values, waits without end, callers that give up.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use charter_domain::clock::SystemClock;
use charter_domain::entropy::OsEntropy;
use charter_domain::page::ResourceOrder;
use charter_domain::text::{Description, Name};
use charter_store::{Error, NewAccount, NewServiceAccount, Store};
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
use test_support::services::{TestDatabase, connect};

use super::world::{World, first_page, name, new_service_account};

test_support::on_both_engines![
    no_text_with_a_nul_is_stored,
    a_write_that_is_given_up_is_whole_or_absent,
];

async fn no_text_with_a_nul_is_stored(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let tenant = world.tenant(&acme.organization);
    let before = world.audit().await;
    // No door lets one through; this is the wall behind it.
    let named = NewServiceAccount {
        name: Name::from_stored("a\0b".to_owned()),
        ..new_service_account(&acme, "ci")
    };
    let described = NewServiceAccount {
        description: Description::from_stored("a\0b".to_owned()),
        ..new_service_account(&acme, "ci")
    };
    for new in [named, described] {
        let refused = tenant.by(&world.by()).create_service_account(new).await;
        assert!(matches!(refused, Err(Error::Unexpected(_))), "{refused:?}");
    }
    assert_eq!(world.audit().await, before);
}

/// Polls the future that often and then drops it.
async fn given_up_after<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

async fn a_write_that_is_given_up_is_whole_or_absent(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let tenant = world.tenant(&acme.organization);
    let (mut attempts, mut acknowledged) = (0, Vec::new());
    for polls in (0..400).map(|round| round % 40) {
        let new = NewAccount {
            name: name("maybe"),
            metadata: charter_domain::metadata::Metadata::default(),
        };
        attempts += 1;
        if let Some(made) = given_up_after(tenant.by(&world.by()).create_account(new), polls).await
        {
            acknowledged.push(made.expect("a new account").id);
        }
    }
    assert!(!acknowledged.is_empty(), "no write got through");
    for id in &acknowledged {
        tenant
            .account(*id)
            .await
            .expect("what was acknowledged is there");
    }
    let list = tenant
        .list_accounts(first_page(ResourceOrder::Name), true)
        .await;
    let total = list.expect("a list").total;
    assert!(
        total <= attempts + 1 && total > acknowledged.len() as u64,
        "{total}"
    );
    let report = world.audit().await;
    assert_eq!((report.findings.len(), report.events), (0, total + 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_for_a_lock_on_postgres_ends() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let mut config = database.config();
    config.connection.statement_timeout = Duration::from_millis(100);
    let world = World::on(database).await;
    let acme = world.organization("acme").await.organization;
    let hasty = Store::open(config, world.clock.clone(), Arc::new(OsEntropy)).await;
    let hasty = hasty.expect("an open store");
    let holder = connect(world.database.url()).await;
    let held = holder.begin().await.expect("a transaction");
    held.execute_unprepared("SELECT * FROM organizations FOR UPDATE")
        .await
        .expect("a lock");
    let refused = hasty.reactivate_organization(acme.id, &world.by()).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    held.rollback().await.expect("let go");
    let after = hasty.reactivate_organization(acme.id, &world.by()).await;
    assert_eq!(after.expect("free again"), acme);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_is_unavailable_once() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let world = World::on(database).await;
    let acme = world.organization("acme").await.organization;
    let tenant = world.tenant(&acme);
    let others = connect(world.database.url()).await;
    others
        .execute_unprepared(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await
        .expect("all thrown out");
    // Idle connections are found dead when they are used; each refusal costs one of them.
    let mut refusals = 0;
    loop {
        match tenant.organization().await {
            Ok(found) => break assert_eq!(found, acme),
            Err(Error::Unavailable(_)) => refusals += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(refusals <= 3, "{refusals}");
    world.organization("other").await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let database = TestDatabase::sqlite();
    let mut config = database.config();
    config.connection.url = "postgres://charter@127.0.0.1:1/charter".into();
    config.connection.acquire_timeout = Duration::from_millis(200);
    let refused = Store::open(config, Arc::new(SystemClock::start()), Arc::new(OsEntropy)).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn a_busy_writer_on_sqlite_is_unavailable() {
    let world = World::on(TestDatabase::sqlite()).await;
    let acme = world.organization("acme").await.organization;
    let mut config = world.database.config();
    config.connection.acquire_timeout = Duration::from_millis(100);
    let store = Store::open(config, world.clock.clone(), Arc::new(OsEntropy)).await;
    let store = store.expect("an open store");
    let holder = connect(world.database.url()).await;
    holder
        .execute_unprepared("BEGIN IMMEDIATE")
        .await
        .expect("the write lock");
    let by = world.by();
    // The first waits for the file, the second for the first; neither for ever, and reads for none.
    let first = store.reactivate_organization(acme.id, &by);
    let second = store.reactivate_organization(acme.id, &by);
    let (first, second) = tokio::join!(first, second);
    for refused in [first, second] {
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    }
    assert_eq!(store.find_organization("acme").await.expect("found"), acme);
}

#[tokio::test]
async fn an_answer_that_rests_on_another_write_waits_for_its_commit() {
    let world = World::on(TestDatabase::sqlite()).await;
    let acme = world.organization("acme").await;
    let ci = world.service_account(&acme, "ci").await;
    let key = world.key(&acme.organization, ci.id).await;
    let tenant = world.tenant(&acme.organization);
    let by = world.by();
    let writer = tenant.by(&by);
    let path = world.database.directory().join("charter.db");
    let away = path.with_extension("away");
    // The last one of those that share a commit makes it fail.
    let fails = writer.update_organization(None, |_| {
        std::fs::rename(&path, &away).expect("moved");
        Ok::<_, Error>(())
    });
    let revoke = || writer.revoke_key(ci.id, key.id);
    let (first, again, last) = tokio::join!(revoke(), revoke(), fails);
    for outcome in [first, again, last.map(drop)] {
        assert!(matches!(outcome, Err(Error::Unavailable(_))), "{outcome:?}");
    }
    std::fs::rename(&away, &path).expect("put back");
    let found = tenant.key(ci.id, key.id).await.expect("the key");
    assert_eq!(found.revoked_at, None);
    revoke().await.expect("revoked");
    revoke().await.expect("still revoked");
}
