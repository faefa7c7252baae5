//! `POST /leaked-keys`: who can show a secret may end it.

use std::time::Duration;

use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};
use test_support::client::Answer;
use test_support::on_both_services;
use test_support::service::{Persona, Request, Service, Signer, all_at_once};
use test_support::services::connect;
use tokio::task::JoinSet;
use tokio::time::Instant;

const LEAKED: &str = "/leaked-keys";

on_both_services!(
    a_real_pair_ends_the_key,
    a_wrong_pair_revokes_nothing,
    keys_of_disabled_owners_and_expired_ones_end_too,
    a_right_pair_is_answered_like_a_wrong_one,
    a_wrong_form_is_refused,
    reports_are_limited_by_address,
    a_web_page_may_report,
    a_leak_report_is_answered_after_the_key_has_ended,
);

fn pair(signer: &Signer) -> Value {
    json!({
        "access_key": signer.signature.access_key,
        "secret_key": signer.signature.secret_key,
    })
}

fn report(service: &Service, body: Value) -> Request {
    service.anonymous().post(LEAKED, body)
}

async fn a_real_pair_ends_the_key(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, leaked) = (acme.manager().await, acme.manager().await);
    leaked.get("/accounts").await.ok();
    let request = report(service, pair(&leaked)).header("x-request-id", "scan-1");
    request.await.no_content();
    let refused = leaked.get("/accounts").await;
    refused.assert_refused(401, "KEY_REVOKED");
    let events = manager.get("/audit-events?actor=leak-report").await.ok();
    let events = events["results"].as_array().expect("events").clone();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["action"], "person.ReportLeakedKey");
    assert_eq!(events[0]["object"], json!(leaked.key_id));
    assert_eq!(events[0]["request_id"], "scan-1");
    assert_eq!(events[0]["policy_digest"], json!(null));
    assert_eq!(events[0]["changes"]["before"], json!({"revoked_at": null}));
    // Once more: nothing is left to do.
    report(service, pair(&leaked)).await.no_content();
    let audited = service.audited("person.ReportLeakedKey").await;
    assert_eq!(audited.len(), 1);
    manager.get("/accounts").await.ok();
}

async fn a_wrong_pair_revokes_nothing(service: &Service) {
    let acme = service.organization("acme").await;
    let (one, other) = (acme.manager().await, acme.manager().await);
    let (key, secret) = (&one.signature.access_key, &one.signature.secret_key);
    for (key, secret) in [
        (key.as_str(), other.signature.secret_key.as_str()),
        (key, ""),
        (key, &secret[..secret.len() - 1]),
        (key, &format!("{secret}x")),
        (key, &format!(" {secret}")),
        (key, &secret.to_uppercase()),
        (key, key),
        (&key.to_uppercase(), secret),
        ("", secret),
        ("sa_aaaaaa_aaaaaa_aaaaaaaaaaaaaaaaaaaa", secret),
        ("\0", "\0"),
        ("' OR 1=1 --", "\u{202e}"),
        (&one.key_id, secret),
    ] {
        let body = json!({"access_key": key, "secret_key": secret});
        report(service, body).await.no_content();
    }
    one.get("/accounts").await.ok();
    other.get("/accounts").await.ok();
}

async fn keys_of_disabled_owners_and_expired_ones_end_too(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, disabled, owner) = (
        acme.manager().await,
        acme.manager().await,
        acme.manager().await,
    );
    let off = json!({"is_active": false});
    manager.patch(&disabled.path(), off).await.ok();
    let soon = json!({"expires_at": service.clock.in_seconds(60)});
    let expired = manager.post(&owner.keys(), soon).await.created();
    let expired = service.holder(&expired);
    service.clock.advance(61);
    let mut keys = Vec::new();
    for leaked in [&disabled, &expired] {
        report(service, pair(leaked)).await.no_content();
        keys.push(leaked.key_id.clone());
    }
    manager
        .patch(&disabled.path(), json!({"is_active": true}))
        .await
        .ok();
    let refused = disabled.get("/accounts").await;
    refused.assert_refused(401, "KEY_REVOKED");
    let audited = service.audited("person.ReportLeakedKey").await;
    let objects: Vec<_> = audited
        .iter()
        .map(|(_, object, _)| object.clone())
        .collect();
    assert_eq!(objects, keys);
}

async fn a_right_pair_is_answered_like_a_wrong_one(service: &Service) {
    let acme = service.organization("acme").await;
    let leaked = acme.manager().await;
    let unknown = json!({"access_key": "sa_aaaaaa_aaaaaa_aaaaaaaaaaaaaaaaaaaa", "secret_key": "x"});
    let plain = |answer: &Answer| answer.without_request_id();
    let mut answers = Vec::new();
    for body in [unknown, pair(&leaked), pair(&leaked)] {
        let began = Instant::now();
        let answer = report(service, body).await;
        // Its time is set, not that of the work.
        assert!(began.elapsed() >= Duration::from_millis(250));
        answers.push(plain(&answer));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

async fn a_wrong_form_is_refused(service: &Service) {
    let leaked = service.organization("acme").await.manager().await;
    let mut more = pair(&leaked);
    more["x"] = json!(1);
    for (body, code) in [
        (json!({}), "MISSING_FIELD"),
        (json!({"access_key": "x"}), "MISSING_FIELD"),
        (json!({"access_key": "x", "secret_key": 1}), "WRONG_TYPE"),
        (json!({"access_key": null, "secret_key": "x"}), "WRONG_TYPE"),
        (more, "UNKNOWN_FIELD"),
    ] {
        report(service, body).await.assert_refused(400, code);
    }
    let text = service.anonymous().ask("POST", LEAKED).body("{");
    text.await.assert_refused(400, "MALFORMED_JSON");
    let form = service.anonymous().ask("POST", LEAKED);
    let form = form.typed("text/plain", pair(&leaked).to_string());
    form.await.assert_refused(415, "UNSUPPORTED_MEDIA_TYPE");
    let query = service.anonymous().post("/leaked-keys?x=1", pair(&leaked));
    query.await.assert_refused(400, "BAD_PARAMETER");
    // The limit is that of every body.
    let of_length = |length: usize| {
        let mut body = json!({"access_key": "x", "secret_key": "x"}).to_string();
        body += &" ".repeat(length - body.len());
        service.anonymous().ask("POST", LEAKED).body(body)
    };
    of_length(64 * 1024).await.no_content();
    let long = of_length(64 * 1024 + 1).await;
    long.assert_refused(413, "PAYLOAD_TOO_LARGE");
    let read = service.anonymous().get(LEAKED).await;
    read.assert_refused(405, "METHOD_NOT_ALLOWED");
    // None of it was a report.
    leaked.get("/accounts").await.ok();
}

async fn reports_are_limited_by_address(service: &Service) {
    let leaked = service.organization("acme").await.manager().await;
    let wrong = json!({"access_key": leaked.signature.access_key, "secret_key": "x"});
    let reports = (0..60).map(|_| report(service, wrong.clone()).write());
    for answer in all_at_once(reports).await {
        answer.no_content();
    }
    let refused = report(service, pair(&leaked)).await;
    refused.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    leaked.get("/accounts").await.ok();
    service.clock.advance(60);
    report(service, pair(&leaked)).await.no_content();
    leaked
        .get("/accounts")
        .await
        .assert_refused(401, "KEY_REVOKED");
}

/// The pair itself is the proof; whose page shows it is no matter.
async fn a_web_page_may_report(service: &Service) {
    let leaked = service.organization("acme").await.manager().await;
    let asked = service.anonymous().ask("OPTIONS", LEAKED);
    let allowed = asked
        .header("origin", "https://scanner.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type")
        .await;
    assert_eq!(allowed.status, 204);
    assert_eq!(
        allowed.header("access-control-allow-headers"),
        Some("content-type")
    );
    let from_page = report(service, pair(&leaked)).header("origin", "https://scanner.example");
    let reported = from_page.await;
    for answer in [&allowed, &reported] {
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    reported.no_content();
    let refused = leaked.get("/accounts").await;
    refused.assert_refused(401, "KEY_REVOKED");
}

async fn a_leak_report_is_answered_after_the_key_has_ended(service: &Service) {
    let acme = service.organization("acme").await;
    let leaked = acme.manager().await;
    let holder = connect(service.database_url()).await;
    let lock = match holder.get_database_backend() {
        sea_orm::DbBackend::Sqlite => "BEGIN IMMEDIATE",
        _ => "BEGIN; SELECT id FROM organizations FOR UPDATE",
    };
    holder.execute_unprepared(lock).await.expect("locked");
    let reported = report(service, pair(&leaked)).write();
    let mut answers = JoinSet::new();
    answers.spawn(async move { reported.send().await });
    // Longer than the answer takes where nothing is to be done.
    let unknown = json!({"access_key": "sa_aaaaaa_aaaaaa_aaaaaaaaaaaaaaaaaaaa", "secret_key": "x"});
    for _ in 0..3 {
        report(service, unknown.clone()).await.no_content();
    }
    assert!(answers.try_join_next().is_none());
    holder.execute_unprepared("ROLLBACK").await.expect("free");
    for answer in answers.join_all().await {
        answer.no_content();
    }
    let refused = leaked.get("/accounts").await;
    refused.assert_refused(401, "KEY_REVOKED");
    let audited = service.audited("person.ReportLeakedKey").await;
    assert_eq!(audited.len(), 1);
}
