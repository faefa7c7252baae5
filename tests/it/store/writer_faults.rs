//! A write that fails leaves nothing behind in which later ones are lost: what is acknowledged after it
//! is kept, and the connection that it failed on is not used again.

use std::path::Path;

use charter_domain::metadata::Metadata;
use charter_domain::organization::Organization;
use charter_domain::page::ResourceOrder;
use charter_store::{Error, NewAccount, Store};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use test_support::process::Home;
use test_support::services::TestDatabase;
use test_support::services::faults::{Call, Plan};
use test_support::signed_client::{Client, Http1};
use test_support::stored_tenant::StoredTenant;

use super::process::{by_child, child_after, in_child};
use super::world::{World, first_page, metadata, name};

/// How far into the write-ahead log of a transaction the write fails: at its start, within a frame's
/// header, within a page, between pages, and near its end.
const POSITIONS: [u64; 8] = [0, 1, 24, 1_000, 4_120, 9_000, 16_480, 20_000];

/// No file of this process may grow beyond that.
fn limit_files(length: Option<u64>) {
    let limits = getrlimit(Resource::Fsize);
    let limits = Rlimit {
        current: length,
        ..limits
    };
    setrlimit(Resource::Fsize, limits).expect("a limit");
}

async fn write(tenant: &StoredTenant<'_>, metadata: Metadata) -> Result<String, Error> {
    let new = NewAccount {
        name: name("made"),
        metadata,
    };
    let made = tenant.by(&by_child()).create_account(new).await?;
    Ok(made.id.to_string())
}

/// A transaction that ends in a rollback, as it should.
async fn roll_back(tenant: &StoredTenant<'_>) {
    let nothing = |_: &mut Organization| Ok::<_, Error>(());
    let stale = tenant
        .by(&by_child())
        .update_organization(Some(99), nothing)
        .await;
    assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");
}

async fn fail_and_go_on(store: &Store, wal: &Path, beyond: u64) {
    let organization = store.find_organization("acme").await.expect("found");
    let tenant = StoredTenant::of(store, &organization);
    let length = std::fs::metadata(wal).expect("a log").len();
    limit_files(Some(length + beyond));
    let much = || metadata(json!({"much": "x".repeat(12_000)}));
    // They share a commit.
    let (first, second, third) = tokio::join!(
        write(&tenant, Metadata::default()),
        write(&tenant, much()),
        write(&tenant, Metadata::default()),
    );
    limit_files(None);
    for failed in [first, second, third] {
        assert!(matches!(failed, Err(Error::Unavailable(_))), "{failed:?}");
    }
    let fault = store.fault();
    assert!(fault.is_some(), "the fault is not told");
    roll_back(&tenant).await;
    for _ in 0..2 {
        let made = write(&tenant, Metadata::default()).await.expect("a write");
        println!("made {made}");
    }
    assert_eq!(store.fault(), None, "the fault is over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by other tests, as a process of its own"]
async fn goes_on_after_failures() {
    if let Some((store, directory)) = in_child().await {
        let wal = directory.join("charter.db-wal");
        for beyond in POSITIONS {
            Box::pin(fail_and_go_on(&store, &wal, beyond)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_acknowledged_after_a_failed_write_are_kept() {
    let world = World::on(TestDatabase::sqlite()).await;
    let acme = world.organization("acme").await;
    // Without the signal the write just fails.
    let test = "writer_faults::goes_on_after_failures";
    let output = child_after("trap '' XFSZ", test, &world.database).output();
    let output = output.expect("a child");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complaint}");
    let tenant = world.tenant(&acme.organization);
    let mut made = 0;
    for id in said.lines().filter_map(|line| line.split_once("made ")) {
        let id = id.1.parse().expect("an id");
        let found = tenant.account(id).await;
        found.expect("what was acknowledged is there");
        made += 1;
    }
    assert_eq!(made, 2 * POSITIONS.len() as u64);
    let list = tenant.list_accounts(first_page(ResourceOrder::Name), true);
    let list = list.await.expect("a list");
    assert_eq!(list.total, made + 1, "and nothing that was refused");
    assert_eq!(world.audit().await.findings, []);
}

/// What `/readyz` says.
async fn readiness(charter: &test_support::process::Charter) -> String {
    let mut connection = Http1::open(charter.main).await.expect("a connection");
    let request = b"GET /readyz HTTP/1.1\r\nhost: charter.test\r\n\r\n";
    connection.write(request).await.expect("sent");
    let (answer, _) = connection.answer().await.expect("an answer");
    answer.json()["status"].as_str().expect("a word").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_acknowledged_after_a_failed_sync_survive() {
    let Some(home) = Home::new().with_faults() else {
        return;
    };
    let charter = home.serve();
    let (manager, mut client) = (charter.manager(), Client::http1(charter.main));
    let create = |name: &str| manager.sign("POST", "/accounts", &json!({"name": name}).to_string());
    let mut made = Vec::new();
    for _ in 0..2 {
        let sync = home.faults().begin(&Plan::all(Call::Sync, "*"));
        let refused = client.send(&create("refused")).await;
        drop(sync);
        refused.assert_refused(503, "UNAVAILABLE");
        // Degraded, or more if the lease of the replay guard met the same fault.
        assert_ne!(readiness(&charter).await, "ok");
        // Rolled back by its own rule.
        let accounts = client.send(&manager.sign("GET", "/accounts", "")).await;
        let accounts = accounts.json();
        let default = accounts["results"].as_array().expect("a list");
        let default = default.iter().find(|one| one["is_default"] == true);
        let path = format!(
            "/accounts/{}",
            default.expect("a default")["id"].as_str().expect("an id")
        );
        let off = manager.sign("PATCH", &path, r#"{"is_active":false}"#);
        client
            .send(&off)
            .await
            .assert_refused(422, "VALIDATION_FAILED");
        for _ in 0..2 {
            let answer = client.send(&create("acknowledged")).await;
            assert_eq!(answer.status, 201);
            made.push(answer.json()["id"].as_str().expect("an id").to_owned());
        }
        assert_eq!(readiness(&charter).await, "ok");
    }
    charter.kill();
    let charter = home.serve();
    let mut client = Client::http1(charter.main);
    for id in made {
        let found = manager.sign("GET", &format!("/accounts/{id}"), "");
        assert_eq!(client.send(&found).await.status, 200, "{id} is lost");
    }
    charter.stop();
    home.verify_audit();
}
