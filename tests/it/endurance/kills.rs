//! `kill -9` and graceful stops under write load: what was acknowledged is there, whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::Choices;
use super::charter::{Charter, Home};
use super::ledger::Ledger;
use super::wire::{Client, Http1, Protocol};
use crate::services::TestDatabase;

/// Writers at work, each waiting for its answer before the next write.
struct Load {
    writers: JoinSet<Vec<(String, bool)>>,
    acknowledged: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Load {
    fn start(charter: &Charter, round: usize) -> Self {
        let mut load = Self {
            writers: JoinSet::new(),
            acknowledged: Arc::default(),
            stop: Arc::default(),
        };
        for writer in 0..6 {
            let manager = charter.manager();
            let protocol = if writer % 3 == 0 {
                Protocol::Http2
            } else {
                Protocol::Http1
            };
            let mut client = Client::new(charter.main, protocol);
            let (acknowledged, stop) = (Arc::clone(&load.acknowledged), Arc::clone(&load.stop));
            load.writers.spawn(async move {
                let mut writes = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    let name = format!("write {round} {writer} {}", writes.len());
                    let body = format!(r#"{{"name":"{name}"}}"#);
                    let request = if writer == 1 {
                        manager.sign("PATCH", "/organizations/info", &body)
                    } else {
                        manager.sign("POST", "/accounts", &body)
                    };
                    let Some(answer) = client.try_send(&request).await else {
                        writes.push((name, false));
                        break;
                    };
                    assert!([200, 201].contains(&answer.status), "{}", answer.json());
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                    writes.push((name, true));
                }
                writes
            });
        }
        load
    }

    async fn wait_for(&self, acknowledged: usize) {
        while self.acknowledged.load(Ordering::SeqCst) < acknowledged {
            assert!(!self.writers.is_empty());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Each write's name, and whether it was acknowledged.
    async fn ended(self) -> Vec<(String, bool)> {
        self.writers.join_all().await.concat()
    }
}

fn assert_kept(ledger: &Ledger, writes: &[(String, bool)]) {
    for (name, acknowledged) in writes {
        let times = ledger.accounts_named(name) + ledger.renamed_to(name);
        let expected = if *acknowledged { 1..=1 } else { 0..=1 };
        assert!(expected.contains(&times), "`{name}` is there {times} times");
    }
}

async fn kills_lose_nothing(home: Home, kills: usize) {
    let mut choices = Choices::new(5);
    let mut writes = Vec::new();
    for round in 0..kills {
        let charter = home.serve();
        let load = Load::start(&charter, round);
        load.wait_for(5 + choices.below(60)).await;
        tokio::time::sleep(Duration::from_micros(choices.below(5_000) as u64)).await;
        charter.kill();
        writes.extend(load.ended().await);
        let ledger = Ledger::read(&home).await;
        ledger.assert_consistent();
        assert_kept(&ledger, &writes);
        home.verify_audit();
    }
    let acknowledged = writes
        .iter()
        .filter(|(_, acknowledged)| *acknowledged)
        .count();
    println!("{kills} kills, {acknowledged} writes acknowledged, all there");
    // After all that it serves on, and accepts a write at once.
    let charter = home.serve();
    let mut client = Client::http1(charter.main);
    let request = charter
        .manager()
        .sign("POST", "/accounts", r#"{"name":"write at last"}"#);
    assert_eq!(client.send(&request).await.status, 201);
    charter.stop();
    home.verify_audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_kills_on_sqlite() {
    kills_lose_nothing(Home::new(), 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_kills_on_postgres() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        kills_lose_nothing(Home::on(database), 5).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long"]
async fn what_was_acknowledged_outlives_kills_in_full() {
    kills_lose_nothing(Home::new(), 60).await;
    if let Some(database) = TestDatabase::empty_postgres().await {
        kills_lose_nothing(Home::on(database), 60).await;
    }
}

async fn a_graceful_stop_loses_nothing(home: Home, stops: usize) {
    const HELD: usize = 4;
    let mut writes = Vec::new();
    for round in 0..stops {
        let charter = home.serve();
        let load = Load::start(&charter, round);
        load.wait_for(20).await;
        // Requests whose heads have arrived and whose bodies have not.
        let mut held = Vec::new();
        for index in 0..HELD {
            let name = format!("write {round} held {index}");
            let body = format!(r#"{{"name":"{name}"}}"#);
            let request = charter.manager().sign("POST", "/accounts", &body);
            let length = body.len().try_into().expect("a length");
            let opening = request.head_announcing(length);
            let opening = opening.replacen("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n", 1);
            let mut connection = Http1::open(charter.main).await.expect("a connection");
            connection
                .write(opening.as_bytes())
                .await
                .expect("it reads");
            let (invited, _) = connection.answer().await.expect("an invitation");
            assert_eq!(invited.status, 100);
            held.push((name, body, connection));
        }
        charter.terminate();
        // Nobody new is let in, while those inside may finish.
        while Http1::open(charter.main).await.is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for (name, body, mut connection) in held {
            connection
                .write(body.as_bytes())
                .await
                .expect("it still reads");
            let (answer, _) = connection.answer().await.expect("an answer");
            assert_eq!(answer.status, 201, "{}", answer.json());
            writes.push((name, true));
        }
        load.stop.store(true, Ordering::SeqCst);
        writes.extend(load.ended().await);
        let (status, _) = charter.ended();
        assert_eq!(status.code(), Some(0), "{}", home.log());
        let ledger = Ledger::read(&home).await;
        ledger.assert_consistent();
        assert_kept(&ledger, &writes);
        home.verify_audit();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_graceful_stop_finishes_what_is_under_way_on_sqlite() {
    a_graceful_stop_loses_nothing(Home::new(), 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_graceful_stop_finishes_what_is_under_way_on_postgres() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        a_graceful_stop_loses_nothing(Home::on(database), 2).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute long"]
async fn a_graceful_stop_finishes_what_is_under_way_in_full() {
    a_graceful_stop_loses_nothing(Home::new(), 40).await;
}
