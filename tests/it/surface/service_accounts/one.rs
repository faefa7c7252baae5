//! `GET` and `PATCH /service-accounts/{id}`, and who may do what.

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{Persona, Service, Signer, everything_but};

use super::SERVICE_ACCOUNTS;

on_both_services!(
    a_service_account_is_changed_like_an_organization,
    last_use_is_shown,
    each_operation_takes_its_permission,
);

async fn a_service_account_is_changed_like_an_organization(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    let body =
        json!({"name": "x", "permissions": ["accounts:GetAccount", "accounts:ListAccounts"]});
    let made = manager.post(SERVICE_ACCOUNTS, body).await.created();
    let path = format!("/service-accounts/{}", made["id"].as_str().expect("an id"));
    let change = |body: Value| manager.patch(&path, body);
    let etag = manager.get(&path).await.etag();
    service.clock.advance(60);
    let unchanged = change(json!({})).await;
    assert_eq!(
        (unchanged.ok(), unchanged.etag()),
        (made.clone(), etag.clone())
    );
    let all = json!({
        "name": "y", "description": "z", "is_active": false, "permissions": ["accounts:ListAccounts"],
        "metadata": {"a": {"b": 1}},
    });
    let answer = change(all.clone()).header("if-match", &etag).await;
    let mut expected = made.clone();
    for (field, value) in all.as_object().expect("an object") {
        expected[field] = value.clone();
    }
    expected["updated_at"] = "2025-09-30T12:01:00Z".into();
    assert_eq!(answer.ok(), expected);
    assert_eq!(manager.get(&path).await.ok(), expected);
    change(json!({"name": "x"}))
        .header("if-match", &etag)
        .await
        .assert_refused(412, "PRECONDITION_FAILED");
    let merged = change(json!({"metadata": {"a": {"c": 2}}})).await.ok();
    assert_eq!(merged["metadata"], json!({"a": {"b": 1, "c": 2}}));
    assert_eq!(
        change(json!({"metadata": null})).await.ok()["metadata"],
        json!({})
    );
    // Arrays replace.
    assert_eq!(
        change(json!({"permissions": []})).await.ok()["permissions"],
        json!([])
    );
    let spared = manager
        .get(&path)
        .header("if-none-match", &manager.get(&path).await.etag());
    assert_eq!(spared.await.status, 304);
    for field in ["name", "description", "is_active", "roles", "permissions"] {
        change(json!({ field: null }))
            .await
            .assert_refused(400, "WRONG_TYPE");
        change(json!({ field: {} }))
            .await
            .assert_refused(400, "WRONG_TYPE");
    }
    for fixed in [
        "id",
        "account_id",
        "organization_id",
        "created_at",
        "updated_at",
        "last_used_at",
    ] {
        let status = change(json!({ fixed: made[fixed] })).await.status;
        assert!(matches!(status, 400 | 422), "{fixed}");
    }
    assert_eq!(
        change(json!({"name": "", "description": "a\u{7f}"}))
            .await
            .broken()
            .len(),
        2
    );
    assert!(
        change(json!({"permissions": ["nonsense"]})).await.broken()[0].starts_with("/permissions")
    );
}

async fn last_use_is_shown(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, other) = (acme.manager().await, acme.manager().await);
    let last_used = async || manager.get(&other.path()).await.ok()["last_used_at"].clone();
    assert_eq!(last_used().await, json!(null));
    service.clock.advance(90);
    // What was refused is no use.
    other
        .get("/accounts")
        .write()
        .instead("x-nonce", "forged-nonce")
        .send()
        .await
        .assert_refused(401, "INVALID_SIGNATURE");
    assert_eq!(last_used().await, json!(null));
    other
        .get("/accounts/x")
        .await
        .assert_refused(404, "NOT_FOUND");
    assert_eq!(last_used().await, "2025-09-30T12:01:30Z");
    let keys = manager.get(&other.keys()).await.ok();
    assert_eq!(keys["results"][0]["last_used_at"], "2025-09-30T12:01:30Z");
    // Exact to the minute.
    service.clock.advance(60);
    other.get("/accounts").await.ok();
    let shown = last_used().await;
    assert!(
        shown
            .as_str()
            .is_some_and(|at| at.starts_with("2025-09-30T12:02:")),
        "{shown}"
    );
    let before = manager.get(&other.path()).await.etag();
    other.get("/accounts").await.ok();
    assert_eq!(manager.get(&other.path()).await.etag(), before);
}

async fn each_operation_takes_its_permission(service: &Service) {
    use Permission::{
        CreateServiceAccount, DeleteServiceAccount, GetServiceAccount, ListServiceAccounts,
        UpdateServiceAccount,
    };
    let acme = service.organization("acme").await;
    let (one, two) = (acme.signer(&[]).await, acme.signer(&[]).await);
    let in_account = format!("{SERVICE_ACCOUNTS}?account_id={}", acme.account.id);
    for (permission, method, target, body) in [
        (ListServiceAccounts, "GET", SERVICE_ACCOUNTS, None),
        (ListServiceAccounts, "GET", &in_account, None),
        (
            CreateServiceAccount,
            "POST",
            SERVICE_ACCOUNTS,
            Some(json!({"name": "x"})),
        ),
        (GetServiceAccount, "GET", &one.path(), None),
        (UpdateServiceAccount, "PATCH", &one.path(), Some(json!({}))),
        (DeleteServiceAccount, "DELETE", &two.path(), None),
    ] {
        let request = |who: &Signer| {
            let request = who.ask(method, target);
            match &body {
                Some(body) => request.json(body),
                None => request,
            }
        };
        let all_but = acme.signer(&everything_but(&[permission])).await;
        request(&all_but).await.assert_refused(403, "NOT_PERMITTED");
        let just = acme.signer(&[permission]).await;
        let status = request(&just).await.status;
        assert!(matches!(status, 200 | 201 | 204), "{permission}: {status}");
    }
}
