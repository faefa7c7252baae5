//! `DELETE /service-accounts/{id}/keys/{key_id}`

use serde_json::json;
use test_support::on_both_services;
use test_support::service::{Persona, Service};

on_both_services!(
    revoking_is_for_good_and_once_more_does_no_harm,
    other_keys_live_on
);

async fn revoking_is_for_good_and_once_more_does_no_harm(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, other) = (acme.manager().await, acme.manager().await);
    other.get("/accounts").await.ok();
    service.clock.advance(60);
    manager.delete(&other.key()).await.no_content();
    other
        .get("/accounts")
        .await
        .assert_refused(401, "KEY_REVOKED");
    service.clock.advance(60);
    manager.delete(&other.key()).await.no_content();
    let list = manager
        .get(&format!("{}?include_inactive=true", other.keys()))
        .await
        .ok();
    let key = &list["results"][0];
    // The first time is the one that is remembered.
    assert_eq!(
        (&key["revoked_at"], &key["is_active"]),
        (&json!("2025-09-30T12:01:00Z"), &json!(false))
    );
    // Nor does it come back with its service account.
    for active in [false, true] {
        manager
            .patch(&other.path(), json!({"is_active": active}))
            .await
            .ok();
    }
    other
        .get("/accounts")
        .await
        .assert_refused(401, "KEY_REVOKED");
}

async fn other_keys_live_on(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, other) = (acme.manager().await, acme.manager().await);
    let second = service.holder(&manager.post(&other.keys(), json!({})).await.created());
    manager.delete(&other.key()).await.no_content();
    second.get("/accounts").await.ok();
    manager.get("/accounts").await.ok();
}
