//! The state of a key is told to whoever holds its secret, and holds at the next request.

use std::time::Duration;

use charter_domain::clock::Clock as _;
use sea_orm::ConnectionTrait as _;
use serde_json::json;
use test_support::on_both_services;
use test_support::service::{Grants, Persona, Service, everything};
use tokio::time::Instant;

use super::INFO;

on_both_services!(
    a_revoked_key_is_refused_at_the_next_request,
    an_expired_key_is_refused_from_its_second_on,
    a_key_is_used_from_its_allowlist_only,
    a_disabled_service_account_is_refused_and_comes_back,
    a_disabled_account_disables_its_service_accounts,
    a_deleted_service_accounts_keys_are_revoked,
    a_deactivated_organizations_keys_are_revoked_for_good,
    the_reason_that_cannot_be_mended_comes_first,
    a_key_that_cannot_be_read_is_answered_as_an_unknown_one,
);

async fn a_revoked_key_is_refused_at_the_next_request(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, other) = (acme.manager().await, acme.manager().await);
    for _ in 0..3 {
        other.get(INFO).await.ok();
    }
    manager.delete(&other.key()).await.no_content();
    other.get(INFO).await.assert_refused(401, "KEY_REVOKED");
    other
        .get(INFO)
        .over_h2()
        .await
        .assert_refused(401, "KEY_REVOKED");
    manager.get(INFO).await.ok();
    // One may revoke the key one signs with; it is the last thing it does.
    manager.delete(&manager.key()).await.no_content();
    manager.get(INFO).await.assert_refused(401, "KEY_REVOKED");
}

async fn an_expired_key_is_refused_from_its_second_on(service: &Service) {
    let acme = service.organization("acme").await;
    let signer = acme
        .signer_with(Grants {
            permissions: &everything(),
            expires_at: Some(service.clock.now() + Duration::from_mins(1)),
            ..Grants::default()
        })
        .await;
    service.clock.advance_milliseconds(59_999);
    signer.get(INFO).await.ok();
    service.clock.advance_milliseconds(1);
    signer.get(INFO).await.assert_refused(401, "KEY_EXPIRED");
}

async fn a_key_is_used_from_its_allowlist_only(service: &Service) {
    let acme = service.organization("acme").await;
    let permissions = everything();
    for (allowlist, admitted) in [
        (&["127.0.0.1"][..], true),
        (&["10.0.0.0/8", "127.0.0.0/8"], true),
        (&["0.0.0.0/0"], true),
        (&["10.0.0.0/8"], false),
        (&["127.0.0.2", "::1"], false),
        (&["::/0"], false),
    ] {
        let signer = acme
            .signer_with(Grants {
                permissions: &permissions,
                ip_allowlist: allowlist,
                ..Grants::default()
            })
            .await;
        // The client's own word for its address counts for nothing.
        let answer = signer.get(INFO).header("x-forwarded-for", "10.0.0.1").await;
        if admitted {
            answer.ok();
        } else {
            answer.assert_refused(401, "IP_NOT_ALLOWED");
        }
    }
}

async fn a_disabled_service_account_is_refused_and_comes_back(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, other) = (acme.manager().await, acme.manager().await);
    other.get(INFO).await.ok();
    manager
        .patch(&other.path(), json!({"is_active": false}))
        .await
        .ok();
    other
        .get(INFO)
        .await
        .assert_refused(401, "SERVICE_ACCOUNT_DISABLED");
    manager
        .patch(&other.path(), json!({"is_active": true}))
        .await
        .ok();
    other.get(INFO).await.ok();
}

async fn a_disabled_account_disables_its_service_accounts(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let made = manager
        .post("/accounts", json!({"name": "Staging"}))
        .await
        .created();
    let id = made["id"].as_str().expect("an id");
    let account = format!("/accounts/{id}");
    let stored = acme.stored().account(id.parse().expect("an id")).await;
    let stored = stored.expect("the account");
    let permissions = everything();
    let grants = || Grants {
        permissions: &permissions,
        ..Grants::default()
    };
    let inside = acme.signer_in(&stored, grants()).await;
    inside.get(INFO).await.ok();
    manager
        .patch(&account, json!({"is_active": false}))
        .await
        .ok();
    inside
        .get(INFO)
        .await
        .assert_refused(401, "SERVICE_ACCOUNT_DISABLED");
    manager.get(INFO).await.ok();
    manager
        .patch(&account, json!({"is_active": true}))
        .await
        .ok();
    inside.get(INFO).await.ok();
}

async fn a_deleted_service_accounts_keys_are_revoked(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, other) = (acme.manager().await, acme.manager().await);
    let second = manager.post(&other.keys(), json!({})).await.created();
    let second = service.holder(&second);
    second.get(INFO).await.ok();
    manager.delete(&other.path()).await.no_content();
    other.get(INFO).await.assert_refused(401, "KEY_REVOKED");
    second.get(INFO).await.assert_refused(401, "KEY_REVOKED");
}

async fn a_deactivated_organizations_keys_are_revoked_for_good(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let other = service.organization("other").await.manager().await;
    manager.get(INFO).await.ok();
    let by = service.operator();
    let deactivated = acme.stored().by(&by).deactivate_organization(None).await;
    deactivated.expect("a deactivated organization");
    manager.get(INFO).await.assert_refused(401, "KEY_REVOKED");
    let patch = manager.patch(INFO, json!({"name": "x"})).await;
    patch.assert_refused(401, "KEY_REVOKED");
    other.get(INFO).await.ok();
    let store = service.store();
    let reactivated = store
        .reactivate_organization(acme.organization.id, &by)
        .await;
    reactivated.expect("an active organization");
    manager.get(INFO).await.assert_refused(401, "KEY_REVOKED");
    acme.manager().await.get(INFO).await.ok();
}

async fn the_reason_that_cannot_be_mended_comes_first(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let worst = acme
        .signer_with(Grants {
            permissions: &everything(),
            expires_at: Some(service.clock.now() + Duration::from_mins(1)),
            ip_allowlist: &["10.0.0.1"],
            ..Grants::default()
        })
        .await;
    worst.get(INFO).await.assert_refused(401, "IP_NOT_ALLOWED");
    service.clock.advance(60);
    worst.get(INFO).await.assert_refused(401, "KEY_EXPIRED");
    manager
        .patch(&worst.path(), json!({"is_active": false}))
        .await
        .ok();
    worst
        .get(INFO)
        .await
        .assert_refused(401, "SERVICE_ACCOUNT_DISABLED");
    manager.delete(&worst.key()).await.no_content();
    worst.get(INFO).await.assert_refused(401, "KEY_REVOKED");
}

async fn a_key_that_cannot_be_read_is_answered_as_an_unknown_one(service: &Service) {
    let acme = service.organization("acme").await;
    let raw = test_support::services::connect(service.database_url()).await;
    let spoil = [
        ("sealed_secret", "sealing_key_id = 'lost'"),
        ("ip_allowlist", "ip_allowlist = '[\"nowhere\"]'"),
    ];
    for (what, spoilt) in spoil {
        let signer = acme.manager().await;
        let key = &signer.signature.access_key;
        let statement = format!("UPDATE access_keys SET {spoilt} WHERE access_key = '{key}'");
        let done = raw.execute_unprepared(&statement).await.expect(&statement);
        assert_eq!(done.rows_affected(), 1, "{statement}");
        let refused = |access_key: &str| {
            let mut unreadable = signer.clone();
            unreadable.signature.access_key = access_key.to_owned();
            unreadable
        };
        let other_end = if key.ends_with('x') { 'y' } else { 'x' };
        let unknown = format!("{}{other_end}", &key[..key.len() - 1]);
        let mut answers = Vec::new();
        for access_key in [key.as_str(), &unknown] {
            let started = Instant::now();
            let answer = refused(access_key)
                .get(INFO)
                .header("x-request-id", "same")
                .await;
            assert!(
                started.elapsed() >= Duration::from_millis(5),
                "{what}: answered early"
            );
            answer.assert_refused(401, "INVALID_SIGNATURE");
            let error = answer.json()["error"].clone();
            answers.push((
                error["message"].clone(),
                error.as_object().expect("an object").len(),
            ));
        }
        assert_eq!(answers[0], answers[1], "{what}");
        let pair = json!({"access_key": key, "secret_key": signer.signature.secret_key});
        service
            .anonymous()
            .post("/leaked-keys", pair)
            .await
            .no_content();
    }
}
