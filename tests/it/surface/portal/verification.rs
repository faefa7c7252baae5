//! `/api/auth/verify-email` and `resend-verification`: the link alone opens no account that a stranger
//! made.

use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{PASSWORD, Persona, Request, Service, TeamRole};
use test_support::services::TestDatabase;

use super::own::own_session;
use super::{ORGANIZATION, SETTINGS, assert_refused_by_policy};

on_both_services!(
    the_link_alone_verifies_nothing,
    a_wrong_password_counts_as_a_failed_login,
    an_access_token_proves_instead_of_the_password,
    every_session_opened_before_ends,
    the_owner_of_an_address_gets_in_by_resetting_the_password,
    a_new_link_is_sent_three_times_an_hour,
    an_unverified_user_changes_no_password_but_may_resend_and_log_out,
);

fn follow(service: &Service, body: Value) -> Request {
    service.anonymous().post("/api/auth/verify-email", body)
}

async fn the_link_alone_verifies_nothing(service: &Service) {
    let owner = service.register("zoo").await;
    let token = service.link("verify-email", &owner.email, 1).await;
    let bare = follow(service, json!({"token": token})).await;
    bare.assert_refused(400, "MISSING_FIELD");
    owner
        .put(SETTINGS, json!({}))
        .await
        .assert_refused(403, "EMAIL_NOT_VERIFIED");
    let with = |password: &str| follow(service, json!({"token": token, "password": password}));
    let wrong = with("another horse battery").await;
    wrong.assert_refused(400, "INVALID_LINK");
    let unknown = follow(
        service,
        json!({"token": "A".repeat(43), "password": PASSWORD}),
    )
    .await;
    assert_eq!(wrong.without_request_id(), unknown.without_request_id());
    // Nobody is sent for a new link who mistyped a password.
    let message = wrong.json()["error"]["message"].to_string();
    assert!(message.contains("password"), "{message}");
    // It is still good.
    let owner = service.verify(&owner).await;
    owner.put(SETTINGS, json!({})).await.ok();
    with(PASSWORD).await.assert_refused(400, "INVALID_LINK");
}

async fn a_wrong_password_counts_as_a_failed_login(service: &Service) {
    let owner = service.register("zoo").await;
    let token = service.link("verify-email", &owner.email, 1).await;
    let with = |password: &str| follow(service, json!({"token": token, "password": password}));
    for _ in 0..5 {
        with("wrong").await.assert_refused(400, "INVALID_LINK");
    }
    with(PASSWORD)
        .await
        .assert_refused(429, "RATE_LIMIT_EXCEEDED");
    service
        .anonymous()
        .log_in(&owner.email, PASSWORD)
        .await
        .assert_refused(429, "RATE_LIMIT_EXCEEDED");
    service.clock.advance(900);
    assert_eq!(with(PASSWORD).await.ok(), json!({}));
}

async fn an_access_token_proves_instead_of_the_password(service: &Service) {
    let owner = service.register("zoo").await;
    let other = service.register("other").await;
    let token = service.link("verify-email", &owner.email, 1).await;
    let by = |bearer: &str, body: Value| {
        follow(service, body).header("authorization", &format!("Bearer {bearer}"))
    };
    let link = || json!({"token": token});
    by(&other.token, link())
        .await
        .assert_refused(400, "INVALID_LINK");
    by("nonsense", link())
        .await
        .assert_refused(401, "INVALID_TOKEN");
    // The password decides where there is one.
    let wrong = json!({"token": token, "password": "wrong"});
    by(&owner.token, wrong)
        .await
        .assert_refused(400, "INVALID_LINK");
    assert_eq!(by(&owner.token, link()).await.ok(), json!({}));
    let owner = service.sign_in(&owner.email, PASSWORD).await;
    owner.put(SETTINGS, json!({})).await.ok();
    other
        .put(SETTINGS, json!({}))
        .await
        .assert_refused(403, "EMAIL_NOT_VERIFIED");
}

async fn every_session_opened_before_ends(service: &Service) {
    let before = service.register("zoo").await;
    let elsewhere = service.sign_in(&before.email, PASSWORD).await;
    let after = service.verify(&before).await;
    for person in [&before, &elsewhere] {
        person
            .get(ORGANIZATION)
            .await
            .assert_refused(401, "INVALID_TOKEN");
        person.refresh().await.assert_refused(401, "INVALID_TOKEN");
    }
    after.put(SETTINGS, json!({})).await.ok();
}

/// Somebody registered on an address that is not theirs: its owner takes the account, not the other
/// way round.
async fn the_owner_of_an_address_gets_in_by_resetting_the_password(service: &Service) {
    let stranger = service.register("zoo").await;
    let link = service.link("verify-email", &stranger.email, 1).await;
    follow(service, json!({"token": link}))
        .await
        .assert_refused(400, "MISSING_FIELD");
    let forgot = json!({"email": stranger.email});
    let anonymous = service.anonymous();
    anonymous
        .post("/api/auth/forgot-password", forgot)
        .await
        .ok();
    let token = service.link("reset-password", &stranger.email, 1).await;
    let reset = json!({"token": token, "newPassword": "the owner's own password"});
    anonymous.post("/api/auth/reset-password", reset).await.ok();
    stranger
        .get(ORGANIZATION)
        .await
        .assert_refused(401, "INVALID_TOKEN");
    anonymous
        .log_in(&stranger.email, PASSWORD)
        .await
        .assert_refused(401, "INVALID_LOGIN");
    let owner = service
        .sign_in(&stranger.email, "the owner's own password")
        .await;
    owner.put(SETTINGS, json!({})).await.ok();
}

async fn a_new_link_is_sent_three_times_an_hour(service: &Service) {
    let owner = service.register("zoo").await;
    let resend = || owner.ask("POST", "/api/auth/resend-verification");
    for number in 2..5 {
        service.clock.advance(1);
        assert_eq!(resend().await.ok(), json!({}));
        service.link("verify-email", &owner.email, number).await;
    }
    let limited = resend().await;
    limited.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(limited.header("x-ratelimit-limit"), Some("3"));
    // Links of other kinds have budgets of their own.
    let forgot = json!({"email": owner.email});
    let forgot = service
        .anonymous()
        .post("/api/auth/forgot-password", forgot);
    forgot.await.ok();
    service.link("reset-password", &owner.email, 1).await;
    // Each of them is good; one that is used makes the others void.
    let last = service.link("verify-email", &owner.email, 4).await;
    let body = |token: &str| json!({"token": token, "password": PASSWORD});
    follow(service, body(&last)).await.ok();
    let first = service.link("verify-email", &owner.email, 1).await;
    follow(service, body(&first))
        .await
        .assert_refused(400, "INVALID_LINK");
    let owner = service.sign_in(&owner.email, PASSWORD).await;
    service.clock.advance(3_600);
    let owner = service.person(&owner.email, &owner.refresh().await);
    owner
        .ask("POST", "/api/auth/resend-verification")
        .await
        .ok();
    // Nothing is left to verify: three were asked for before, and one that resets.
    assert_eq!(service.audited("person.RequestLink").await.len(), 4);
    service
        .anonymous()
        .ask("POST", "/api/auth/resend-verification")
        .await
        .assert_refused(401, "MISSING_CREDENTIALS");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_registration_lets_only_invited_users_join() {
    let settings = "[portal]\nregistration = \"closed\"";
    let service = Service::with(TestDatabase::sqlite(), settings).await;
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let body = json!({
        "orgName": "Zoo", "orgSlug": "zoo",
        "ownerEmail": "ada@zoo.example", "ownerPassword": PASSWORD,
    });
    let anonymous = service.anonymous();
    let refused = anonymous.post("/api/auth/register", body).await;
    refused.assert_refused(403, "FORBIDDEN");
    let body = json!({"email": "grace@acme.example", "role": "member"});
    owner.post("/api/portal/team/invite", body).await.ok();
    let token = service
        .link("accept-invitation", "grace@acme.example", 1)
        .await;
    let body = json!({"token": token, "password": PASSWORD});
    anonymous
        .post("/api/auth/accept-invitation", body)
        .await
        .ok();
    service.stop().await;
}

async fn an_unverified_user_changes_no_password_but_may_resend_and_log_out(service: &Service) {
    const CHANGE: &str = "/api/auth/change-password";
    let owner = service.register("zoo").await;
    let change = json!({"currentPassword": PASSWORD, "newPassword": "another horse battery"});
    for request in [
        owner.post(CHANGE, change.clone()),
        owner.delete(&own_session(&owner).await),
    ] {
        assert_refused_by_policy(
            service,
            &request.await,
            "EMAIL_NOT_VERIFIED",
            "guardrails.email-not-verified",
        );
    }
    let missing = "/api/portal/sessions/01980f3a-7b1c-7def-8a12-3456789abcde";
    owner.delete(missing).await.assert_refused(404, "NOT_FOUND");
    // A wrong password is not told from a right one, and does not count.
    let wrong = json!({"currentPassword": "wrong", "newPassword": "another horse battery"});
    for _ in 0..6 {
        let refused = owner.post(CHANGE, wrong.clone()).await;
        refused.assert_refused(403, "EMAIL_NOT_VERIFIED");
    }
    // What must stay possible.
    owner
        .ask("POST", "/api/auth/resend-verification")
        .await
        .ok();
    let owner = service.person(&owner.email, &owner.refresh().await);
    assert_eq!(owner.log_out().await.ok(), json!({}));
    let owner = service.sign_in(&owner.email, PASSWORD).await;
    let owner = service.verify(&owner).await;
    assert_eq!(owner.post(CHANGE, change).await.ok(), json!({}));
}
