//! `kill -9` and graceful stops under write load: what was acknowledged is there, whole.

use std::ops::Range;
use std::time::Duration;

use test_support::choices::Choices;
use test_support::process::Home;
use test_support::services::TestDatabase;
use test_support::signed_client::{Client, Http1};

use super::ledger::Ledger;
use super::load::{Load, Write};
use super::rounds::rounds;

/// After how many kills it is looked what became of all writes: a look takes as long as there are writes.
const VERIFY_EACH: usize = 10;

async fn kills_lose_nothing(home: Home, kills: Range<usize>) {
    // The policies are the shipped ones each time.
    let home = home
        .with("CHARTER__POLICIES__PROOFS", "off")
        .with("CHARTER__POLICIES__TESTS", "off");
    let mut choices = Choices::new(5);
    let mut writes = Vec::new();
    let (all, last) = (kills.len(), kills.end - 1);
    for round in kills {
        let charter = home.serve();
        let load = Load::start(&charter, &format!("write {round}"));
        load.wait_for(5 + choices.below(60)).await;
        tokio::time::sleep(Duration::from_micros(choices.below(5_000) as u64)).await;
        charter.kill();
        writes.extend(load.ended().await.writes);
        if round % VERIFY_EACH == 0 || round == last {
            let ledger = Ledger::read(&home).await;
            ledger.assert_consistent();
            ledger.assert_kept(&writes);
            home.verify_audit();
        }
    }
    let acknowledged = writes.iter().filter(|write| write.acknowledged).count();
    println!("{all} kills, {acknowledged} writes acknowledged, all there");
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
async fn acknowledged_writes_outlive_kills_on_sqlite() {
    kills_lose_nothing(Home::new(), 0..5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_outlive_kills_on_postgres() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        kills_lose_nothing(Home::on(database), 0..5).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long"]
async fn acknowledged_writes_outlive_kills_on_sqlite_in_full() {
    kills_lose_nothing(Home::new(), rounds(500)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long"]
async fn acknowledged_writes_outlive_kills_on_postgres_in_full() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        kills_lose_nothing(Home::on(database), rounds(500)).await;
    }
}

async fn a_graceful_stop_loses_nothing(home: Home, stops: usize) {
    const HELD: usize = 4;
    let mut writes = Vec::new();
    for round in 0..stops {
        let charter = home.serve();
        let load = Load::start(&charter, &format!("write {round}"));
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
            held.push((name, request, connection));
        }
        charter.terminate();
        // Nobody new is let in, while those inside may finish.
        while Http1::open(charter.main).await.is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for (name, request, mut connection) in held {
            connection
                .write(request.body.as_bytes())
                .await
                .expect("it still reads");
            let (answer, _) = connection.answer().await.expect("an answer");
            assert_eq!(answer.status, 201, "{}", answer.json());
            writes.push(Write {
                name,
                acknowledged: true,
                request,
            });
        }
        load.stop();
        writes.extend(load.ended().await.writes);
        let (status, _) = charter.ended();
        assert_eq!(status.code(), Some(0), "{}", home.log());
        let ledger = Ledger::read(&home).await;
        ledger.assert_consistent();
        ledger.assert_kept(&writes);
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
