//! Clients that hang up at any moment of a write: it is absent or whole, with one audit event.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::Choices;
use super::charter::{Charter, Home};
use super::ledger::Ledger;
use super::wire::Http1;
use crate::services::TestDatabase;

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
                let bytes = request.bytes();
                let mut connection = Http1::open(address).await.expect("a connection");
                let what = match choices.below(8) {
                    0 => {
                        let cut = choices.below(bytes.len());
                        connection.write(&bytes[..cut]).await;
                        Seen::Cut
                    }
                    1 => {
                        connection.write(&bytes).await;
                        let (answer, _) = connection.answer().await.expect("an answer");
                        assert!([200, 201].contains(&answer.status), "{}", answer.json());
                        Seen::Done
                    }
                    _ => {
                        connection.write(&bytes).await;
                        let wait = Duration::from_micros(choices.below(15_000) as u64);
                        match tokio::time::timeout(wait, connection.answer()).await {
                            Ok(Some((answer, _))) => {
                                assert!([200, 201].contains(&answer.status), "{}", answer.json());
                                Seen::Done
                            }
                            _ => Seen::Nothing,
                        }
                    }
                };
                drop(connection);
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
