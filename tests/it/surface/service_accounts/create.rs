//! `POST /service-accounts`

use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{Persona, Service, new_nonce};

use super::SERVICE_ACCOUNTS;

on_both_services!(
    a_service_account_is_made_and_shown_as_published,
    a_service_account_may_land_in_any_account_of_its_organization,
    an_account_that_is_not_ones_own_is_no_account,
    each_field_of_a_new_service_account_has_its_type,
    a_value_that_breaks_a_rule_is_named,
);

async fn a_service_account_is_made_and_shown_as_published(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let answer = manager
        .post(SERVICE_ACCOUNTS, json!({"name": " Export "}))
        .await;
    let made = answer.created();
    let id = made["id"].as_str().expect("an id").to_owned();
    assert!(id.len() == 29 && id.starts_with("sa-"), "{id}");
    assert_eq!(
        answer.header("location"),
        Some(&*format!("/service-accounts/{id}"))
    );
    assert_eq!(
        made,
        json!({
            "id": id,
            "name": "Export",
            "description": "",
            "account_id": acme.account.id.to_string(),
            "organization_id": acme.organization.id.to_string(),
            "is_active": true,
            "roles": [],
            "permissions": [],
            "metadata": {},
            "created_at": "2025-09-30T12:00:00Z",
            "updated_at": "2025-09-30T12:00:00Z",
            "last_used_at": null,
        })
    );
    let shown = manager.get(&format!("/service-accounts/{id}")).await;
    assert_eq!((shown.ok(), shown.etag()), (made, answer.etag()));
    let full = json!({
        "name": "Import", "description": " nightly\u{a0}", "account_id": acme.account.id.to_string(),
        "roles": [], "permissions": ["organizations:GetOrganization", "accounts:GetAccount"],
        "metadata": {"a": 1},
    });
    let made = manager.post(SERVICE_ACCOUNTS, full.clone()).await.created();
    assert_eq!(made["description"], "nightly");
    for field in ["name", "account_id", "roles", "permissions", "metadata"] {
        assert_eq!(made[field], full[field], "{field}");
    }
}

async fn a_service_account_may_land_in_any_account_of_its_organization(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let account = manager
        .post("/accounts", json!({"name": "Staging"}))
        .await
        .created();
    let body = json!({"name": "x", "account_id": account["id"]});
    let made = manager.post(SERVICE_ACCOUNTS, body).await.created();
    assert_eq!(made["account_id"], account["id"]);
    let new_key = format!(
        "/service-accounts/{}/keys",
        made["id"].as_str().expect("an id")
    );
    let key = manager.post(&new_key, json!({})).await.created();
    let text = key["access_key"].as_str().expect("a key");
    let code = account["code"].as_str().expect("a code");
    assert!(
        text.starts_with(&format!("sa_{}_{code}_", acme.organization.code)),
        "{text}"
    );
}

async fn an_account_that_is_not_ones_own_is_no_account(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    let other = service.organization("other").await;
    let foreign = other.account.id.to_string();
    let missing = format!("{}0", &foreign[..foreign.len() - 1]);
    let missing = if missing == foreign {
        format!("{}1", &foreign[..foreign.len() - 1])
    } else {
        missing
    };
    let organization = other.organization.id.to_string();
    let uppercase = foreign.to_uppercase();
    let answers = async |account: &str| {
        let id = new_nonce();
        let body = json!({"name": "x", "account_id": account});
        let posted = manager
            .post(SERVICE_ACCOUNTS, body)
            .header("x-request-id", &id)
            .await;
        assert_eq!(posted.broken(), ["/account_id"], "{account}");
        let listed = manager
            .get(&format!("{SERVICE_ACCOUNTS}?account_id={account}"))
            .await;
        listed.assert_refused(400, "BAD_PARAMETER");
        (posted.without_request_id(), listed.without_request_id())
    };
    let first = answers(&foreign).await;
    for other in [
        &*missing,
        "acc-x",
        "x",
        "",
        &organization,
        &uppercase,
        "null",
    ] {
        assert_eq!(answers(other).await, first, "{other}");
    }
    for wrong in [json!(null), json!(1), json!([foreign])] {
        let answer = manager
            .post(SERVICE_ACCOUNTS, json!({"name": "x", "account_id": wrong}))
            .await;
        answer.assert_refused(400, "WRONG_TYPE");
    }
    // Who may not make one is told so only of an account that is there.
    let nobody = service.organization("third").await.signer(&[]).await;
    let refused = nobody.post(SERVICE_ACCOUNTS, json!({"name": "x"})).await;
    refused.assert_refused(403, "NOT_PERMITTED");
}

async fn each_field_of_a_new_service_account_has_its_type(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    let refused = async |name: &str, value: &Value| {
        let mut body = json!({"name": "x"});
        body[name] = value.clone();
        let answer = manager.post(SERVICE_ACCOUNTS, body).await;
        (answer.status, answer.code())
    };
    let wrong_type = (400, "WRONG_TYPE".to_owned());
    for (field, good_type) in [
        ("name", "string"),
        ("account_id", "string"),
        ("description", "string"),
        ("roles", "strings"),
        ("permissions", "strings"),
        ("metadata", "object"),
    ] {
        for (kind, wrong) in [
            ("null", json!(null)),
            ("number", json!(1)),
            ("boolean", json!(true)),
            ("string", json!("viewer")),
            ("strings", json!([])),
            ("numbers", json!([1])),
            ("nulls", json!([null])),
            ("object", json!({})),
        ] {
            if kind != good_type {
                assert_eq!(refused(field, &wrong).await, wrong_type, "{field}: {wrong}");
            }
        }
    }
    let missing = manager
        .post(SERVICE_ACCOUNTS, json!({"description": "x"}))
        .await;
    missing.assert_refused(400, "MISSING_FIELD");
    for unknown in [
        "id",
        "is_active",
        "organization_id",
        "created_at",
        "last_used_at",
        "role",
        "keys",
    ] {
        assert_eq!(
            refused(unknown, &json!("x")).await,
            (400, "UNKNOWN_FIELD".to_owned()),
            "{unknown}"
        );
    }
}

async fn a_value_that_breaks_a_rule_is_named(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    let broken = async |name: &str, value: Value| {
        let mut body = json!({"name": "x"});
        body[name] = value;
        manager
            .post(SERVICE_ACCOUNTS, body)
            .await
            .broken()
            .join(" ")
    };
    assert_eq!(broken("name", json!("")).await, "/name");
    assert_eq!(broken("name", json!("a\0b")).await, "/name");
    assert_eq!(
        broken("description", json!("x".repeat(1_001))).await,
        "/description"
    );
    assert_eq!(broken("description", json!("a\nb")).await, "/description");
    assert_eq!(broken("metadata", json!({"": 1})).await, "/metadata/");
    let twice = json!([
        "accounts:GetAccount",
        "accounts:ListAccounts",
        "accounts:GetAccount"
    ]);
    assert_eq!(broken("permissions", twice).await, "/permissions/2");
    assert_eq!(
        broken("roles", json!(["viewer", "viewer"])).await,
        "/roles/1"
    );
    assert_eq!(
        broken("permissions", json!(vec!["x"; 201])).await,
        "/permissions"
    );
    for (field, unknown) in [
        ("permissions", "organizations:Everything"),
        ("permissions", "organizations:getorganization"),
        ("permissions", " accounts:GetAccount"),
        ("permissions", ""),
        ("permissions", "*"),
        ("roles", "root"),
        ("roles", "Owner"),
        ("roles", ""),
    ] {
        let mut body = json!({"name": "x"});
        body[field] = json!([unknown]);
        let answer = manager.post(SERVICE_ACCOUNTS, body).await;
        assert!(
            answer.broken()[0].starts_with(&format!("/{field}")),
            "{unknown}"
        );
        let message = answer.json()["error"]["details"][0]["message"].to_string();
        assert!(message.contains(&format!("`{unknown}`")), "{message}");
    }
    // What the client said is repeated within bounds, and hides nothing.
    let hidden = format!("\u{202e}{}", "x".repeat(10_000));
    let body = json!({"name": "x", "permissions": [hidden]});
    let answer = manager.post(SERVICE_ACCOUNTS, body).await;
    assert_eq!(answer.broken().len(), 1);
    let text = String::from_utf8(answer.body).expect("text");
    assert!(text.len() < 1_000 && !text.contains('\u{202e}'), "{text}");
    let longest = "x".repeat(1_000);
    let made = manager
        .post(
            SERVICE_ACCOUNTS,
            json!({"name": "x", "description": longest}),
        )
        .await;
    assert_eq!(made.created()["description"], json!(longest));
}
