//! What is remembered is bounded, and nothing is forgotten for it: 429 for the one key, 503 for all.

use test_support::service::{Persona, Service, TeamRole};
use test_support::services::TestDatabase;

use super::INFO;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_has_used_up_its_nonces_waits() {
    let settings = "[replay]\nper_key_quota = 3\ntotal = 100\n";
    let service = Service::with(TestDatabase::sqlite(), settings).await;
    let acme = service.organization("acme").await;
    let (greedy, other) = (acme.manager().await, acme.manager().await);
    let first = greedy.get(INFO).write();
    first.send().await.ok();
    for _ in 0..2 {
        greedy.get(INFO).await.ok();
    }
    let refused = greedy.get(INFO).await;
    refused.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    let number = |name: &str| -> u64 { refused.header(name).expect(name).parse().expect(name) };
    assert_eq!(
        (number("x-ratelimit-limit"), number("x-ratelimit-remaining")),
        (3, 0)
    );
    assert_eq!(number("x-ratelimit-reset"), number("retry-after"));
    let message = refused.json()["error"]["message"].to_string();
    assert!(message.contains("remembers 3 nonces"), "{message}");
    // Nothing was forgotten to make room, and nobody else has to wait.
    let replayed = first.send().await.status;
    assert!(matches!(replayed, 401 | 429), "{replayed}");
    other.get(INFO).await.ok();
    // Who waits as long as it was told passes.
    let wait = i64::try_from(number("retry-after")).expect("seconds");
    service.clock.advance(wait);
    service.replay_guard().maintain().await;
    greedy.get(INFO).await.ok();
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organization_that_has_used_up_its_nonces_waits_alone() {
    let settings = "[replay]\nper_key_quota = 100\ntotal = 40\n[budgets]\nnonces_percent = 15\n";
    let service = Service::with(TestDatabase::sqlite(), settings).await;
    let (acme, globex) = (
        service.organization("acme").await,
        service.organization("globex").await,
    );
    let keys = [
        acme.manager().await,
        acme.manager().await,
        acme.manager().await,
        acme.manager().await,
    ];
    let other = globex.manager().await;
    for n in 0..6 {
        keys[n % 4].get(INFO).await.ok();
    }
    for key in &keys {
        let refused = key.get(INFO).await;
        refused.assert_refused(429, "RATE_LIMIT_EXCEEDED");
        let headers = ["limit", "remaining", "reset"]
            .map(|name| refused.header(&format!("x-ratelimit-{name}")).expect(name));
        assert_eq!(headers[..2], ["6", "0"]);
        assert_eq!(Some(headers[2]), refused.header("retry-after"));
        let message = refused.json()["error"]["message"].to_string();
        assert!(
            message.contains("its share of remembered nonces"),
            "{message}"
        );
    }
    for _ in 0..4 {
        other.get(INFO).await.ok();
    }
    let ready = service.operator_side().get("/readyz").await.ok();
    assert_eq!(ready["status"], "degraded");
    let reason = ready["replay_guard"]["reason"].as_str().expect("a reason");
    let id = acme.organization.id;
    assert_eq!(
        reason,
        format!("{id} has used 100 % of its share of nonces, see `budgets.nonces_percent`")
    );
    service.clock.advance(331);
    service.replay_guard().maintain().await;
    keys[0].get(INFO).await.ok();
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_asks_too_often_waits_and_others_do_not() {
    let settings = "[rate_limits]\nkey_rate = 1\nkey_burst = 2\norganization_rate = 100\n";
    let service = Service::with(TestDatabase::sqlite(), settings).await;
    let acme = service.organization("acme").await;
    let (hasty, other) = (acme.manager().await, acme.manager().await);
    for _ in 0..2 {
        hasty.get(INFO).await.ok();
    }
    let refused = hasty.get(INFO).await;
    refused.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(refused.header("x-ratelimit-limit"), Some("1"));
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    other.get(INFO).await.ok();
    service.clock.advance(1);
    hasty.get(INFO).await.ok();
    // A person's session has a share like a key's.
    let (person, calm) = (
        acme.person(TeamRole::Member).await,
        acme.person(TeamRole::Admin).await,
    );
    for _ in 0..2 {
        person.get("/accounts").await.ok();
    }
    let refused = person.get("/accounts").await;
    refused.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(refused.header("retry-after"), Some("1"));
    calm.get("/accounts").await.ok();
    service.clock.advance(1);
    person.get("/accounts").await.ok();
    service.stop().await;
}
