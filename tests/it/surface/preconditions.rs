//! `if-match` and `if-none-match` on all routes (RFC 9110 section 13.2.1): whatever else refuses a request comes
//! first, what they refuse is not done, and the document says where they can refuse.

use serde_json::json;
use test_support::on_both_services;
use test_support::service::{PASSWORD, Persona, Request, Service, TeamRole, claims};

use super::documents::{described, document, filled};
use super::portal::DEACTIVATE;

on_both_services!(
    a_condition_yields_to_every_other_refusal,
    a_failed_precondition_changes_nothing,
    no_password_is_tried_under_a_condition_that_fails,
    conditions_hold_on_public_pages,
    health_ignores_conditions,
    every_answer_is_documented,
);

const STALE: &str = "\"stale\"";
const SESSIONS: &str = "/api/portal/sessions";

async fn a_condition_yields_to_every_other_refusal(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let owner = acme.person(TeamRole::Owner).await;
    let dead = acme.signer(&[]).await;
    manager.delete(&dead.key()).await.no_content();
    let admin = acme.person(TeamRole::Admin).await;
    service.organization("other").await;
    let default_account = format!("/accounts/{}", acme.account.id);
    let anonymous = service.anonymous();
    let no_session = format!("{SESSIONS}/01980f3a-7b1c-7def-8a12-3456789abcde");
    let unknown_link = |more: &str, value: &str| json!({"token": "A".repeat(43), more: value});
    let own_role = format!("/api/portal/team/{}/role", owner.id);
    let taken = json!({"orgName": "A", "orgSlug": "acme", "ownerEmail": "a@b.example",
        "ownerPassword": PASSWORD});
    let requests: Vec<(Request, u16, &str)> = vec![
        (anonymous.refresh(&"A".repeat(43)), 401, "INVALID_TOKEN"),
        (
            anonymous.post(
                "/api/auth/reset-password",
                unknown_link("newPassword", PASSWORD),
            ),
            400,
            "INVALID_LINK",
        ),
        (
            anonymous.post("/api/auth/verify-email", unknown_link("password", PASSWORD)),
            400,
            "INVALID_LINK",
        ),
        (
            anonymous.post(
                "/api/auth/accept-invitation",
                unknown_link("password", PASSWORD),
            ),
            400,
            "INVALID_LINK",
        ),
        (
            anonymous.post("/api/auth/register", taken),
            400,
            "SLUG_TAKEN",
        ),
        (owner.delete(&no_session), 404, "NOT_FOUND"),
        (
            owner.put(&own_role, json!({"role": "member"})),
            400,
            "OWN_ROLE",
        ),
        (
            owner.post(
                "/api/portal/team/invite",
                json!({"email": owner.email, "role": "member"}),
            ),
            409,
            "ALREADY_MEMBER",
        ),
        (
            manager.post(&format!("{}/rotate", dead.key()), json!({})),
            409,
            "KEY_NOT_ACTIVE",
        ),
        (
            manager.post(
                "/service-accounts",
                json!({"name": "x", "roles": ["nobody"]}),
            ),
            422,
            "VALIDATION_FAILED",
        ),
        (
            admin.patch(&dead.path(), json!({"roles": ["owner"]})),
            403,
            "NOT_PERMITTED",
        ),
        (
            manager.patch(&default_account, json!({"is_active": false})),
            422,
            "VALIDATION_FAILED",
        ),
        (
            owner.put(
                "/api/portal/organization",
                json!({"name": "A", "slug": "other"}),
            ),
            409,
            "SLUG_TAKEN",
        ),
        (owner.get("/audit-events?cursor=x"), 400, "BAD_PARAMETER"),
        (owner.get("/decisions?cursor=x"), 400, "BAD_PARAMETER"),
    ];
    for (request, status, code) in requests {
        let answer = request.header("if-match", STALE).await;
        assert_eq!(
            (answer.status, &*answer.code()),
            (status, code),
            "{answer:?}"
        );
    }
}

async fn a_failed_precondition_changes_nothing(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let owner = acme.person(TeamRole::Owner).await;
    let signer = acme.signer(&[]).await;
    let elsewhere = service.sign_in(&owner.email, PASSWORD).await;
    let sid = claims(&elsewhere.token)["sid"].clone();
    let session = format!("{SESSIONS}/{}", sid.as_str().expect("a session"));
    let changes = |person: &test_support::service::Person| {
        let change = json!({"currentPassword": PASSWORD, "newPassword": "another horse battery"});
        person.post("/api/auth/change-password", change)
    };
    let leaked = json!({"access_key": signer.signature.access_key,
        "secret_key": signer.signature.secret_key});
    let invited = json!({"email": "new@acme.example", "role": "member"});
    let before = manager.get("/audit-events").await.ok()["results"].clone();
    for (name, value) in [("if-match", STALE), ("if-none-match", "*")] {
        for request in [
            owner.delete(&session),
            changes(&owner),
            owner.ask("POST", "/api/auth/logout"),
            owner.refresh(),
            owner.post("/api/portal/team/invite", invited.clone()),
            service.anonymous().log_in(&owner.email, PASSWORD),
            service
                .anonymous()
                .post("/api/auth/forgot-password", json!({"email": owner.email})),
            service.anonymous().post("/leaked-keys", leaked.clone()),
            manager.ask("POST", &format!("{}/rotate", signer.key())),
            manager.post(&signer.keys(), json!({})),
            manager.delete(&signer.key()),
        ] {
            let refused = request.header(name, value).await;
            refused.assert_refused(412, "PRECONDITION_FAILED");
            assert!(refused.header("set-cookie").is_none(), "{refused:?}");
        }
    }
    assert_eq!(manager.get("/audit-events").await.ok()["results"], before);
    elsewhere.get("/api/portal/me").await.ok();
    signer
        .get("/organizations/info")
        .await
        .assert_refused(403, "NOT_PERMITTED");
    let owner = service.person(&owner.email, &owner.refresh().await);
    let sessions = owner.get(SESSIONS).await.ok();
    assert_eq!(sessions.as_array().map(Vec::len), Some(2));
    assert!(service.mails().is_empty());
}

/// The answer would tell whether it was right, without a failed sign-in or an event.
async fn no_password_is_tried_under_a_condition_that_fails(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    for password in [PASSWORD, "wrong"] {
        for _ in 0..10 {
            let change =
                json!({"currentPassword": password, "newPassword": "another horse battery"});
            for request in [
                service.anonymous().log_in(&owner.email, password),
                owner.post("/api/auth/change-password", change),
            ] {
                let refused = request.header("if-match", STALE).await;
                refused.assert_refused(412, "PRECONDITION_FAILED");
            }
        }
    }
    // None of them counted as a failure.
    service.sign_in(&owner.email, PASSWORD).await;
}

async fn conditions_hold_on_public_pages(service: &Service) {
    for page in [
        "/.well-known/jwks.json",
        "/openapi.json",
        "/docs",
        "/docs/swagger-ui.css",
    ] {
        let get = |name: &str, value: &str| service.anonymous().get(page).header(name, value);
        let stale = get("if-match", STALE).await;
        stale.assert_refused(412, "PRECONDITION_FAILED");
        let malformed = get("if-match", "stale").await;
        malformed.assert_refused(400, "BAD_PARAMETER");
        get("if-none-match", "stale")
            .await
            .assert_refused(400, "BAD_PARAMETER");
        for (name, status) in [("if-match", 200), ("if-none-match", 304)] {
            assert_eq!(get(name, "*").await.status, status, "{page}");
        }
    }
    // No method has this path.
    for method in ["GET", "POST"] {
        let missing = service.anonymous().ask(method, "/docs/nothing.js");
        let missing = missing.header("if-match", STALE).await;
        missing.assert_refused(404, "NOT_FOUND");
    }
}

async fn health_ignores_conditions(service: &Service) {
    for listener in [service.anonymous(), service.operator_side()] {
        for page in ["/healthz", "/readyz"] {
            for (name, value) in [("if-match", STALE), ("if-match", "stale")] {
                let answer = listener.get(page).header(name, value).await;
                assert_eq!(answer.status, 200, "{page}");
            }
        }
    }
}

/// What every route answers to nobody, to an owner, and to a condition that does not hold.
async fn every_answer_is_documented(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let email = acme.person(TeamRole::Owner).await.email;
    let mut undocumented = Vec::new();
    for ((method, path), operation) in described(&document()) {
        let owner = service.session_of(&email).await;
        let responses = operation["responses"].as_object().expect("responses");
        let target = filled(&path);
        let with = |request: Request| {
            if method == "GET" {
                request
            } else {
                request.json(&json!({}))
            }
        };
        let cookie = format!("refresh_token={}", owner.cookie);
        let mut asked = vec![
            with(service.anonymous().ask(&method, &target)),
            with(manager.ask(&method, &target)).header("if-match", STALE),
            with(owner.ask(&method, &target)).header("if-match", STALE),
            owner
                .ask(&method, &target)
                .header("cookie", &cookie)
                .header("if-match", STALE),
        ];
        // The others are asked of an organization that is active.
        if path != DEACTIVATE {
            asked.push(with(owner.ask(&method, &target)));
            asked.push(owner.ask(&method, &target).typed("text/plain", "x"));
        }
        for request in asked {
            let answer = request.await;
            let status = answer.status.to_string();
            if !responses.contains_key(&status) {
                undocumented.push(format!("{method} {path}: {status}"));
            }
        }
        let has_condition = responses.contains_key("412");
        let is_health = ["/healthz", "/readyz"].contains(&&*path);
        assert_ne!(has_condition, is_health, "{method} {path}");
    }
    assert_eq!(undocumented, [""; 0]);
}
