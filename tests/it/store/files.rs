//! What a SQLite store leaves on disk, and what it refuses to work with.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use charter_domain::clock::SystemClock;
use charter_domain::entropy::OsEntropy;
use charter_store::{AuditKey, Config, Error, Store};
use test_support::services::TestDatabase;

use super::world::World;

async fn open(config: Config) -> Result<Store, Error> {
    Store::open(config, Arc::new(SystemClock::start()), Arc::new(OsEntropy)).await
}

#[tokio::test]
async fn its_files_are_its_owners_alone() {
    let world = World::on(TestDatabase::sqlite()).await;
    world.organization("acme").await;
    let files = std::fs::read_dir(world.database.directory()).expect("a directory");
    let mut names = Vec::new();
    for file in files {
        let file = file.expect("a file");
        let mode = file.metadata().expect("its mode").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.file_name());
        names.push(file.file_name());
    }
    names.sort();
    assert_eq!(
        names,
        [
            "audit-heads.jsonl",
            "charter.db",
            "charter.db-shm",
            "charter.db-wal"
        ]
    );
}

#[tokio::test]
async fn nothing_is_written_while_one_of_them_is_elsewhere() {
    let world = World::on(TestDatabase::sqlite()).await;
    let acme = world.organization("acme").await.organization;
    let by = world.by();
    let write = async || world.store.reactivate_organization(acme.id, &by).await;
    write().await.expect("written");
    for name in ["charter.db", "charter.db-wal", "charter.db-shm"] {
        let path = world.database.directory().join(name);
        let away = path.with_extension("away");
        std::fs::rename(&path, &away).expect("moved");
        for other in [None, Some("another file")] {
            if let Some(text) = other {
                std::fs::write(&path, text).expect("written");
            }
            let refused = write().await;
            assert!(
                matches!(refused, Err(Error::Unavailable(_))),
                "{name}: {refused:?}"
            );
            let fault = world.store.fault().expect(name);
            assert!(fault.contains(name), "{fault}");
        }
        std::fs::rename(&away, &path).expect("put back");
        write().await.expect("written again");
        assert_eq!(world.store.fault(), None, "{name}");
    }
    let path = world.database.directory().join("charter.db");
    std::fs::remove_file(path).expect("removed");
    write().await.expect_err("nowhere to write to");
}

#[tokio::test]
async fn a_file_that_is_missing_is_made_only_where_that_is_wanted() {
    let database = TestDatabase::sqlite();
    let path = database.directory().join("charter.db");
    let missing = Config {
        may_create: false,
        ..database.config()
    };
    match open(missing).await {
        Err(Error::Setup(said)) => assert!(said.contains("charter.db"), "{said}"),
        other => panic!("{other:?}"),
    }
    assert!(!path.exists());
    open(database.config()).await.expect("a new one");
    assert!(path.exists());
}

#[tokio::test]
async fn settings_that_cannot_work_are_named() {
    let database = TestDatabase::sqlite();
    let said = async |config: Config| match open(config).await {
        Err(Error::Setup(said)) => said,
        other => panic!("{other:?}"),
    };
    for (url, expected) in [
        ("mysql://localhost/charter", "`mysql`"),
        ("charter.db", "`charter.db`"),
        ("sqlite::memory:", "a file"),
        ("sqlite:///nowhere/at/all/charter.db", "`/nowhere/at/all`"),
        ("postgres://user:hunter2@host:port/", "malformed"),
    ] {
        let mut config = database.config();
        config.connection.url = url.into();
        let said = said(config).await;
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let audit_keys = vec![];
    assert!(
        said(Config {
            audit_keys,
            ..database.config()
        })
        .await
        .contains("audit key")
    );
    let audit_keys = vec![AuditKey {
        id: "short".to_owned(),
        secret: vec![1; 31].into(),
    }];
    assert!(
        said(Config {
            audit_keys,
            ..database.config()
        })
        .await
        .contains("`short`")
    );
    let audit_heads = Some("/nowhere/heads".into());
    assert!(
        said(Config {
            audit_heads,
            ..database.config()
        })
        .await
        .contains("/nowhere/heads")
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let database = TestDatabase::sqlite();
    let path = database.directory().join("charter.db");
    std::fs::write(
        &path,
        "not a database, and longer than a header of one hundred bytes ".repeat(9),
    )
    .expect("a file");
    let refused = open(database.config()).await;
    assert!(matches!(refused, Err(Error::Corrupt(_))), "{refused:?}");
}

#[tokio::test]
async fn everything_is_there_after_a_new_start() {
    let world = World::on(TestDatabase::sqlite()).await;
    let acme = world.organization("acme").await.organization;
    let again = World::on_existing(&world.database).await;
    let found = again.find_organization("acme").await.expect("found");
    assert_eq!(found, acme);
    again.close().await;
    let mode = std::fs::metadata(world.database.directory().join("charter.db"));
    assert_eq!(mode.expect("the file").permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_closed_store_is_one_file() {
    let world = World::on(TestDatabase::sqlite()).await;
    world.organization("acme").await;
    let place = world.database.directory();
    // Another process has it open: the file holds everything all the same.
    let other = World::on_existing(&world.database).await;
    world.store.close().await;
    let copies = TestDatabase::sqlite();
    let copy = copies.directory().join("charter.db");
    std::fs::copy(place.join("charter.db"), copy).expect("a copy");
    let reopened = World::on_existing(&copies).await;
    reopened
        .find_organization("acme")
        .await
        .expect("it is there");
    other.close().await;
    for gone in ["charter.db-wal", "charter.db-shm"] {
        assert!(!place.join(gone).exists(), "{gone}");
    }
}
