//! `POST /accounts`, `GET` and `PATCH /accounts/{id}`

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{Persona, Service, everything_but};

use super::{ACCOUNTS, new_account, path};

on_both_services!(
    an_account_is_made_and_shown_as_published,
    the_default_account_is_there_from_the_start,
    a_new_account_needs_a_name,
    an_account_is_changed_like_an_organization,
    the_default_account_cannot_go_inactive,
    each_account_operation_takes_its_permission,
);

async fn an_account_is_made_and_shown_as_published(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    service.clock.advance(1);
    let body = json!({"name": "  Production ", "metadata": {"tier": 1, "gone": null}});
    let answer = manager.post(ACCOUNTS, body).await;
    let made = answer.created();
    assert_eq!(answer.header("location"), Some(&*path(&made)));
    let (id, code) = (made["id"].clone(), made["code"].clone());
    assert!(
        id.as_str()
            .is_some_and(|id| id.len() == 30 && id.starts_with("acc-")),
        "{id}"
    );
    assert_eq!(code.as_str().map(str::len), Some(6));
    assert_ne!(code, acme.account.code.to_string());
    assert_eq!(
        made,
        json!({
            "id": id,
            "code": code,
            "name": "Production",
            "organization_id": acme.organization.id.to_string(),
            "is_default": false,
            "is_active": true,
            "metadata": {"tier": 1, "gone": null},
            "created_at": "2025-09-30T12:00:01Z",
            "updated_at": "2025-09-30T12:00:01Z",
        })
    );
    let shown = manager.get(&path(&made)).await;
    assert_eq!((shown.ok(), shown.etag()), (made.clone(), answer.etag()));
    let spared = manager
        .get(&path(&made))
        .header("if-none-match", &answer.etag());
    assert_eq!(spared.await.status, 304);
    // Without metadata it has none.
    assert_eq!(new_account(&manager, "Bare").await["metadata"], json!({}));
}

async fn the_default_account_is_there_from_the_start(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let shown = manager
        .get(&format!("/accounts/{}", acme.account.id))
        .await
        .ok();
    assert_eq!(
        (&shown["is_default"], &shown["is_active"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(manager.get(ACCOUNTS).await.ok()["results"], json!([shown]));
}

async fn a_new_account_needs_a_name(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    let refused = async |body: Value| {
        let answer = manager.post(ACCOUNTS, body).await;
        (answer.status, answer.code())
    };
    let code = |status, code: &str| (status, code.to_owned());
    assert_eq!(refused(json!({})).await, code(400, "MISSING_FIELD"));
    assert_eq!(
        refused(json!({"metadata": {}})).await,
        code(400, "MISSING_FIELD")
    );
    for wrong in [json!(null), json!(1), json!(["x"]), json!({}), json!(true)] {
        assert_eq!(
            refused(json!({"name": wrong})).await,
            code(400, "WRONG_TYPE")
        );
    }
    for wrong in [json!(null), json!(1), json!([]), json!("{}"), json!(false)] {
        assert_eq!(
            refused(json!({"name": "x", "metadata": wrong})).await,
            code(400, "WRONG_TYPE")
        );
    }
    for unknown in [
        "id",
        "code",
        "organization_id",
        "is_default",
        "is_active",
        "created_at",
        "slug",
    ] {
        assert_eq!(
            refused(json!({"name": "x", unknown: "x"})).await,
            code(400, "UNKNOWN_FIELD"),
            "{unknown}"
        );
    }
    for broken in ["", " ", "a\u{202e}b", &"x".repeat(201)] {
        let answer = manager.post(ACCOUNTS, json!({"name": broken})).await;
        assert_eq!(answer.broken(), ["/name"]);
    }
    let deep = json!({"name": "x", "metadata": {"a": [[[[[1]]]]]}});
    let deep = manager.post(ACCOUNTS, deep).await;
    assert_eq!(deep.broken(), ["/metadata/a/0/0/0/0"]);
    let merge = manager
        .ask("POST", ACCOUNTS)
        .typed("application/merge-patch+json", r#"{"name":"x"}"#);
    merge.await.assert_refused(415, "UNSUPPORTED_MEDIA_TYPE");
    let empty = manager.ask("POST", ACCOUNTS).body("").await;
    empty.assert_refused(400, "MALFORMED_JSON");
    assert_eq!(manager.get(ACCOUNTS).await.ok()["total"], 1);
}

async fn an_account_is_changed_like_an_organization(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    let made = new_account(&manager, "Staging").await;
    let path = path(&made);
    let first = manager.get(&path).await.etag();
    service.clock.advance(60);
    let change = |body: Value| manager.patch(&path, body);
    let unchanged = change(json!({})).await;
    assert_eq!(
        (unchanged.ok(), unchanged.etag()),
        (made.clone(), first.clone())
    );
    let body = json!({"name": "Testing", "metadata": {"a": {"b": 1, "c": 2}}, "is_active": false});
    let changed = change(body).header("if-match", &first).await;
    let mut expected = made.clone();
    expected["name"] = "Testing".into();
    expected["metadata"] = json!({"a": {"b": 1, "c": 2}});
    expected["is_active"] = false.into();
    expected["updated_at"] = "2025-09-30T12:01:00Z".into();
    assert_eq!(changed.ok(), expected);
    assert_eq!(manager.get(&path).await.etag(), changed.etag());
    change(json!({"name": "x"}))
        .header("if-match", &first)
        .await
        .assert_refused(412, "PRECONDITION_FAILED");
    let merged = change(json!({"metadata": {"a": {"b": null}}})).await.ok();
    assert_eq!(merged["metadata"], json!({"a": {"c": 2}}));
    assert_eq!(
        change(json!({"metadata": null})).await.ok()["metadata"],
        json!({})
    );
    let typed = manager
        .ask("PATCH", &path)
        .typed("application/merge-patch+json", r#"{"is_active":true}"#);
    assert_eq!(typed.await.ok()["is_active"], true);
    for field in ["name", "is_active"] {
        change(json!({ field: null }))
            .await
            .assert_refused(400, "WRONG_TYPE");
    }
    for wrong in [
        json!({"is_active": "true"}),
        json!({"is_active": 1}),
        json!({"metadata": []}),
    ] {
        change(wrong).await.assert_refused(400, "WRONG_TYPE");
    }
    change(json!({"unknown": 1}))
        .await
        .assert_refused(400, "UNKNOWN_FIELD");
    for fixed in [
        "id",
        "code",
        "organization_id",
        "is_default",
        "created_at",
        "updated_at",
    ] {
        let status = change(json!({ fixed: made[fixed] })).await.status;
        assert!(matches!(status, 400 | 422), "{fixed}");
    }
}

async fn the_default_account_cannot_go_inactive(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let default = format!("/accounts/{}", acme.account.id);
    let before = manager.get(&default).await.ok();
    let refused = manager
        .patch(&default, json!({"name": "x", "is_active": false}))
        .await;
    assert_eq!(refused.broken(), ["/is_active"]);
    assert_eq!(manager.get(&default).await.ok(), before);
    manager
        .patch(&default, json!({"name": "Main", "is_active": true}))
        .await
        .ok();
}

async fn each_account_operation_takes_its_permission(service: &Service) {
    let acme = service.organization("acme").await;
    let path = format!("/accounts/{}", acme.account.id);
    for (permission, method, target, body) in [
        (Permission::ListAccounts, "GET", ACCOUNTS, None),
        (
            Permission::CreateAccount,
            "POST",
            ACCOUNTS,
            Some(json!({"name": "x"})),
        ),
        (Permission::GetAccount, "GET", &path, None),
        (Permission::UpdateAccount, "PATCH", &path, Some(json!({}))),
    ] {
        let request = |who: &test_support::service::Signer| {
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
        assert!(matches!(status, 200 | 201), "{permission}: {status}");
    }
}
