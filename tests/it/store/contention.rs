//! One tenant's crowd does not keep another one waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use charter_domain::page::ResourceOrder;
use charter_store::NewAccount;
use sea_orm::prelude::Uuid;
use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, Statement, TransactionTrait as _,
};
use test_support::polling::until;
use test_support::services::{TestDatabase, connect};
use test_support::stored_tenant::scope_of;
use tokio::task::JoinSet;

use super::world::{Organized, World, first_page, metadata, name};

fn account() -> NewAccount {
    NewAccount {
        name: name("Workspace"),
        metadata: metadata(serde_json::json!({})),
    }
}

async fn waiting_for_a_lock(raw: &DatabaseConnection) -> i64 {
    let text = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let statement = Statement::from_string(raw.get_database_backend(), text);
    let row = raw.query_one_raw(statement).await.expect("an answer");
    row.expect("a row").try_get_by_index(0).expect("a number")
}

/// How many of one tenant's requests come at once.
const CROWD: usize = 30;

/// Two tenants, a transaction that takes the lock that one of them will wait for, and who sees that.
struct Contended {
    world: World,
    acme: Organized,
    other: Organized,
    held: DatabaseTransaction,
    watcher: DatabaseConnection,
}

impl Contended {
    /// `None` without PostgreSQL.
    async fn on_postgres() -> Option<Self> {
        let world = World::on(TestDatabase::postgres().await?).await;
        let holder = connect(world.database.url()).await;
        Some(Self {
            acme: world.organization("acme").await,
            other: world.organization("other").await,
            held: holder.begin().await.expect("begun"),
            watcher: connect(world.database.url()).await,
            world,
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_write_while_a_tenants_writes_wait_for_its_lock() {
    let Some(Contended {
        world,
        acme,
        other,
        held,
        watcher,
    }) = Contended::on_postgres().await
    else {
        return;
    };
    held.execute_unprepared("SELECT id FROM organizations WHERE slug = 'acme' FOR UPDATE")
        .await
        .expect("locked");
    let ended = Arc::new(AtomicUsize::new(0));
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        let (store, ended, by) = (world.store.clone(), ended.clone(), world.by());
        let scope = scope_of(&acme.organization);
        crowd.spawn(async move {
            let made = store
                .write_within(scope, by)
                .create_account(account())
                .await;
            ended.fetch_add(1, Ordering::SeqCst);
            made
        });
    }
    until("two wait", async || waiting_for_a_lock(&watcher).await >= 2).await;
    let tenant = world.tenant(&other.organization);
    for _ in 0..5 {
        let made = tenant.by(&world.by()).create_account(account()).await;
        made.expect("the other tenant's account");
    }
    assert_eq!(ended.load(Ordering::SeqCst), 0, "it waited for the crowd");
    assert_eq!(waiting_for_a_lock(&watcher).await, 2);
    held.rollback().await.expect("given back");
    for made in crowd.join_all().await {
        made.expect("an account, in its turn");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_read_while_a_tenants_lists_hold_all_that_it_may() {
    let Some(Contended {
        world,
        acme,
        other,
        held,
        watcher,
    }) = Contended::on_postgres().await
    else {
        return;
    };
    held.execute_unprepared("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE")
        .await
        .expect("locked");
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        let store = world.store.clone();
        let scope = scope_of(&acme.organization);
        crowd.spawn(async move {
            store
                .within(scope)
                .list_accounts(first_page(ResourceOrder::Name), false)
                .await
        });
    }
    until("two wait", async || waiting_for_a_lock(&watcher).await >= 2).await;
    let tenant = world.tenant(&other.organization);
    for _ in 0..5 {
        tenant.organization().await.expect("the other tenant's row");
    }
    assert_eq!(waiting_for_a_lock(&watcher).await, 2);
    held.rollback().await.expect("given back");
    for page in crowd.join_all().await {
        page.expect("a page, in its turn");
    }
}

#[tokio::test]
async fn turns_to_write_go_round_the_organizations_on_sqlite() {
    let world = World::on(TestDatabase::sqlite()).await;
    let acme = world.organization("acme").await.organization;
    let other = world.organization("other").await.organization;
    let mut tasks = JoinSet::new();
    // On one thread each task goes on until it waits, in this order.
    for organization in std::iter::repeat_n(&acme, CROWD).chain([&other]) {
        let (store, scope, by) = (world.store.clone(), scope_of(organization), world.by());
        tasks.spawn(async move {
            let tenant = store.write_within(scope, by);
            tenant.create_account(account()).await
        });
    }
    for made in tasks.join_all().await {
        made.expect("an account");
    }
    let raw = connect(world.database.url()).await;
    let text = "SELECT organization_id FROM accounts WHERE NOT is_default ORDER BY rowid";
    let statement = Statement::from_string(raw.get_database_backend(), text);
    let rows = raw.query_all_raw(statement).await.expect("rows");
    let whose = |row: &sea_orm::QueryResult| row.try_get_by_index::<Uuid>(0).expect("an id");
    let order: Vec<_> = rows.iter().map(whose).collect();
    assert_eq!(order.len(), CROWD + 1);
    let place = order.iter().position(|id| *id == other.id.uuid());
    // Two of the crowd were before it in the line.
    assert_eq!(place, Some(2));
}
