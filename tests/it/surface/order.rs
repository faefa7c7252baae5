//! The order of checks (contract section 2): routing, authentication, body, policy, the operation.

use serde_json::json;
use test_support::client::Client;
use test_support::on_both_services;
use test_support::service::{Persona, Service};
use tokio::time::{Duration, timeout};

const INFO: &str = "/organizations/info";

on_both_services!(
    the_target_comes_before_routing,
    routing_comes_before_authentication,
    authentication_comes_before_the_body,
    the_body_comes_before_policy,
    policy_comes_before_the_operation,
    a_body_of_a_stranger_is_not_read,
);

async fn the_target_comes_before_routing(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    for spelled in [
        "/organizations/info/",
        "//organizations/info",
        "/organizations//info",
        "/./organizations/info",
        "/accounts/../organizations/info",
        "/organizations/%69nfo",
        "/organizations/info?",
        "/organizations%2Finfo",
        "/organizations/info;a",
        "/nowhere/",
    ] {
        let written = manager.get(INFO).write().to(spelled);
        written
            .send()
            .await
            .assert_refused(400, "NON_CANONICAL_TARGET");
    }
}

async fn routing_comes_before_authentication(service: &Service) {
    let anyone = service.anonymous();
    for nowhere in [
        "/organizations",
        "/organizations/infos",
        "/accounts/a/b",
        "/Accounts",
    ] {
        anyone.get(nowhere).await.assert_refused(404, "NOT_FOUND");
    }
    for (target, methods, allowed) in [
        (INFO, &["POST", "PUT", "DELETE"][..], "GET, HEAD, PATCH"),
        ("/accounts", &["PUT", "PATCH", "DELETE"], "GET, HEAD, POST"),
        (
            "/accounts/x",
            &["PUT", "POST", "DELETE"],
            "GET, HEAD, PATCH",
        ),
        (
            "/service-accounts",
            &["PUT", "PATCH", "DELETE"],
            "GET, HEAD, POST",
        ),
        (
            "/service-accounts/x",
            &["PUT", "POST"],
            "DELETE, GET, HEAD, PATCH",
        ),
        (
            "/service-accounts/x/keys",
            &["PUT", "PATCH", "DELETE"],
            "GET, HEAD, POST",
        ),
        (
            "/service-accounts/x/keys/y",
            &["GET", "PUT", "PATCH", "POST"],
            "DELETE",
        ),
        (
            "/service-accounts/x/keys/y/rotate",
            &["GET", "PUT", "PATCH", "DELETE"],
            "POST",
        ),
    ] {
        for method in methods.iter().chain(&["OPTIONS", "TRACE", "BREW"]) {
            let answer = anyone.ask(method, target).await;
            answer.assert_refused(405, "METHOD_NOT_ALLOWED");
            let mut allow: Vec<_> = answer.header("allow").expect("allow").split(", ").collect();
            allow.sort_unstable();
            assert_eq!(allow.join(", "), allowed, "{method} {target}");
        }
    }
}

async fn authentication_comes_before_the_body(service: &Service) {
    let anyone = service.anonymous();
    for body in ["{", "[]", r#"{"unknown": 1}"#] {
        let answer = anyone.ask("PATCH", INFO).body(body).await;
        answer.assert_refused(401, "MISSING_CREDENTIALS");
    }
    let answer = anyone.get("/accounts?unknown=1").await;
    answer.assert_refused(401, "MISSING_CREDENTIALS");
    let answer = anyone.get("/accounts/malformed").await;
    answer.assert_refused(401, "MISSING_CREDENTIALS");
    let wrong_type = anyone
        .ask("POST", "/accounts")
        .typed("text/plain", "x")
        .await;
    wrong_type.assert_refused(401, "MISSING_CREDENTIALS");
}

async fn the_body_comes_before_policy(service: &Service) {
    let acme = service.organization("acme").await;
    let nobody = acme.signer(&[]).await;
    let other = acme.signer(&[]).await;
    let (account, one, keys) = (
        format!("/accounts/{}", acme.account.id),
        other.path(),
        other.keys(),
    );
    let rotate = format!("{}/rotate", other.key());
    for (method, target) in [
        ("PATCH", INFO),
        ("POST", "/accounts"),
        ("PATCH", &account),
        ("POST", "/service-accounts"),
        ("PATCH", &one),
        ("POST", &keys),
        ("POST", &rotate),
    ] {
        let asked = |body: &str| nobody.ask(method, target).body(body);
        asked("{").await.assert_refused(400, "MALFORMED_JSON");
        asked("[]").await.assert_refused(400, "WRONG_TYPE");
        asked(r#"{"unknown": 1}"#)
            .await
            .assert_refused(400, "UNKNOWN_FIELD");
        let untyped = nobody.ask(method, target).typed("text/plain", "{}").await;
        untyped.assert_refused(415, "UNSUPPORTED_MEDIA_TYPE");
        let queried = nobody
            .ask(method, &format!("{target}?a=1"))
            .json(&json!({}));
        assert_eq!(queried.await.status, 400, "{method} {target}");
    }
    for target in ["/accounts", "/service-accounts", &keys] {
        let answer = nobody.get(&format!("{target}?quantity=101")).await;
        answer.assert_refused(400, "BAD_PARAMETER");
    }
    for target in [
        INFO,
        "/accounts",
        &account,
        "/service-accounts",
        &one,
        &keys,
    ] {
        for query in ["a=1", "page=1&page=1", "page=%zz", "page", "a=1&b=2", "&"] {
            let answer = nobody.get(&format!("{target}?{query}")).await;
            answer.assert_refused(400, "BAD_PARAMETER");
        }
    }
    for target in [one.clone(), other.key()] {
        let answer = nobody.delete(&format!("{target}?force=true")).await;
        answer.assert_refused(400, "BAD_PARAMETER");
    }
}

async fn policy_comes_before_the_operation(service: &Service) {
    let acme = service.organization("acme").await;
    // A key that is dead, a condition that is stale, a default account, a name that nobody knows:
    // who may not ask learns nothing of it.
    let nobody = acme.signer(&[]).await;
    let manager = acme.manager().await;
    let dead = manager.post(&nobody.keys(), json!({})).await.created();
    let dead = service.holder(&dead);
    manager.delete(&dead.key()).await.no_content();
    let rotated = nobody
        .post(&format!("{}/rotate", dead.key()), json!({}))
        .await;
    rotated.assert_refused(403, "NOT_PERMITTED");
    let account = format!("/accounts/{}", acme.account.id);
    let inactive = nobody.patch(&account, json!({"is_active": false})).await;
    inactive.assert_refused(403, "NOT_PERMITTED");
    let roles = nobody
        .post(
            "/service-accounts",
            json!({"name": "x", "roles": ["unknown"]}),
        )
        .await;
    roles.assert_refused(403, "NOT_PERMITTED");
}

async fn a_body_of_a_stranger_is_not_read(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    let announced = manager.ask("PATCH", INFO).body("{}").write();
    let forged = announced.clone().instead(
        "authorization",
        &format!("HMAC {}:{}=", manager.signature.access_key, "A".repeat(43)),
    );
    for (written, code) in [
        (
            announced.clone().without("authorization"),
            "MISSING_CREDENTIALS",
        ),
        (
            announced.clone().without("x-nonce"),
            "MALFORMED_AUTHORIZATION",
        ),
        (
            announced.clone().instead("x-date", "2025-09-30T11:00:00Z"),
            "CLOCK_SKEW",
        ),
        (forged, "INVALID_SIGNATURE"),
    ] {
        // 60,000 bytes are announced, none comes: the answer does not wait for them.
        let mut client = Client::connect(written.address()).await;
        client.write(written.head(60_000)).await;
        let answer = timeout(Duration::from_secs(5), client.answer()).await;
        let answer = answer
            .expect("an answer before the body")
            .expect("an answer");
        answer.assert_refused(401, code);
        // And whoever asks first is told no, not to go on.
        let mut client = Client::connect(written.address()).await;
        let head = written.clone().with("expect", "100-continue").head(60_000);
        client.write(head).await;
        client
            .answer()
            .await
            .expect("an answer")
            .assert_refused(401, code);
    }
}
