//! `DELETE /service-accounts/{id}`: soft, and for good.

use serde_json::json;
use test_support::on_both_services;
use test_support::service::{Persona, Service};

use super::SERVICE_ACCOUNTS;

on_both_services!(
    deleted_service_accounts_are_404,
    a_deletion_may_be_conditional,
    one_may_delete_oneself,
);

async fn deleted_service_accounts_are_404(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, other) = (acme.manager().await, acme.manager().await);
    let never_there = manager.get("/service-accounts/x").await;
    manager.delete(&other.path()).await.no_content();
    for answer in [
        manager.get(&other.path()).await,
        manager
            .patch(&other.path(), json!({"is_active": true}))
            .await,
        manager.delete(&other.path()).await,
        manager.get(&other.keys()).await,
        manager.post(&other.keys(), json!({})).await,
        manager.delete(&other.key()).await,
        manager
            .post(&format!("{}/rotate", other.key()), json!({}))
            .await,
    ] {
        assert_eq!(
            answer.without_request_id(),
            never_there.without_request_id()
        );
    }
    let listed = manager
        .get(&format!("{SERVICE_ACCOUNTS}?include_deleted=true"))
        .await
        .ok();
    let results = listed["results"].as_array().expect("an array");
    let ghost = results
        .iter()
        .find(|item| item["id"] == *other.id)
        .expect("the deleted one");
    assert_eq!(ghost["is_active"], false);
}

async fn a_deletion_may_be_conditional(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, other) = (acme.manager().await, acme.signer(&[]).await);
    let stale = manager.get(&other.path()).await.etag();
    let current = manager
        .patch(&other.path(), json!({"name": "x"}))
        .await
        .etag();
    let refused = manager
        .delete(&other.path())
        .header("if-match", &stale)
        .await;
    refused.assert_refused(412, "PRECONDITION_FAILED");
    manager
        .delete(&other.path())
        .header("if-match", &current)
        .await
        .no_content();
}

async fn one_may_delete_oneself(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    manager.delete(&manager.path()).await.no_content();
    manager
        .get(SERVICE_ACCOUNTS)
        .await
        .assert_refused(401, "KEY_REVOKED");
}
