//! Two `charter` processes on a Redis that a sentinel watches, under TLS and with passwords.

use test_support::cluster::{Cluster, once_it_serves, send, stop};
use test_support::services::sentinel::WatchedRedis;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failover_nothing_passes_twice_and_it_goes_on_with_the_new_master() {
    let Some(redis) = WatchedRedis::start() else {
        return;
    };
    let (url, authority) = (redis.url(), redis.certificates.authority());
    let authority = authority.display().to_string();
    let settings = [("REPLAY__URL", &*url), ("REPLAY__CA_FILE", &*authority)];
    let Some(cluster) = Cluster::on(redis, &settings).await else {
        return;
    };
    let charters = cluster.serve();
    let accepted = [cluster.read(), cluster.write("Before")];
    for request in &accepted {
        assert_eq!(send(&charters[0], request).await.status, 200);
    }
    cluster.redis.fail_over();
    for charter in &charters {
        for request in &accepted {
            let again = send(charter, request).await;
            assert!(matches!(again.status, 503 | 401), "{}", again.status);
        }
    }
    // What was marked before is closed: requests of now are refused, those of a clock that is ahead pass.
    for charter in &charters {
        let answer = once_it_serves(charter, || cluster.ahead()).await;
        assert_eq!(answer.status, 200);
        let now = send(charter, &cluster.read()).await;
        now.assert_refused(503, "UNAVAILABLE");
        for request in &accepted {
            let again = send(charter, request).await;
            assert!(matches!(again.status, 503 | 401), "{}", again.status);
        }
    }
    stop(charters);
}
