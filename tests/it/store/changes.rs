//! What other processes have changed is seen, and nothing is relied on while it cannot be.

use std::sync::Arc;
use std::time::Duration;

use charter_domain::clock::SystemClock;
use charter_domain::entropy::OsEntropy;
use charter_domain::organization::Organization;
use charter_store::{Error, Store};
use sea_orm::{ConnectionTrait as _, Statement, TransactionTrait as _};
use test_support::polling;
use test_support::services::proxy::Proxy;
use test_support::services::{TestDatabase, connect};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::world::{World, name};

test_support::on_both_engines![
    another_process_write_is_seen,
    changes_without_an_organization_reach_all,
    a_new_organization_concerns_nobody_else,
    rows_that_all_have_seen_are_deleted,
];

/// A store that follows what others change, until it is dropped.
pub(super) struct Follower {
    pub(super) store: Arc<Store>,
    /// Ends it with this.
    _tasks: JoinSet<()>,
}

impl Follower {
    pub(super) async fn at(world: &World, url: &str) -> Self {
        let mut config = world.database.config();
        config.connection.url = url.into();
        let store = Store::open(config, Arc::new(SystemClock::start()), Arc::new(OsEntropy));
        Self::over(Arc::new(store.await.expect("an open store")))
    }

    pub(super) fn over(store: Arc<Store>) -> Self {
        let (following, stopped) = (Arc::clone(&store), CancellationToken::new());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { following.follow_changes(stopped).await });
        Self {
            store,
            _tasks: tasks,
        }
    }

    pub(super) fn is_unchanged(&self, organization: &Organization, since: u64) -> bool {
        let changes = self.store.changes();
        changes.is_unchanged(organization.id, since)
    }

    /// The epoch of a row that is read now, once the lease has begun.
    pub(super) async fn epoch(&self, organization: &Organization) -> u64 {
        until(|| self.is_unchanged(organization, self.store.changes().epoch())).await;
        self.store.changes().epoch()
    }
}

pub(super) async fn until(is_so: impl Fn() -> bool) {
    polling::until("the feed has seen it", async || is_so()).await;
}

pub(super) async fn rename(world: &World, organization: &Organization, to: &str) {
    let tenant = world.tenant(organization);
    tenant
        .by(&world.by())
        .update_organization(None, |it| {
            it.name = name(to);
            Ok::<_, Error>(())
        })
        .await
        .expect("updated");
}

async fn another_process_write_is_seen(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await.organization;
    let other = world.organization("other").await.organization;
    let follower = Follower::at(&world, world.database.url()).await;
    let epoch = follower.epoch(&acme).await;
    rename(&world, &acme, "Acme Two").await;
    until(|| !follower.is_unchanged(&acme, epoch) && follower.is_unchanged(&other, epoch)).await;
    let epoch = follower.epoch(&acme).await;
    rename(&world, &other, "Other Two").await;
    until(|| !follower.is_unchanged(&other, epoch) && follower.is_unchanged(&acme, epoch)).await;
}

async fn changes_without_an_organization_reach_all(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await.organization;
    let follower = Follower::at(&world, world.database.url()).await;
    let epoch = follower.epoch(&acme).await;
    let raw = connect(world.database.url()).await;
    // As the documents tell whoever changes rows by hand.
    let by_hand = "INSERT INTO changes (organization_id) VALUES (NULL)";
    raw.execute_unprepared(by_hand).await.expect("a row");
    until(|| !follower.is_unchanged(&acme, epoch)).await;
    follower.epoch(&acme).await;
}

/// Strangers make them.
async fn a_new_organization_concerns_nobody_else(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await.organization;
    let other = world.organization("other").await.organization;
    let here = Follower::over(Arc::clone(&world.store));
    let there = Follower::at(&world, world.database.url()).await;
    let epochs = [here.epoch(&acme).await, there.epoch(&acme).await];
    let made = world.organization("made").await.organization;
    rename(&world, &other, "Other Two").await;
    until(|| !there.is_unchanged(&other, epochs[1])).await;
    for (follower, epoch) in [&here, &there].into_iter().zip(epochs) {
        until(|| follower.is_unchanged(&acme, epoch)).await;
        assert!(!follower.is_unchanged(&other, epoch));
        assert!(!follower.is_unchanged(&made, epoch));
    }
}

async fn rows_that_all_have_seen_are_deleted(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await.organization;
    let follower = Follower::over(Arc::clone(&world.store));
    let epoch = follower.epoch(&acme).await;
    let raw = connect(world.database.url()).await;
    let count = async || {
        let text = "SELECT count(*) AS rows FROM changes";
        let count = Statement::from_string(raw.get_database_backend(), text);
        let row = raw.query_one_raw(count).await.expect("a count");
        let rows: i64 = row.expect("a row").try_get("", "rows").expect("a number");
        rows
    };
    assert!(count().await > 0);
    for round in 0.. {
        if count().await == 0 {
            break;
        }
        assert!(round < 100, "they are kept");
        world.clock.advance(70);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Who has not looked for so long cannot know what was deleted.
    until(|| !follower.is_unchanged(&acme, epoch)).await;
    follower.epoch(&acme).await;
    rename(&world, &acme, "Acme Two").await;
    assert_eq!(count().await, 1);
}

/// Numbers are given in another order than commits happen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_commits_are_seen() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let world = World::on(database).await;
    let acme = world.organization("acme").await.organization;
    let other = world.organization("other").await.organization;
    let raw = connect(world.database.url()).await;
    let late = raw.begin().await.expect("a transaction");
    let insert = format!(
        "INSERT INTO changes (organization_id) VALUES ('{}')",
        acme.id.uuid()
    );
    late.execute_unprepared(&insert).await.expect("a row");
    let follower = Follower::at(&world, world.database.url()).await;
    for number in 0..50 {
        let epoch = follower.epoch(&acme).await;
        rename(&world, &other, &format!("Other {number}")).await;
        if number % 10 == 9 {
            until(|| !follower.is_unchanged(&other, epoch)).await;
        }
        assert!(follower.is_unchanged(&acme, epoch));
    }
    let epoch = follower.epoch(&acme).await;
    late.commit().await.expect("committed");
    until(|| !follower.is_unchanged(&acme, epoch) && follower.is_unchanged(&other, epoch)).await;
}

/// A transaction that is open somewhere on the server, in whichever database, makes the next look begin before rows
/// that were there at the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_before_the_first_poll_are_not_reported() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let raw = connect(database.url()).await;
    let open = raw.begin().await.expect("a transaction");
    let id = "SELECT pg_current_xact_id()";
    open.execute_unprepared(id).await.expect("an id");
    let world = World::on(database).await;
    let acme = world.organization("acme").await.organization;
    let other = world.organization("other").await.organization;
    let follower = Follower::at(&world, world.database.url()).await;
    let epoch = follower.epoch(&acme).await;
    rename(&world, &other, "Other Two").await;
    until(|| !follower.is_unchanged(&other, epoch)).await;
    until(|| follower.is_unchanged(&acme, epoch)).await;
    open.rollback().await.expect("rolled back");
}

/// However long it stays open, whatever database of the server it is in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_transaction_keeps_no_rows_from_being_deleted() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let raw = connect(database.url()).await;
    let open = raw.begin().await.expect("a transaction");
    let id = "SELECT pg_current_xact_id()";
    open.execute_unprepared(id).await.expect("an id");
    rows_that_all_have_seen_are_deleted(database).await;
    drop(open);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_relied_on_while_the_database_is_silent() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let world = World::on(database).await;
    let acme = world.organization("acme").await.organization;
    let other = world.organization("other").await.organization;
    let proxy = Proxy::before(&world.database);
    let follower = Follower::at(&world, proxy.url()).await;
    for round in 0..3 {
        let epoch = follower.epoch(&other).await;
        if round == 0 {
            proxy.cut().await;
        } else {
            proxy.silence().await;
        }
        rename(&world, &acme, &format!("Acme {round}")).await;
        until(|| !follower.is_unchanged(&acme, epoch)).await;
        // Another connection may lead to another server, which never had what was read.
        follower.epoch(&other).await;
        assert!(!follower.is_unchanged(&acme, epoch) && !follower.is_unchanged(&other, epoch));
    }
}
