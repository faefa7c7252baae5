//! The same request to both replicas at the same moment.

use std::sync::Arc;

use serde_json::{Value, json};
use test_support::cluster::{Cluster, stop};
use test_support::service::{Anonymous, Persona as _, all_at_once, cookie_of};
use test_support::signed_client::Client;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

async fn of_each_pair_one_passes(rounds: usize) {
    const PAIRS: usize = 4;
    let Some(cluster) = Cluster::new().await else {
        return;
    };
    let charters = cluster.serve();
    let mut pairs = JoinSet::new();
    for pair in 0..PAIRS {
        let writes: Vec<_> = (0..rounds / PAIRS)
            .map(|round| cluster.write(&format!("Write {pair} {round}")))
            .collect();
        let writes = Arc::new(writes);
        let barrier = Arc::new(Barrier::new(charters.len()));
        for charter in &charters {
            let (writes, barrier) = (Arc::clone(&writes), Arc::clone(&barrier));
            let mut client = Client::http1(charter.main);
            pairs.spawn(async move {
                let mut accepted = Vec::new();
                for write in writes.iter() {
                    barrier.wait().await;
                    let answer = client.send(write).await;
                    if answer.status == 200 {
                        accepted.push(write.nonce.clone());
                    } else {
                        answer.assert_refused(401, "REPLAYED_NONCE");
                    }
                }
                accepted
            });
        }
    }
    let mut accepted = pairs.join_all().await.concat();
    let sent = rounds / PAIRS * PAIRS;
    assert_eq!(accepted.len(), sent, "one of both each time");
    accepted.sort_unstable();
    accepted.dedup();
    assert_eq!(accepted.len(), sent, "and not one of them twice");
    println!("{sent} writes sent to both at once, each accepted once");
    stop(charters);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_sent_to_both_at_once_passes_once() {
    of_each_pair_one_passes(100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long"]
async fn a_write_sent_to_both_at_once_passes_once_in_full() {
    of_each_pair_one_passes(10_000).await;
}

/// One successor, whichever replica is asked.
async fn of_each_refresh_there_is_one_successor(rounds: usize) {
    let Some(cluster) = Cluster::with_settings(&[
        ("PORTAL__REFRESHES_PER_MINUTE", "0"),
        ("PORTAL__BASE_URL", "http://127.0.0.1:8080"),
    ])
    .await
    else {
        return;
    };
    let charters = cluster.serve();
    let invite = ["user", &cluster.config, "invite", "acme", "ada@example.com"];
    let invited = cluster.homes[0].run(&invite).success();
    let invited: Value = serde_json::from_str(&invited).expect("json");
    let link = invited["link"].as_str().expect("a link");
    let token = link.rsplit('=').next().expect("a token");
    let accept = json!({"token": token, "password": "correct horse battery"});
    let [one, other] = [0, 1].map(|n| Anonymous::at(charters[n].main));
    let accepted = one.post("/api/auth/accept-invitation", accept).await;
    let mut cookie = cookie_of(&accepted);
    for _ in 0..rounds {
        let both = [&one, &other].map(|at| at.refresh(&cookie).write());
        let answers = all_at_once(both).await;
        assert!(answers.iter().all(|answer| answer.status == 200));
        let next = cookie_of(&answers[0]);
        assert_eq!(next, cookie_of(&answers[1]));
        assert_ne!(next, cookie);
        cookie = next;
    }
    println!("{rounds} refreshes sent to both at once, one successor each");
    stop(charters);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_sent_to_both_at_once_has_one_successor() {
    of_each_refresh_there_is_one_successor(50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long"]
async fn a_refresh_sent_to_both_at_once_has_one_successor_in_full() {
    of_each_refresh_there_is_one_successor(10_000).await;
}
