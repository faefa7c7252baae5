//! Two `charter` processes on one PostgreSQL and one Redis.

use test_support::cluster::{Cluster, once_it_serves, send, stop};
use test_support::signed_client::Client;
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_accept_an_equal_request_once_whatever_redis_does() {
    let Some(mut cluster) = Cluster::new().await else {
        return;
    };
    let charters = cluster.serve();
    // Ten at once.
    for round in 0..5 {
        for request in [cluster.read(), cluster.write(&format!("Round {round}"))] {
            let mut crowd = JoinSet::new();
            for n in 0..10 {
                let (address, request) = (charters[n % 2].main, request.clone());
                crowd.spawn(async move { Client::http1(address).send(&request).await.status });
            }
            let mut statuses = crowd.join_all().await;
            statuses.sort_unstable();
            let mut expected = vec![401; 10];
            expected[0] = 200;
            assert_eq!(statuses, expected);
        }
    }
    let mut accepted = vec![cluster.read(), cluster.write("Before")];
    for request in &accepted {
        assert_eq!(send(&charters[0], request).await.status, 200);
    }
    let ready = test_support::client::get(charters[0].operations, "/readyz").await;
    assert_eq!(
        ready.json()["replay_guard"]["status"],
        "ok",
        "{}",
        ready.json()
    );

    // It is emptied.
    assert!(cluster.redis.ask("FLUSHALL").starts_with("+OK"));
    for charter in [&charters[1], &charters[0]] {
        for request in &accepted {
            let again = send(charter, request).await;
            assert!(matches!(again.status, 503 | 401), "{}", again.status);
        }
    }
    // Requests of now may be forgotten as well, for a minute at most: 503, and readiness names the part.
    let refused = send(&charters[0], &cluster.read()).await;
    refused.assert_refused(503, "UNAVAILABLE");
    let ready = test_support::client::get(charters[0].operations, "/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["replay_guard"]["status"], "unavailable");
    for charter in &charters {
        assert_eq!(
            once_it_serves(charter, || cluster.ahead()).await.status,
            200
        );
    }
    let late = cluster.ahead();
    assert_eq!(send(&charters[0], &late).await.status, 200);
    accepted.push(late);

    // It is killed, and another one knows nothing.
    cluster.redis.restart();
    for charter in &charters {
        for request in &accepted {
            let again = send(charter, request).await;
            assert!(matches!(again.status, 503 | 401), "{}", again.status);
        }
    }
    stop(charters);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_of_two_seconds_is_answered_503_and_nothing_passes_twice() {
    let Some(cluster) = Cluster::new().await else {
        return;
    };
    let charters = cluster.serve();
    let accepted = cluster.read();
    assert_eq!(send(&charters[0], &accepted).await.status, 200);
    cluster.redis.pause();
    let before = cluster.read();
    send(&charters[0], &before)
        .await
        .assert_refused(503, "UNAVAILABLE");
    let ready = test_support::client::get(charters[0].operations, "/readyz").await;
    assert_eq!(ready.json()["replay_guard"]["status"], "unavailable");
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    cluster.redis.resume();
    for charter in &charters {
        let answer = once_it_serves(charter, || cluster.read()).await;
        assert_eq!(answer.status, 200);
        assert_eq!(send(charter, &accepted).await.status, 401);
    }
    // What was in doubt was refused once, so it may pass now or not: but not twice.
    let mut passed = 0;
    for charter in [&charters[0], &charters[1], &charters[0]] {
        passed += usize::from(send(charter, &before).await.status == 200);
    }
    assert!(passed <= 1, "{passed}");
    stop(charters);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_is_not_repeated_where_redis_has_lost_its_nonce_and_kept_the_epoch() {
    let Some(cluster) = Cluster::new().await else {
        return;
    };
    let charters = cluster.serve();
    let (read, write) = (cluster.read(), cluster.write("Once"));
    for request in [&read, &write] {
        assert_eq!(send(&charters[0], request).await.status, 200);
    }
    cluster.redis.lose_all_but("charter:*:epoch");
    // The read shows that the loss went unnoticed: only the write's own row keeps it out.
    assert_eq!(send(&charters[1], &read).await.status, 200);
    send(&charters[1], &write)
        .await
        .assert_refused(401, "REPLAYED_NONCE");
    let other = cluster.write("Twice");
    assert_eq!(send(&charters[1], &other).await.status, 200);
    stop(charters);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denial_of_one_process_is_explained_by_the_other() {
    let Some(cluster) = Cluster::new().await else {
        return;
    };
    let charters = cluster.serve();
    let denied = send(
        &charters[0],
        &cluster.robot.sign("GET", "/service-accounts", ""),
    )
    .await;
    denied.assert_refused(403, "NOT_PERMITTED");
    let error = &denied.json()["error"];
    let target = format!(
        "/decisions/{}",
        error["decision_id"].as_str().expect("an id")
    );
    let explained = loop {
        let answer = send(&charters[1], &cluster.robot.sign("GET", &target, "")).await;
        if answer.status != 404 {
            break answer;
        }
    };
    assert_eq!(explained.status, 200, "{}", explained.json());
    assert_eq!(explained.json()["decision"], "deny");
    let page = |at: usize, query: String| {
        let request = cluster
            .robot
            .sign("GET", &format!("/decisions?{query}"), "");
        let charter = &charters[at];
        async move { send(charter, &request).await }
    };
    for at in 0..2 {
        let listed = page(at, "outcome=deny".to_owned()).await;
        let listed = listed.json();
        assert_eq!(listed["results"][0]["id"], error["decision_id"], "{listed}");
        assert_eq!(listed["results"].as_array().expect("results").len(), 1);
    }
    // Allowed decisions are in a log of each process's own, and so are its cursors.
    let first = page(0, "limit=1".to_owned()).await;
    let cursor = first.json()["next_cursor"]
        .as_str()
        .expect("more")
        .to_owned();
    let query = format!("limit=1&cursor={cursor}");
    assert_eq!(page(0, query.clone()).await.status, 200);
    page(1, query).await.assert_refused(400, "BAD_PARAMETER");
    // Both know of both.
    let store = charter_store::Store::open(
        test_support::services::config(
            &cluster.homes[0].database_url(),
            cluster.homes[0].data().as_path(),
        ),
        std::sync::Arc::new(charter_domain::clock::SystemClock::start()),
        std::sync::Arc::new(charter_domain::entropy::OsEntropy),
    );
    let store = store.await.expect("a store");
    let replicas = store.list_replicas().await.expect("rows");
    assert_eq!(replicas.len(), 2);
    assert_eq!(replicas[0].policy_digest, replicas[1].policy_digest);
    stop(charters);
    assert!(store.list_replicas().await.expect("rows").is_empty());
}
