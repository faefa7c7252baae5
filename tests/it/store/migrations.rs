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

async fn applied(store: &Store) -> Vec<bool> {
    let status = store.migration_status().await.expect("a status");
    status.iter().map(|migration| migration.applied).collect()
}

async fn the_schema_goes_down_and_up_again(database: TestDatabase) {
    let world = World::on(database).await;
    assert_eq!(applied(&world.store).await, [true, true, true, true]);
    world.organization("acme").await;
    world.store.migrate_down(1).await.expect("one down");
    assert_eq!(applied(&world.store).await, [true, true, true, false]);
    world.store.migrate_down(9).await.expect("all down");
    assert_eq!(applied(&world.store).await, [false, false, false, false]);
    world.store.migrate_down(1).await.expect("nothing is left");
    world.store.migrate_up().await.expect("up again");
    world.store.migrate_up().await.expect("nothing to do");
    assert_eq!(applied(&world.store).await, [true, true, true, true]);
    assert!(
        world
            .store
            .list_organizations()
            .await
            .expect("a list")
            .is_empty()
    );
    world.organization("acme").await;
}

async fn a_database_ahead_of_the_program_is_left_alone(database: TestDatabase) {
    let world = World::on(database).await;
    let raw = connect(world.database.url()).await;
    raw.execute_unprepared("INSERT INTO seaql_migrations VALUES ('m29990101_000001_later', 1)")
        .await
        .expect("a later migration");
    world.store.migrate_up().await.expect("nothing to do");
    assert_eq!(applied(&world.store).await, [true, true, true, true]);
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
        assert_eq!(applied(&store).await, [false, false, false, false]);
        store.ping().await.expect("an answer");
        // Side by side within one process, too.
        let (one, two) = tokio::join!(store.migrate_up(), store.migrate_up());
        one.and(two).expect("migrated");
        assert_eq!(applied(&store).await, [true, true, true, true]);
        store.close().await;
    }
}
