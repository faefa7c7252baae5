//! What is remembered is bounded, and nothing is forgotten for it: 429 for the one key, 503 for all.

use crate::service::TeamRole;

use super::INFO;
use crate::service::{Persona, Service};
use crate::services::TestDatabase;

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
    // Nothing was forgotten to make room, and nobody else has to wait.
    let replayed = first.send().await.status;
    assert!(matches!(replayed, 401 | 429), "{replayed}");
    other.get(INFO).await.ok();
    // Who waits as long as it was told passes.
    let wait = i64::try_from(number("retry-after")).expect("seconds");
    service.clock.advance(wait);
    service.replay_guard().maintain();
    greedy.get(INFO).await.ok();
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_guard_refuses_rather_than_forgets() {
    let settings = "[replay]\nper_key_quota = 3\ntotal = 3\n";
    let service = Service::with(TestDatabase::sqlite(), settings).await;
    let acme = service.organization("acme").await;
    let (one, other) = (acme.manager().await, acme.manager().await);
    let first = one.get(INFO).write();
    first.send().await.ok();
    one.get(INFO).await.ok();
    other.get(INFO).await.ok();
    let refused = other.get(INFO).await;
    refused.assert_refused(503, "UNAVAILABLE");
    let wait: i64 = refused
        .header("retry-after")
        .expect("a time")
        .parse()
        .expect("seconds");
    assert!((1..=331).contains(&wait), "{wait}");
    assert_ne!(first.send().await.status, 200);
    service.clock.advance(wait);
    service.replay_guard().maintain();
    other.get(INFO).await.ok();
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
