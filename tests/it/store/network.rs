//! A PostgreSQL server that is far away: connections that end, that fall silent, that are not there yet,
//! and a pooler in between.

use std::sync::Arc;
use std::time::Duration;

use charter_domain::entropy::OsEntropy;
use charter_domain::metadata::Metadata;
use charter_domain::organization::Organization;
use charter_store::{Config, Error, NewAccount, Store};
use sea_orm::{ConnectionTrait as _, Statement, TransactionTrait as _};
use test_support::process::Home;
use test_support::services::pgbouncer::Pooler;
use test_support::services::proxy::{Proxy, Reserved};
use test_support::services::{TestDatabase, connect};
use test_support::stored_tenant::StoredTenant;
use tokio::runtime::Handle;

use super::world::{World, name};

/// A store that reaches the world's database by another way.
async fn store_at(world: &World, url: &str, adjust: impl FnOnce(&mut Config)) -> Store {
    let mut config = world.database.config();
    config.connection.url = url.into();
    config.connection.acquire_timeout = Duration::from_secs(4);
    adjust(&mut config);
    let open = Store::open(config, world.clock.clone(), Arc::new(OsEntropy));
    open.await.expect("an open store")
}

async fn behind_a_proxy(
    adjust: impl FnOnce(&mut Config),
) -> Option<(World, Proxy, Store, Organization)> {
    let world = World::on(TestDatabase::postgres().await?).await;
    let acme = world.organization("acme").await.organization;
    let proxy = Proxy::before(&world.database);
    let store = store_at(&world, proxy.url(), adjust).await;
    Some((world, proxy, store, acme))
}

async fn read(store: &Store) {
    let found = store.find_organization("acme").await;
    found.expect("an organization");
}

/// So many at once that each connection that reads is in use.
async fn read_on_all(store: &Store) {
    tokio::join!(read(store), read(store), read(store));
}

async fn write(world: &World, store: &Store, of: &Organization) -> Result<(), Error> {
    let new = NewAccount {
        name: name("made"),
        metadata: Metadata::default(),
    };
    let tenant = StoredTenant::of(store, of);
    let made = tenant.by(&world.by()).create_account(new).await;
    made.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_restarted_costs_nobody_an_answer() {
    let Some((world, proxy, store, acme)) = behind_a_proxy(|_| {}).await else {
        return;
    };
    for _ in 0..3 {
        read_on_all(&store).await;
        write(&world, &store, &acme).await.expect("written");
        proxy.cut().await;
    }
    read_on_all(&store).await;
    write(&world, &store, &acme).await.expect("written");
    assert_eq!(store.fault(), None);
}

/// A connection that was used a moment ago is not checked before it is used again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_is_repeated_if_the_server_has_closed_its_connection() {
    let unchecked = |config: &mut Config| config.ping_after_idle = Duration::from_hours(1);
    let Some((world, proxy, store, acme)) = behind_a_proxy(unchecked).await else {
        return;
    };
    for _ in 0..3 {
        read_on_all(&store).await;
        proxy.cut().await;
    }
    let server = connect(world.database.url()).await;
    for _ in 0..3 {
        read_on_all(&store).await;
        let all = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        server.execute_unprepared(all).await.expect("thrown out");
    }
    read_on_all(&store).await;
    write(&world, &store, &acme).await.expect("written");
    assert_eq!(store.fault(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_fell_silent_is_closed_and_another_used() {
    let Some((world, proxy, store, acme)) = behind_a_proxy(|_| {}).await else {
        return;
    };
    read_on_all(&store).await;
    write(&world, &store, &acme).await.expect("written");
    proxy.silence().await;
    read_on_all(&store).await;
    write(&world, &store, &acme).await.expect("written");
    assert_eq!(store.fault(), None);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_does_not_come_is_not_waited_for() {
    let hasty = |config: &mut Config| {
        config.connection.acquire_timeout = Duration::from_millis(500);
        config.connection.statement_timeout = Duration::from_secs(2);
    };
    let Some((world, proxy, store, acme)) = behind_a_proxy(hasty).await else {
        return;
    };
    let raw = connect(world.database.url()).await;
    let holder = raw.begin().await.expect("a transaction");
    let lock = "SELECT * FROM organizations FOR UPDATE";
    holder.execute_unprepared(lock).await.expect("a lock");
    // Within a transaction what others do is seen once.
    let outside = connect(world.database.url()).await;
    let (refused, ()) = tokio::join!(write(&world, &store, &acme), async {
        let waits = "SELECT 1 FROM pg_stat_activity \
                     WHERE wait_event_type = 'Lock' AND datname = current_database()";
        let waits = Statement::from_string(outside.get_database_backend(), waits);
        while outside
            .query_one_raw(waits.clone())
            .await
            .expect("a look")
            .is_none()
        {}
        proxy.silence().await;
    });
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    let fault = store.fault().expect("it is told");
    assert!(fault.contains("did not answer"), "{fault}");
    holder.rollback().await.expect("let go");
    write(&world, &store, &acme).await.expect("written");
    assert_eq!(store.fault(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_never_come_back_are_left_to_themselves() {
    let hasty = |config: &mut Config| {
        config.connection.acquire_timeout = Duration::from_millis(500);
        config.connection.statement_timeout = Duration::from_secs(1);
    };
    let Some((world, proxy, store, acme)) = behind_a_proxy(hasty).await else {
        return;
    };
    // Each is given back with a rollback that nobody answers. The server goes on holding the lock, so
    // each is another organization's.
    for number in 0..8 {
        let other = world.organization(&format!("other-{number}")).await;
        let silenced = StoredTenant::of(&store, &other.organization)
            .by(&world.by())
            .update_organization(None, |_| {
                let silence = || Handle::current().block_on(proxy.silence());
                tokio::task::block_in_place(silence);
                Err::<(), _>(Error::Stale)
            })
            .await;
        assert!(matches!(silenced, Err(Error::Stale)), "{silenced:?}");
    }
    let mut refusals = 0;
    while let Err(refused) = write(&world, &store, &acme).await {
        assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
        refusals += 1;
        assert!(refusals < 60, "no connection comes free");
    }
    assert!(refusals > 0, "they came back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_in_session_mode_may_stand_between() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let Some(pooler) = Pooler::before(&database) else {
        return;
    };
    let world = World::on(database).await;
    let acme = world.organization("acme").await.organization;
    let store = store_at(&world, pooler.url(), |config| config.is_server = true).await;
    read_on_all(&store).await;
    write(&world, &store, &acme).await.expect("written");
    // What the sessions set has reached the server.
    let hidden = world.store.migrate_down(1).await;
    assert!(matches!(hidden, Err(Error::InUse)), "{hidden:?}");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_waits_for_its_database_and_says_so() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let reserved = Reserved::before(&database);
    let home = Home::new()
        .with("CHARTER__DATABASE__URL", reserved.url())
        .with("CHARTER__DATABASE__ACQUIRE_TIMEOUT", "200ms")
        .with("CHARTER__DATABASE__START_TIMEOUT", "5m");
    let home = Arc::new(home);
    let starting = Arc::clone(&home);
    let starting = tokio::task::spawn_blocking(move || starting.serve());
    while !home.log().contains("waiting for the database") {
        tokio::task::yield_now().await;
    }
    assert!(!starting.is_finished());
    let proxy = reserved.listen();
    let service = starting.await.expect("it starts");
    service.stop();
    drop(proxy);
}

#[test]
fn a_service_that_need_not_wait_for_its_database_does_not() {
    let home = Home::new()
        .with(
            "CHARTER__DATABASE__URL",
            "postgres://charter@127.0.0.1:1/none",
        )
        .with("CHARTER__DATABASE__ACQUIRE_TIMEOUT", "100ms")
        .with("CHARTER__DATABASE__START_TIMEOUT", "0s");
    let refused = home.refused();
    assert_eq!(refused.code, Some(2));
    let said = "the database cannot be used: the database is unavailable";
    assert!(refused.err.contains(said), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_fell_silent_does_not_hold_up_the_stop() {
    let Some(database) = TestDatabase::empty_postgres().await else {
        return;
    };
    let proxy = Proxy::before(&database);
    // The longest that there are: the stop has a deadline of its own.
    let home = Home::new()
        .with("CHARTER__DATABASE__URL", proxy.url())
        .with("CHARTER__DATABASE__ACQUIRE_TIMEOUT", "1m")
        .with("CHARTER__DATABASE__STATEMENT_TIMEOUT", "5m")
        .with("CHARTER__SERVER__SHUTDOWN_DRAIN", "0s")
        .with("CHARTER__SERVER__SHUTDOWN_GRACE", "1s");
    let service = home.serve();
    proxy.silence_for_good();
    service.terminate();
    let ended = tokio::task::spawn_blocking(move || service.ended()).await;
    let (status, _) = ended.expect("its end");
    let log = home.log();
    assert_eq!(status.code(), Some(0), "{log}");
    let told = log
        .lines()
        .find(|line| line.contains("could not release the database's lease"));
    let told = told.unwrap_or_else(|| panic!("{log}"));
    assert!(told.contains("deadline has elapsed"), "{told}");
}
