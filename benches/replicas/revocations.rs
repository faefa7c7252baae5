//! How long one process still accepts a key after another has answered that it is revoked: both on one PostgreSQL.

use std::time::{Duration, Instant};

use test_support::cluster::Cluster;
use test_support::signed_client::{Client, Credentials};

const REVOCATIONS: usize = 1_000;
const INFO: &str = "/organizations/info";

pub(crate) async fn measure() {
    let settings = [
        ("LOG__REQUESTS", "none"),
        ("RATE_LIMITS__KEY_RATE", "0"),
        ("RATE_LIMITS__ORGANIZATION_RATE", "0"),
        ("BUDGETS__WRITES_PER_HOUR", "0"),
        ("BUDGETS__STORED_BYTES_PER_DAY", "0"),
        ("BUDGETS__DECISION_LOG_BYTES_PER_HOUR", "0"),
    ];
    let cluster = Cluster::with_settings(&settings).await;
    let cluster = cluster.expect("PostgreSQL and Redis");
    let own = [
        "organizations:GetOrganization",
        "service-accounts:CreateKey",
        "service-accounts:RevokeKey",
    ];
    let (manager, id) = cluster.issue("manager", &own);
    let [here, there] = cluster.serve();
    let (mut writer, mut reader) = (Client::http1(here.main), Client::http1(there.main));
    let keys = format!("/service-accounts/{id}/keys");
    let mut delays = Vec::with_capacity(REVOCATIONS);
    for _ in 0..REVOCATIONS {
        let made = writer.send(&manager.sign("POST", &keys, "{}")).await.json();
        let text = |name: &str| made[name].as_str().map(str::to_owned).expect(name);
        let key = Credentials::new(&text("access_key"), &text("secret_key"));
        let used = reader.send(&key.sign("GET", INFO, "")).await;
        assert_eq!(used.status, 200, "the key is in memory there");
        let path = format!("{keys}/{}", text("id"));
        let revoked = writer.send(&manager.sign("DELETE", &path, "")).await;
        assert_eq!(revoked.status, 204);
        let revoked = Instant::now();
        // When the last request began that was accepted.
        let mut accepted = Duration::ZERO;
        loop {
            let begun = revoked.elapsed();
            let answer = reader.send(&key.sign("GET", INFO, "")).await;
            if answer.status != 200 {
                answer.assert_refused(401, "KEY_REVOKED");
                break;
            }
            accepted = begun;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        delays.push(accepted);
    }
    delays.sort_unstable();
    let at = |share: usize| delays[(delays.len() * share).div_ceil(100) - 1].as_millis();
    println!(
        "a revocation is seen by the other process after {} ms (p50), {} ms (p99), {} ms (slowest of {REVOCATIONS}); \
         aim: 300 ms, never after 1 s",
        at(50),
        at(99),
        at(100)
    );
    test_support::cluster::stop([here, there]);
}
