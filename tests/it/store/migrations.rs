//! Migrations: up, down, up again; one process at work at a time.

use std::sync::Arc;

use charter::domain::clock::SystemClock;
use charter::domain::entropy::OsEntropy;
use charter::store::Store;
use sea_orm::ConnectionTrait as _;

use super::world::World;
use crate::services::{TestDatabase, connect};

crate::on_both_engines![
    the_schema_goes_down_and_up_again,
    a_database_ahead_of_the_program_is_left_alone,
];

/// How many are applied, and how many are not; the applied ones come first.
async fn applied(store: &Store) -> (usize, usize) {
    let status = store.migration_status().await.expect("a status");
    let first_pending = status.partition_point(|migration| migration.applied);
    let (applied, pending) = status.split_at(first_pending);
    assert!(pending.iter().all(|migration| !migration.applied));
    (applied.len(), pending.len())
}

async fn the_schema_goes_down_and_up_again(database: TestDatabase) {
    let world = World::on(database).await;
    let (all, pending) = applied(&world.store).await;
    assert!(all >= 4 && pending == 0);
    world.organization("acme").await;
    world.store.migrate_down(1).await.expect("one down");
    assert_eq!(applied(&world.store).await, (all - 1, 1));
    world.store.migrate_down(9).await.expect("all down");
    assert_eq!(applied(&world.store).await, (0, all));
    world.store.migrate_down(1).await.expect("nothing is left");
    world.store.migrate_up().await.expect("up again");
    world.store.migrate_up().await.expect("nothing to do");
    assert_eq!(applied(&world.store).await, (all, 0));
    assert_eq!(world.store.list_organizations().await.expect("a list"), []);
    world.organization("acme").await;
}

async fn a_database_ahead_of_the_program_is_left_alone(database: TestDatabase) {
    let world = World::on(database).await;
    let raw = connect(world.database.url()).await;
    raw.execute_unprepared("INSERT INTO seaql_migrations VALUES ('m29990101_000001_later', 1)")
        .await
        .expect("a later migration");
    world.store.migrate_up().await.expect("nothing to do");
    assert_eq!(applied(&world.store).await.1, 0);
    world.organization("acme").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_database_says_that_all_is_pending() {
    let mut databases = vec![TestDatabase::sqlite()];
    databases.extend(TestDatabase::empty_postgres().await);
    for database in databases {
        let clock = Arc::new(SystemClock::start());
        let store = Store::open(database.config(), clock, Arc::new(OsEntropy)).await;
        let store = store.expect("an open store");
        let (none, all) = applied(&store).await;
        assert_eq!(none, 0);
        store.ping().await.expect("an answer");
        // Side by side within one process, too.
        let (one, two) = tokio::join!(store.migrate_up(), store.migrate_up());
        one.and(two).expect("migrated");
        assert_eq!(applied(&store).await, (all, 0));
        store.close().await;
    }
}
