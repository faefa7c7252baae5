//! What only processes of their own can show: cold starts side by side, kills, a full disk.
//!
//! Each child is an ignored test of this binary, run by the test that needs it.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use charter_domain::audit::AuditContext;
use charter_domain::clock::{Clock as _, SystemClock};
use charter_domain::entropy::OsEntropy;
use charter_domain::page::ResourceOrder;
use charter_store::{Error, NewAccount, Store};
use serde_json::json;
use test_support::services::{TestDatabase, config};
use test_support::stored_tenant::StoredTenant;

use super::world::{World, first_page, metadata, name, tester};

const URL: &str = "CHARTER_TEST_CHILD_URL";
const DIRECTORY: &str = "CHARTER_TEST_CHILD_DIRECTORY";

test_support::on_both_engines![acknowledged_writes_survive_a_kill];

/// An ignored test of this binary, to be run beside this one.
pub(super) fn child(test: &str, database: &TestDatabase) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command
        .args(["--exact", &format!("store::{test}")])
        .args(["--ignored", "--nocapture", "--test-threads=1"])
        .env(URL, database.url())
        .env(DIRECTORY, database.directory())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

/// The same, run by a shell that has done this before: limits that the child inherits.
pub(super) fn child_after(setup: &str, test: &str, database: &TestDatabase) -> Command {
    let inner = child(test, database);
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{setup}; exec \"$@\""), "sh"])
        .arg(inner.get_program())
        .args(inner.get_args())
        .envs(
            inner
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
    command
}

/// The parent's database; `None` when the ignored tests are run by hand.
pub(super) async fn in_child() -> Option<(Store, PathBuf)> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a parent and its child process have no other way to talk"
    )]
    let (url, directory) = (
        std::env::var(URL).ok()?,
        PathBuf::from(std::env::var_os(DIRECTORY)?),
    );
    let clock = Arc::new(SystemClock::start());
    let store = Store::open(config(&url, &directory), clock, Arc::new(OsEntropy)).await;
    Some((store.expect("an open store"), directory))
}

pub(super) fn by_child() -> AuditContext {
    AuditContext {
        actor: tester(),
        request_id: None,
        policy_digest: None,
        at: SystemClock::start().now(),
        precondition_failed: false,
    }
}

/// Writes accounts one after another and says `made ID` for each, until an error or its death.
async fn write_on(store: &Store) -> Error {
    let organization = store.find_organization("acme").await.expect("found");
    let tenant = StoredTenant::of(store, &organization);
    loop {
        let new = NewAccount {
            name: name("by a child"),
            metadata: metadata(json!({"much": "x".repeat(8_000)})),
        };
        match tenant.by(&by_child()).create_account(new).await {
            Ok(account) => println!("made {}", account.id),
            Err(error) => break error,
        }
    }
}

#[tokio::test]
#[ignore = "run by other tests, as a process of its own"]
async fn migrates() {
    if let Some((store, _)) = in_child().await {
        store.migrate_up().await.expect("migrated");
        store.ping().await.expect("an answer");
        store.close().await;
    }
}

#[tokio::test]
#[ignore = "run by other tests, as a process of its own"]
async fn writes_until_killed() {
    if let Some((store, _)) = in_child().await {
        panic!("{}", write_on(&store).await);
    }
}

#[tokio::test]
#[ignore = "run by other tests, as a process of its own"]
async fn writes_until_the_disk_is_full() {
    if let Some((store, _)) = in_child().await {
        let error = write_on(&store).await;
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        store.ping().await.expect("reads go on");
        let again = write_on(&store).await;
        assert!(matches!(again, Error::Unavailable(_)), "{again:?}");
    }
}

async fn start_side_by_side(database: &TestDatabase) {
    let children: Vec<_> = (0..3)
        .map(|_| {
            child("process::migrates", database)
                .spawn()
                .expect("a child")
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().expect("its end");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    let world = World::on_existing(database).await;
    let status = world.migration_status().await.expect("a status");
    assert!(status.iter().all(|migration| migration.applied));
}

#[tokio::test]
async fn processes_start_side_by_side_on_a_new_sqlite_file() {
    for _ in 0..4 {
        start_side_by_side(&TestDatabase::sqlite()).await;
    }
}

#[tokio::test]
async fn processes_start_side_by_side_on_an_empty_postgres_database() {
    for _ in 0..2 {
        if let Some(database) = TestDatabase::empty_postgres().await {
            start_side_by_side(&database).await;
        }
    }
}

async fn acknowledged_writes_survive_a_kill(database: TestDatabase) {
    let world = World::on(database).await;
    let acme = world.organization("acme").await;
    let tenant = world.tenant(&acme.organization);
    let mut acknowledged = 0;
    for round in 1..=5 {
        let mut child = child("process::writes_until_killed", &world.database)
            .spawn()
            .expect("a child");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let mut made = Vec::new();
        for line in output.lines() {
            let line = line.expect("a line");
            if let Some((_, id)) = line.split_once("made ") {
                made.push(id.parse().expect("an id"));
            }
            if made.len() == round * 3 {
                child.kill().expect("killed");
            }
        }
        child.wait().expect("its end");
        assert!(made.len() >= round * 3, "the child died by itself");
        for id in &made {
            tenant
                .account(*id)
                .await
                .expect("what was acknowledged is there");
        }
        acknowledged += made.len() as u64;
    }
    let list = tenant
        .list_accounts(first_page(ResourceOrder::Name), true)
        .await;
    let total = list.expect("a list").total;
    // Each child may have been killed between its last commit and the word of it.
    assert!(
        (acknowledged + 1..=acknowledged + 6).contains(&total),
        "{total}"
    );
    let report = world.audit().await;
    assert_eq!(report.findings, []);
    assert_eq!(
        report.events,
        total + 1,
        "one event for each account, one for the organization"
    );
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_loses_nothing() {
    let world = World::on(TestDatabase::sqlite()).await;
    let acme = world.organization("acme").await;
    // No file of the child may grow beyond 1 MiB; without the signal the write just fails.
    let limits = "trap '' XFSZ; ulimit -f 2048";
    let test = "process::writes_until_the_disk_is_full";
    let output = child_after(limits, test, &world.database).output();
    let output = output.expect("a child");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let made = said.matches("made acc-").count() as u64;
    assert!(made > 5, "{said}");
    let tenant = world.tenant(&acme.organization);
    let list = tenant
        .list_accounts(first_page(ResourceOrder::Name), true)
        .await;
    assert_eq!(list.expect("a list").total, made + 1);
    let report = world.audit().await;
    assert_eq!((report.findings.len(), report.events), (0, made + 2));
    let room = world.service_account(&acme, "there is room again").await;
    assert_eq!(room.version, 1);
}
