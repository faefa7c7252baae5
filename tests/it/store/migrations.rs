//! Migrations: up, down, up again; one process at work at a time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use charter_domain::clock::SystemClock;
use charter_domain::entropy::OsEntropy;
use charter_store::{Config, Error, NewOrganization, Store};
use futures_util::FutureExt as _;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, QueryResult, Statement};
use test_support::services::{TestDatabase, connect};

use super::world::{World, name};

test_support::on_both_engines![
    the_schema_goes_down_and_up_again,
    a_database_ahead_of_the_program_is_refused,
    a_database_ahead_that_lets_the_program_run_is_not,
    this_version_says_what_it_needs,
    a_schema_is_not_taken_back_beside_a_server,
    names_of_organizations_from_before_are_kept,
];

/// How many migrations are applied, and how many pending.
async fn applied(store: &Store) -> (usize, usize) {
    let status = store.migration_status().await.expect("a status");
    let applied = status.iter().filter(|migration| migration.applied).count();
    (applied, status.len() - applied)
}

async fn the_schema_goes_down_and_up_again(database: TestDatabase) {
    let world = World::on(database).await;
    let (all, pending) = applied(&world.store).await;
    assert_eq!(pending, 0);
    world.organization("acme").await;
    world.store.migrate_down(1).await.expect("one down");
    assert_eq!(applied(&world.store).await, (all - 1, 1));
    world.store.migrate_down(99).await.expect("all down");
    assert_eq!(applied(&world.store).await, (0, all));
    world.store.migrate_down(1).await.expect("nothing is left");
    world.store.migrate_up().await.expect("up again");
    world.store.migrate_up().await.expect("nothing to do");
    assert_eq!(applied(&world.store).await, (all, 0));
    let organizations = world.store.list_organizations().await;
    assert_eq!(organizations.expect("a list").len(), 0);
    world.organization("acme").await;
}

async fn a_database_ahead_of_the_program_is_refused(database: TestDatabase) {
    let world = World::on(database).await;
    let raw = connect(world.database.url()).await;
    raw.execute_unprepared("INSERT INTO seaql_migrations VALUES ('m29990101_000001_later', 1)")
        .await
        .expect("a later migration");
    for refused in [
        world.store.migrate_up().await,
        world.store.migrate_down(1).await,
        world.store.migration_status().await.map(drop),
    ] {
        let newer = matches!(&refused, Err(Error::SchemaTooNew(name)) if name.contains("later"));
        assert!(newer, "{refused:?}");
    }
    world.organization("acme").await;
}

const LATER: &str = "m29990101_000001_later";

/// A migration of a later version, which needs another or does not say what it needs.
async fn migrated_later(world: &World, name: &str, needs: Option<&str>) {
    let raw = connect(world.database.url()).await;
    let applied = format!("INSERT INTO seaql_migrations VALUES ('{name}', 1)");
    let declared = needs.map(|needs| {
        format!("INSERT INTO compatible_migrations (name, needs) VALUES ('{name}', '{needs}')")
    });
    for statement in [Some(applied), declared].into_iter().flatten() {
        let done = raw.execute_unprepared(&statement).await;
        done.unwrap_or_else(|error| panic!("`{statement}`: {error}"));
    }
}

async fn a_database_ahead_that_lets_the_program_run_is_not(database: TestDatabase) {
    let world = World::on(database).await;
    let own = world.store.migration_status().await.expect("a status");
    for needed in [&own[0], own.last().expect("one")] {
        let name = format!("{LATER}_than_{}", needed.name);
        migrated_later(&world, &name, Some(&needed.name)).await;
    }
    let status = world.store.migration_status().await.expect("a status");
    assert_eq!(status[..own.len()], own);
    let later = &status[own.len()..];
    assert_eq!(later.len(), 2);
    assert!(later.iter().all(|one| one.applied && !one.known));
    world.store.migrate_up().await.expect("nothing to do");
    world.organization("acme").await;
    let is_too_new = |refused: Result<(), Error>| match refused {
        Err(Error::SchemaTooNew(name)) => name,
        other => panic!("{other:?}"),
    };
    // Only the later version knows how.
    assert_eq!(is_too_new(world.store.migrate_down(1).await), later[0].name);
    let raw = connect(world.database.url()).await;
    let forget = format!(
        "DELETE FROM seaql_migrations WHERE version = '{}'",
        own[3].name
    );
    raw.execute_unprepared(&forget).await.expect("forgotten");
    assert_eq!(is_too_new(world.store.migrate_up().await), later[0].name);
    // It needs a migration that this program does not have, or one does not say what it needs.
    let missing = format!("{LATER}_too");
    migrated_later(&world, &missing, Some(LATER)).await;
    let refused = world.store.migration_status().await.map(drop);
    assert_eq!(is_too_new(refused), missing);
    let raw = connect(world.database.url()).await;
    let withdrawn = format!(
        "DELETE FROM compatible_migrations WHERE name = '{}'",
        later[0].name
    );
    raw.execute_unprepared(&withdrawn).await.expect("withdrawn");
    let refused = world.store.migration_status().await.map(drop);
    assert_eq!(is_too_new(refused), later[0].name);
}

async fn this_version_says_what_it_needs(database: TestDatabase) {
    let world = World::on(database).await;
    let raw = connect(world.database.url()).await;
    let declared = "SELECT name || ' needs ' || needs FROM compatible_migrations ORDER BY name";
    let declared = Statement::from_string(raw.get_database_backend(), declared);
    let rows = raw.query_all_raw(declared).await.expect("rows");
    let rows = rows.iter().map(|row| row.try_get_by_index(0));
    let rows: Vec<String> = rows.collect::<Result<_, _>>().expect("texts");
    assert_eq!(
        rows,
        [
            "m20261130_000018_compatible_migrations needs m20261130_000017_replica_keys",
            "m20261130_000019_lookup_indexes needs m20261130_000018_compatible_migrations",
        ]
    );
    // Each declaration names migrations that there are.
    let status = world.store.migration_status().await.expect("a status");
    for name in rows.iter().flat_map(|row| row.split(" needs ")) {
        assert!(status.iter().any(|one| one.name == name), "{name}");
    }
}

async fn a_schema_is_not_taken_back_beside_a_server(database: TestDatabase) {
    let world = World::on(database).await;
    let server = Config {
        is_server: true,
        ..world.database.config()
    };
    let open = Store::open(server, world.clock.clone(), Arc::new(OsEntropy));
    let server = open.await.expect("an open store");
    let refused = world.store.migrate_down(1).await;
    assert!(matches!(refused, Err(Error::InUse)), "{refused:?}");
    assert_eq!(applied(&world.store).await.1, 0);
    server.close().await;
    drop(server);
    // PostgreSQL's process outlives its connection by a moment.
    let mut reverted = world.store.migrate_down(1).await;
    for _ in 0..500 {
        if !matches!(reverted, Err(Error::InUse)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        reverted = world.store.migrate_down(1).await;
    }
    reverted.expect("nobody is there");
}

async fn names_of_organizations_from_before_are_kept(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await.organization;
    let raw = connect(world.database.url()).await;
    // As it was before there was one name space.
    for statement in [
        "DROP TABLE organization_names".to_owned(),
        "DROP TABLE key_checks".to_owned(),
        "DELETE FROM seaql_migrations WHERE version LIKE '%names_and_keys'".to_owned(),
    ] {
        let done = raw.execute_unprepared(&statement).await;
        done.unwrap_or_else(|error| panic!("`{statement}`: {error}"));
    }
    world.store.migrate_up().await.expect("migrated");
    for taken in ["acme", acme.code.as_str()] {
        let new = NewOrganization {
            name: name("Other"),
            slug: taken.parse().expect("a slug"),
        };
        let refused = world.store.create_organization(new, &world.by()).await;
        assert!(matches!(refused, Err(Error::SlugTaken)), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_database_says_that_all_is_pending() {
    let mut databases = vec![TestDatabase::sqlite()];
    databases.extend(TestDatabase::empty_postgres().await);
    for database in databases {
        let clock = Arc::new(SystemClock::start());
        let store = Store::open(database.config(), clock, Arc::new(OsEntropy)).await;
        let store = store.expect("an open store");
        assert_eq!(applied(&store).await.0, 0);
        store.ping().await.expect("an answer");
        // Side by side within one process, too.
        let (one, two) = tokio::join!(store.migrate_up(), store.migrate_up());
        one.and(two).expect("migrated");
        assert_eq!(applied(&store).await.1, 0);
        store.close().await;
    }
}

const LOCK: u64 = 27_980_790_435_702_130;

async fn query(connection: &DatabaseConnection, sql: &str) -> Vec<QueryResult> {
    let statement = Statement::from_string(DbBackend::Postgres, sql);
    connection.query_all_raw(statement).await.expect("rows")
}

/// Migrates while another session holds the migrations' lock: until three attempts have waited, and one of them for
/// longer than a second.
async fn migrated_beside_a_lock(
    database: &TestDatabase,
    migrated: impl Future<Output = Result<(), Error>>,
) -> Result<(), Error> {
    let other = connect(database.url()).await;
    query(&other, &format!("SELECT pg_advisory_lock({LOCK})")).await;
    let release = async {
        let (mut waiting, mut was_long) = (BTreeSet::new(), false);
        while waiting.len() < 3 || !was_long {
            let waits = "SELECT virtualtransaction, clock_timestamp() - waitstart > interval '1100 ms' FROM pg_locks
                 WHERE locktype = 'advisory' AND NOT granted AND waitstart IS NOT NULL
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
            for row in query(&other, waits).await {
                let wait: (String, bool) = row.try_get_many_by_index().expect("a wait");
                waiting.insert(wait.0);
                was_long |= wait.1;
            }
        }
        query(&other, &format!("SELECT pg_advisory_unlock({LOCK})")).await;
        Ok(())
    };
    tokio::try_join!(migrated, release).map(drop)
}

/// Whoever waits for a lock keeps all others waiting who come after it. But PostgreSQL cancels an autovacuum only for
/// one who has waited for a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_gives_way_and_tries_again() {
    let Some(database) = TestDatabase::empty_postgres().await else {
        return;
    };
    let clock = Arc::new(SystemClock::start());
    let store = Store::open(database.config(), clock, Arc::new(OsEntropy)).await;
    let store = store.expect("an open store");
    let migrated = migrated_beside_a_lock(&database, store.migrate_up()).await;
    migrated.expect("it goes on until the lock is free");
    let (all, pending) = applied(&store).await;
    assert_eq!(pending, 0);
    let reverted = migrated_beside_a_lock(&database, store.migrate_down(1)).await;
    reverted.expect("so does the way back");
    assert_eq!(applied(&store).await, (all - 1, 1));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_does_not_wait_for_a_database_that_is_away() {
    let Some(database) = TestDatabase::empty_postgres().await else {
        return;
    };
    let clock = Arc::new(SystemClock::start());
    let store = Store::open(database.config(), clock, Arc::new(OsEntropy)).await;
    let store = store.expect("an open store");
    store.close().await;
    // Not even until the next attempt.
    let refused = store.migrate_up().now_or_never();
    assert!(
        matches!(refused, Some(Err(Error::Unavailable(_)))),
        "{refused:?}"
    );
}
