//! What gateways of several replicas let through when Redis has lost nonces without a sign.

use test_support::client::{Answer, send};
use test_support::cluster::{Cluster, stop};
use test_support::process::Charter;
use test_support::signed_client::Signed;

use super::TOKEN;
use super::domains::Folder;

/// The sub-request of a gateway.
async fn asked_about(charter: &Charter, request: &Signed) -> Answer {
    let asked = format!(
        "GET /domains/gateway/access/v1/forward-auth HTTP/1.1\r\nhost: a\r\n\
         x-charter-authorization: Bearer {TOKEN}\r\n\
         x-forwarded-method: {}\r\nx-forwarded-uri: {}\r\n\
         authorization: HMAC {}:{}\r\nx-date: {}\r\nx-nonce: {}\r\nx-content-sha256: {}\r\n\r\n",
        request.method,
        request.target,
        request.access_key,
        request.signature,
        request.date,
        request.nonce,
        request.content_sha256,
    );
    send(charter.operations, asked).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_passes_no_gateway_twice_where_redis_has_lost_its_nonce_and_kept_the_epoch() {
    let folder = Folder::with(&["gateway"]).without_rules("gateway");
    folder.write(
        "gateway",
        "billing.cedar",
        "@id(\"billing:all\")\npermit (principal, action, resource);\n",
    );
    let path = folder.path().display().to_string();
    let tokens = format!("gateway:{TOKEN}");
    let settings = [
        ("POLICIES__DIR", &*path),
        ("POLICIES__TESTS", "off"),
        ("ACCESS__TOKENS", &tokens),
    ];
    let Some(cluster) = Cluster::with_settings(&settings).await else {
        return;
    };
    let charters = cluster.serve();
    let read = cluster.robot.sign("GET", "/invoices/7", "");
    let writes = [("POST", "/invoices"), ("DELETE", "/invoices/7")]
        .map(|(method, target)| cluster.robot.sign(method, target, ""));
    for request in [&read].into_iter().chain(&writes) {
        let passed = asked_about(&charters[0], request).await;
        assert_eq!(passed.status, 200, "{}", passed.code());
    }
    cluster.redis.lose_all_but("charter:*:epoch");
    // The read shows that the loss went unnoticed.
    assert_eq!(asked_about(&charters[1], &read).await.status, 200);
    for write in &writes {
        for charter in &charters {
            let again = asked_about(charter, write).await;
            again.assert_refused(401, "REPLAYED_NONCE");
        }
    }
    let other = cluster.robot.sign("POST", "/invoices", "");
    assert_eq!(asked_about(&charters[1], &other).await.status, 200);
    stop(charters);
}
