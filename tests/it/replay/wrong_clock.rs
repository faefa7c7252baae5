//! Two `charter` processes, of which one has a wrong clock.

use charter_domain::clock::SystemClock;
use serde_json::{Value, json};
use test_support::client::get;
use test_support::cluster::{Cluster, once_it_serves, send, stop};
use test_support::process::Home;
use test_support::service::{Anonymous, Persona as _};
use test_support::services::TestDatabase;
use test_support::services::redis::Redis;
use test_support::signed_client::nonce;

use super::*;

/// The clock of the first one can be set. `None` where PostgreSQL, Redis or a C compiler is not installed.
async fn cluster() -> Option<Cluster<Redis>> {
    let redis = Redis::start()?;
    let database = TestDatabase::postgres().await?;
    let (url, redis_url) = (database.url().to_owned(), redis.url());
    let homes = [
        Home::on(database).with_faults()?,
        Home::new().with("CHARTER__DATABASE__URL", &url),
    ];
    let homes = homes.map(|home| {
        home.with("CHARTER__REPLAY__URL", &redis_url)
            .with("CHARTER__PORTAL__BASE_URL", "http://127.0.0.1:8080")
    });
    Some(Cluster::of(redis, homes, &[]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_whose_clock_is_wrong_takes_no_signed_request_until_it_is_right() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let charters = cluster.serve();
    let faults = cluster.homes[0].faults();
    let accepted = cluster.write("Acme Two");
    assert_eq!(send(&charters[0], &accepted).await.status, 200);
    for hours in [1, -1] {
        faults.step_clock(hours * 3_600);
        let now = SystemClock::start().now();
        let date = if hours > 0 { now + HOUR } else { now - HOUR };
        let date = timestamp::format(date);
        // One of now, one of its own now, one that was accepted.
        let by_its_clock =
            cluster
                .robot
                .sign_with("GET", "/organizations/info", "", &date, &nonce());
        for request in [&cluster.read(), &by_its_clock, &accepted] {
            let refused = send(&charters[0], request).await;
            assert!(matches!(refused.status, 401 | 503), "{}", refused.status);
        }
        while get(charters[0].operations, "/readyz").await.status != 503 {}
        let elsewhere = send(&charters[1], &by_its_clock).await;
        elsewhere.assert_refused(401, "CLOCK_SKEW");
        assert_eq!(send(&charters[1], &cluster.read()).await.status, 200);
        faults.step_clock(0);
        let answer = once_it_serves(&charters[0], || cluster.read()).await;
        assert_eq!(answer.status, 200);
        for charter in &charters {
            send(charter, &accepted)
                .await
                .assert_refused(401, "REPLAYED_NONCE");
        }
    }
    stop(charters);
}

/// Its clock judges a token's age, and nothing else: whose session has ended is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_clock_keeps_no_session_alive() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let charters = cluster.serve();
    let invite = ["user", &cluster.config, "invite", "acme", "ada@example.com"];
    let invited: Value =
        serde_json::from_str(&cluster.homes[1].run(&invite).success()).expect("json");
    let token = invited["link"]
        .as_str()
        .and_then(|link| link.rsplit('=').next());
    let accept = json!({"token": token.expect("a token"), "password": "correct horse battery"});
    let [one, other] = [0, 1].map(|n| Anonymous::at(charters[n].main));
    let accepted = one.post("/api/auth/accept-invitation", accept).await.ok();
    let bearer = format!(
        "Bearer {}",
        accepted["access_token"].as_str().expect("a token")
    );
    let me = async |at: &Anonymous| {
        let request = at.get("/api/portal/me").header("authorization", &bearer);
        let answer = request.await;
        (
            answer.status,
            if answer.status == 200 {
                String::new()
            } else {
                answer.code()
            },
        )
    };
    let faults = cluster.homes[0].faults();
    let ok = || (200, String::new());
    faults.step_clock(3_600);
    assert_eq!(me(&one).await, (401, "TOKEN_EXPIRED".to_owned()));
    assert_eq!(me(&other).await, ok());
    faults.step_clock(-3_600);
    assert_eq!(me(&one).await, ok());
    let sign_out = ["user", &cluster.config, "sign-out", "ada@example.com"];
    cluster.homes[1].run(&sign_out).success();
    // The rule under test: never after a second.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for at in [&one, &other] {
        assert_eq!(me(at).await, (401, "INVALID_TOKEN".to_owned()));
    }
    stop(charters);
}
