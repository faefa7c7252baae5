//! Clients that hang up at any moment of a write: it is absent or whole, with one audit event.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use test_support::choices::Choices;
use test_support::process::{Charter, Home};
use test_support::services::TestDatabase;
use test_support::signed_client::WAIT_TIMEOUT;
use test_support::signed_client::{Client, Http1, Signed};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::ledger::Ledger;

/// What a client saw of its write before it hung up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Not all of it was sent.
    Cut,
    /// All was sent, no answer read.
    Nothing,
    /// It was told that it is done.
    Done,
}

async fn send_and_hang_up(address: SocketAddr, request: &Signed, choices: &mut Choices) -> Seen {
    let bytes = request.bytes();
    let mut connection = Http1::open(address).await.expect("a connection");
    let patience = match choices.below(8) {
        0 => {
            let cut = choices.below(bytes.len());
            connection.write(&bytes[..cut]).await;
            return Seen::Cut;
        }
        1 => WAIT_TIMEOUT,
        _ => Duration::from_micros(choices.below(15_000).try_into().expect("small")),
    };
    connection.write(&bytes).await;
    match tokio::time::timeout(patience, connection.answer()).await {
        Ok(answer) => {
            let (answer, _) = answer.expect("an answer");
            // Those who hang up wait for nobody, so their writes may pile up: an answer too.
            if answer.status == 503 {
                return Seen::Nothing;
            }
            assert!((200..=204).contains(&answer.status), "{}", answer.json());
            Seen::Done
        }
        Err(_hung_up) => Seen::Nothing,
    }
}

async fn write_and_hang_up(charter: &Charter, writes: usize) -> Vec<(String, Seen)> {
    const CLIENTS: usize = 8;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (address, manager, seen) = (charter.main, charter.manager(), Arc::clone(&seen));
        clients.spawn(async move {
            let mut choices = Choices::new(client as u64 + 4);
            for index in 0..writes.div_ceil(CLIENTS) {
                let name = format!("write {client} {index}");
                let body = format!(r#"{{"name":"{name}","metadata":{{"of":"{name}"}}}}"#);
                let request = if index % 2 == 0 {
                    manager.sign("POST", "/accounts", &body)
                } else {
                    manager.sign("PATCH", "/organizations/info", &body)
                };
                let what = send_and_hang_up(address, &request, &mut choices).await;
                seen.lock().await.push((name, what));
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.expect("a client's end");
    }
    Arc::into_inner(seen).expect("all have ended").into_inner()
}

async fn no_write_is_torn(home: Home, writes: usize) {
    let charter = home.serve();
    let seen = write_and_hang_up(&charter, writes).await;
    charter.stop();
    let ledger = Ledger::read(&home).await;
    ledger.assert_consistent();
    let (mut absent, mut whole) = (0, 0);
    for (name, what) in &seen {
        let times = ledger.accounts_named(name) + ledger.renamed_to(name);
        let expected = match what {
            Seen::Cut => 0..=0,
            Seen::Nothing => 0..=1,
            Seen::Done => 1..=1,
        };
        assert!(
            expected.contains(&times),
            "`{name}`, {what:?}: {times} times"
        );
        if *what == Seen::Nothing {
            *(if times == 0 { &mut absent } else { &mut whole }) += 1;
        }
    }
    let done = seen.iter().filter(|(_, what)| *what == Seen::Done).count();
    println!(
        "{} writes: {done} answered; of those without an answer {whole} whole, {absent} absent",
        seen.len()
    );
    assert!(whole > 0 && done > 0);
    home.verify_audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_client_hangs_up_is_absent_or_whole_on_sqlite() {
    no_write_is_torn(Home::new(), 160).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_client_hangs_up_is_absent_or_whole_on_postgres() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        no_write_is_torn(Home::on(database), 160).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute long"]
async fn a_write_whose_client_hangs_up_is_absent_or_whole_in_full() {
    no_write_is_torn(Home::new(), 2_000).await;
    if let Some(database) = TestDatabase::empty_postgres().await {
        no_write_is_torn(Home::on(database), 2_000).await;
    }
}

/// A deletion changes several rows: the service account's and those of its keys.
async fn no_deletion_is_torn(home: Home, deletions: usize) {
    const KEYS: usize = 3;
    let charter = home.serve();
    let manager = charter.manager();
    let mut client = Client::http1(charter.main);
    let mut make = async |path: &str| {
        let body = if path.ends_with("keys") {
            "{}"
        } else {
            r#"{"name":"doomed"}"#
        };
        let made = client.send(&manager.sign("POST", path, body)).await;
        assert_eq!(made.status, 201, "{}", made.json());
        made.json()["id"].as_str().expect("an id").to_owned()
    };
    let mut choices = Choices::new(6);
    let mut seen = Vec::new();
    for _ in 0..deletions {
        let path = format!("/service-accounts/{}", make("/service-accounts").await);
        for _ in 0..KEYS {
            make(&format!("{path}/keys")).await;
        }
        let request = manager.sign("DELETE", &path, "");
        seen.push((
            path,
            send_and_hang_up(charter.main, &request, &mut choices).await,
        ));
    }
    // What is under way has time to end.
    charter.stop();
    let ledger = Ledger::read(&home).await;
    assert_eq!(ledger.doomed.len(), deletions);
    for doomed in &ledger.doomed {
        let revoked = if doomed.is_deleted { KEYS } else { 0 };
        assert_eq!((doomed.keys, doomed.revoked_keys), (KEYS, revoked));
    }
    let deleted = ledger
        .doomed
        .iter()
        .filter(|doomed| doomed.is_deleted)
        .count();
    let recorded: usize = seen
        .iter()
        .map(|(path, what)| {
            let (_, id) = path.rsplit_once('/').expect("an id");
            let events = ledger.deletions_of(id);
            let expected = match what {
                Seen::Cut => 0..=0,
                Seen::Nothing => 0..=1,
                Seen::Done => 1..=1,
            };
            assert!(
                expected.contains(&events),
                "{id}, {what:?}: {events} events"
            );
            events
        })
        .sum();
    println!("{deleted} of {deletions} deleted, each with its keys");
    assert_eq!(deleted, recorded);
    home.verify_audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_account_is_deleted_with_all_its_keys_or_not_at_all_on_sqlite() {
    no_deletion_is_torn(Home::new(), 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_account_is_deleted_with_all_its_keys_or_not_at_all_on_postgres() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        no_deletion_is_torn(Home::on(database), 30).await;
    }
}
