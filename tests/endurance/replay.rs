//! Requests sent again, to the same process and across kills: none is accepted twice.

use std::sync::Arc;

use test_support::process::Home;
use test_support::signed_client::{Client, Protocol, Signed};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

async fn one_of_concurrent_copies_is_accepted(rounds: usize) {
    const CROWD: usize = 8;
    let home = Home::new();
    let charter = home.serve();
    let writer = charter.writer();
    let requests: Arc<Vec<Signed>> = Arc::new(
        (0..rounds)
            .map(|_| writer.sign("GET", "/organizations/info", ""))
            .collect(),
    );
    let barrier = Arc::new(Barrier::new(CROWD));
    let mut crowd = JoinSet::new();
    for member in 0..CROWD {
        let (requests, barrier) = (Arc::clone(&requests), Arc::clone(&barrier));
        let protocol = if member % 2 == 0 {
            Protocol::Http1
        } else {
            Protocol::Http2
        };
        let mut client = Client::new(charter.main, protocol);
        crowd.spawn(async move {
            let mut accepted = Vec::new();
            for (round, request) in requests.iter().enumerate() {
                barrier.wait().await;
                let answer = client.send(request).await;
                if answer.status == 200 {
                    accepted.push(round);
                } else {
                    answer.assert_refused(401, "REPLAYED_NONCE");
                }
            }
            accepted
        });
    }
    let mut accepted: Vec<usize> = crowd.join_all().await.concat();
    accepted.sort_unstable();
    assert_eq!(accepted, (0..rounds).collect::<Vec<_>>());
    charter.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_concurrent_copies_of_a_request_is_accepted() {
    one_of_concurrent_copies_is_accepted(200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long"]
async fn one_of_concurrent_copies_of_a_request_is_accepted_in_full() {
    one_of_concurrent_copies_is_accepted(5_000).await;
}

async fn replays_are_refused_after_kills(cycles: usize) {
    const PER_CYCLE: usize = 40;
    let home = Home::new();
    let mut charter = home.serve();
    let mut accepted = Vec::new();
    for cycle in 0..cycles {
        let writer = charter.writer();
        let mut client = Client::http1(charter.main);
        let mut fresh = Vec::new();
        for _ in 0..PER_CYCLE {
            let request = writer.sign("GET", "/organizations/info", "");
            assert_eq!(client.send(&request).await.status, 200, "cycle {cycle}");
            fresh.push(request);
        }
        // Killed with the last answer just read.
        charter.kill();
        charter = home.serve();
        let mut client = Client::http1(charter.main);
        let honest = writer.sign("GET", "/organizations/info", "");
        let answer = client.send(&honest).await;
        assert_eq!(answer.status, 200, "cycle {cycle}: {}", answer.json());
        fresh.push(honest);
        for request in fresh.iter().rev() {
            let again = client.send(request).await;
            again.assert_refused(401, "REPLAYED_NONCE");
        }
        accepted.extend(fresh.into_iter().step_by(8));
    }
    // Of all cycles whose dates are still in the window.
    let mut client = Client::http1(charter.main);
    for request in &accepted {
        let again = client.send(request).await;
        assert_eq!(again.status, 401);
        assert!(["REPLAYED_NONCE", "CLOCK_SKEW"].contains(&again.code().as_str()));
    }
    charter.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_not_accepted_again_after_a_kill() {
    replays_are_refused_after_kills(5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long"]
async fn a_request_is_not_accepted_again_after_a_kill_in_full() {
    replays_are_refused_after_kills(200).await;
}
