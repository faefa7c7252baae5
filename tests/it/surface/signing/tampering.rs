//! What is signed cannot be changed, and a stranger learns nothing from being refused.

use serde_json::json;
use test_support::client::Answer;
use test_support::on_both_services;
use test_support::service::{Persona, Service, new_nonce};

use super::INFO;

on_both_services!(
    signed_parts_cannot_be_changed,
    refusals_before_a_valid_signature_are_alike,
    a_client_can_compare_what_was_to_be_signed,
    the_target_is_signed_as_it_is_sent,
    the_body_is_the_one_that_was_signed,
    the_hash_is_asked_after_the_keys_state,
);

async fn signed_parts_cannot_be_changed(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    let other = service.organization("other").await.manager().await;
    for over_h2 in [false, true] {
        let signed = manager.get("/accounts?page=1&quantity=5").write();
        let signed = if over_h2 { signed.over_h2() } else { signed };
        let foreign = signed
            .header("authorization")
            .replace(&manager.signature.access_key, &other.signature.access_key);
        for tampered in [
            signed.clone().to("/accounts?page=1&quantity=6"),
            signed.clone().to("/accounts?quantity=5&page=1"),
            signed.clone().to("/accounts?page=1&quantity=%35"),
            signed.clone().to("/accounts"),
            signed.clone().to("/service-accounts?page=1&quantity=5"),
            signed.clone().by("POST"),
            signed.clone().instead("x-date", "2025-09-30T12:00:01Z"),
            signed.clone().instead("x-date", "2025-09-30T12:00:00.0Z"),
            signed.clone().instead("x-nonce", &new_nonce()),
            signed.clone().instead("x-content-sha256", &"0".repeat(64)),
            signed.clone().instead("authorization", &foreign),
        ] {
            tampered
                .send()
                .await
                .assert_refused(401, "INVALID_SIGNATURE");
        }
        // None of it has spent the nonce.
        signed.send().await.ok();
    }
}

async fn refusals_before_a_valid_signature_are_alike(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let known = manager.get(INFO).write();
    let mut wrong_secret = manager.clone();
    wrong_secret.signature.secret_key.push('x');
    let mut unknown_key = manager.clone();
    unknown_key.signature.access_key = "sa_aaaaaa_bbbbbb_nobody".to_owned();
    let mut secret_without_prefix = manager.clone();
    let secret = &mut secret_without_prefix.signature.secret_key;
    *secret = secret.trim_start_matches("charter_sk_").to_owned();
    // The state of a key is nobody's business who cannot sign with it.
    let revoked = acme.signer(&[]).await;
    manager.delete(&revoked.key()).await.no_content();
    let mut guesser = revoked.clone();
    guesser.signature.secret_key = "sk_live_guess".to_owned();
    let first = known.clone().by("PATCH").send().await;
    first.assert_refused(401, "INVALID_SIGNATURE");
    for stranger in [
        &wrong_secret,
        &unknown_key,
        &secret_without_prefix,
        &guesser,
    ] {
        let answer = stranger.get(INFO).await;
        assert_eq!(alike(&answer), alike(&first));
    }
    revoked.get(INFO).await.assert_refused(401, "KEY_REVOKED");
}

/// An `INVALID_SIGNATURE`, less what is of this one request: its id and the text to sign.
fn alike(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let text = answer.json()["error"]["string_to_sign"].to_string();
    let (status, mut headers, body) = answer.without_request_id();
    headers.retain(|(name, _)| name != "content-length");
    (status, headers, body.replace(&text, "…"))
}

async fn a_client_can_compare_what_was_to_be_signed(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    for over_h2 in [false, true] {
        let body = r#"{"name":"Ümläut"}"#;
        let asked = manager
            .ask("PATCH", "/organizations/info?a=%20b&c")
            .body(body);
        let asked = asked
            .dated("2025-09-30T12:00:00.5Z")
            .nonce("nonce-compared");
        let signed = asked.write().with("x-unsigned", "1");
        let signed = if over_h2 { signed.over_h2() } else { signed };
        let hash = signed.header("x-content-sha256").to_owned();
        let tampered = signed.instead("x-nonce", "nonce-exchanged").send().await;
        tampered.assert_refused(401, "INVALID_SIGNATURE");
        assert_eq!(
            tampered.json()["error"]["string_to_sign"],
            format!(
                "PATCH\n/organizations/info\na=%20b&c\n2025-09-30T12:00:00.5Z\nnonce-exchanged\n{hash}"
            )
        );
    }
    // Of who has proved nothing, and of nobody else.
    let missing = service.anonymous().get(INFO).await;
    assert!(missing.json()["error"]["string_to_sign"].is_null());
}

async fn the_target_is_signed_as_it_is_sent(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    for target in [
        "/accounts?page=1",
        "/accounts?quantity=5&page=1",
        "/accounts?pag%65=1",
        "/accounts?order_by=%2Dname",
        "/accounts?order_by=name&include_inactive=true",
    ] {
        manager.get(target).await.ok();
        manager.get(target).over_h2().await.ok();
    }
    // What the query says is asked only of who signed it.
    for target in [
        "/accounts?",
        "/accounts?a=b=c",
        "/accounts?page=1&page=2",
        "/accounts?%zz=1",
    ] {
        if let Some(signed) = target.strip_suffix('?') {
            let written = manager.get(signed).write().to(target);
            written
                .send()
                .await
                .assert_refused(400, "NON_CANONICAL_TARGET");
        } else {
            manager
                .get(target)
                .await
                .assert_refused(400, "BAD_PARAMETER");
        }
    }
}

async fn the_body_is_the_one_that_was_signed(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    let signed = manager.patch(INFO, json!({"name": "Signed"})).write();
    for over_h2 in [false, true] {
        for body in [
            r#"{"name":"Forged"}"#,
            r#"{"name":"Signed"} "#,
            r#"{"name": "Signed"}"#,
            "",
            "{}",
        ] {
            let swapped = signed.clone().carrying(body);
            let swapped = if over_h2 { swapped.over_h2() } else { swapped };
            swapped
                .send()
                .await
                .assert_refused(401, "BODY_HASH_MISMATCH");
        }
    }
    // A GET's body counts too.
    let get = manager.get(INFO).write();
    let loaded = get.clone().carrying("{}");
    loaded
        .send()
        .await
        .assert_refused(401, "BODY_HASH_MISMATCH");
    // A wrong body has not spent the nonce.
    assert_eq!(signed.send().await.ok()["name"], "Signed");
    get.send().await.ok();
}

async fn the_hash_is_asked_after_the_keys_state(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, revoked) = (acme.manager().await, acme.manager().await);
    manager.delete(&revoked.key()).await.no_content();
    let swapped = revoked
        .patch(INFO, json!({"name": "x"}))
        .write()
        .carrying("{}");
    swapped.send().await.assert_refused(401, "KEY_REVOKED");
}
