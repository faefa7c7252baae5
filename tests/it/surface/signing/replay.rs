//! A nonce is spent once, whatever the answer.

use serde_json::json;
use test_support::on_both_services;
use test_support::service::{Persona, Service};
use tokio::task::JoinSet;

use super::INFO;

on_both_services!(
    a_request_passes_once,
    a_nonce_is_spent_whatever_the_answer,
    a_nonce_is_not_spent_by_who_was_not_let_in,
    a_nonce_belongs_to_its_key,
    ten_concurrent_equal_requests_pass_once,
    a_nonce_is_remembered_until_its_date_has_left_the_window,
    a_nonce_has_its_alphabet_and_length,
);

async fn a_request_passes_once(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    let signed = manager.get(INFO).write();
    signed.send().await.ok();
    signed.send().await.assert_refused(401, "REPLAYED_NONCE");
    signed
        .clone()
        .over_h2()
        .send()
        .await
        .assert_refused(401, "REPLAYED_NONCE");
    // The nonce counts, not the request: another one signed with it is a replay too.
    let nonce = signed.header("x-nonce");
    manager
        .get("/accounts")
        .nonce(nonce)
        .await
        .assert_refused(401, "REPLAYED_NONCE");
    // Nor does another date make it new.
    for seconds in [1, 30, 120, -1, -30, -120, 300, -300] {
        let again = manager.get(INFO).nonce(nonce);
        let again = again.dated(&service.clock.in_seconds(seconds)).await;
        again.assert_refused(401, "REPLAYED_NONCE");
    }
}

async fn a_nonce_is_spent_whatever_the_answer(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, nobody) = (acme.manager().await, acme.signer(&[]).await);
    for (written, status) in [
        (nobody.get(INFO).write(), 403),
        (manager.ask("PATCH", INFO).body("{").write(), 400),
        (
            manager.ask("PATCH", INFO).typed("text/plain", "x").write(),
            415,
        ),
        (manager.patch(INFO, json!({"id": 1})).write(), 422),
        (
            manager
                .patch(INFO, json!({}))
                .header("if-match", "\"x\"")
                .write(),
            412,
        ),
        (manager.get("/accounts/malformed").write(), 404),
        (manager.get("/accounts?x=1").write(), 400),
        (manager.get(INFO).header("if-none-match", "*").write(), 304),
    ] {
        assert_eq!(written.send().await.status, status);
        written.send().await.assert_refused(401, "REPLAYED_NONCE");
    }
}

async fn a_nonce_is_not_spent_by_who_was_not_let_in(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, other) = (acme.manager().await, acme.manager().await);
    let own = other.get(INFO).write();
    let inactive = manager.patch(&other.path(), json!({"is_active": false}));
    inactive.await.ok();
    own.send()
        .await
        .assert_refused(401, "SERVICE_ACCOUNT_DISABLED");
    let active = manager.patch(&other.path(), json!({"is_active": true}));
    active.await.ok();
    own.send().await.ok();
}

async fn a_nonce_belongs_to_its_key(service: &Service) {
    let acme = service.organization("acme").await;
    let (one, other) = (acme.manager().await, acme.manager().await);
    one.get(INFO).nonce("the-same-nonce").await.ok();
    other.get(INFO).nonce("the-same-nonce").await.ok();
    let foreign = service.organization("other").await.manager().await;
    foreign.get(INFO).nonce("the-same-nonce").await.ok();
    let second = one.post(&one.keys(), json!({})).await.created();
    service
        .holder(&second)
        .get(INFO)
        .nonce("the-same-nonce")
        .await
        .ok();
    one.get(INFO)
        .nonce("the-same-nonce")
        .await
        .assert_refused(401, "REPLAYED_NONCE");
}

async fn ten_concurrent_equal_requests_pass_once(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    for round in 0..5 {
        let body = json!({"metadata": {"round": round}});
        let signed = manager.patch(INFO, body).write();
        let mut tasks = JoinSet::new();
        for number in 0..10 {
            let signed = if number % 2 == 0 {
                signed.clone()
            } else {
                signed.clone().over_h2()
            };
            tasks.spawn(async move { signed.send().await });
        }
        let answers = tasks.join_all().await;
        let (passed, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status == 200);
        assert_eq!(passed.len(), 1);
        for answer in refused {
            answer.assert_refused(401, "REPLAYED_NONCE");
        }
    }
}

async fn a_nonce_is_remembered_until_its_date_has_left_the_window(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    let early = manager
        .get(INFO)
        .dated(&service.clock.in_seconds(300))
        .write();
    early.send().await.ok();
    for _ in 0..600 / 50 {
        service.clock.advance(50);
        early.send().await.assert_refused(401, "REPLAYED_NONCE");
    }
    service.clock.advance(1);
    early.send().await.assert_refused(401, "CLOCK_SKEW");
}

async fn a_nonce_has_its_alphabet_and_length(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let longest = "n".repeat(128);
    for nonce in ["12345678", "AZaz09._~-", "........", &longest] {
        manager.get(INFO).nonce(nonce).await.ok();
    }
    // Capitals are other letters.
    manager.get(INFO).nonce("abcdefgh").await.ok();
    manager.get(INFO).nonce("Abcdefgh").await.ok();
}
