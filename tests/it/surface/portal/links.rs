//! Tokens in links: single use, hashed at rest, expired and reused ones answer alike; forgotten
//! passwords.

use serde_json::json;
use test_support::on_both_services;
use test_support::service::{PASSWORD, Persona, Request, Service, TeamRole, all_at_once};

use super::ORGANIZATION;

on_both_services!(
    another_password_ends_every_session,
    forgetting_tells_nobody_anything,
    links_expire_and_are_for_one_purpose,
    one_of_many_uses_counts,
    a_reset_verifies_the_address,
    tokens_are_stored_as_hashes,
);

fn forgot(service: &Service, email: &str) -> Request {
    service
        .anonymous()
        .post("/api/auth/forgot-password", json!({"email": email}))
}

fn reset(service: &Service, token: &str, password: &str) -> Request {
    let body = json!({"token": token, "newPassword": password});
    service.anonymous().post("/api/auth/reset-password", body)
}

const NEW: &str = "another horse battery";

async fn another_password_ends_every_session(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let elsewhere = service.sign_in(&owner.email, PASSWORD).await;
    forgot(service, &owner.email).await.ok();
    forgot(service, &owner.email).await.ok();
    let first = service.link("reset-password", &owner.email, 1).await;
    let token = service.link("reset-password", &owner.email, 2).await;
    assert_eq!(
        reset(service, &token, "password").await.broken_on_portal(),
        ["/newPassword"]
    );
    assert_eq!(reset(service, &token, NEW).await.ok(), json!({}));
    for person in [&owner, &elsewhere] {
        person
            .get(ORGANIZATION)
            .await
            .assert_refused(401, "INVALID_TOKEN");
        person.refresh().await.assert_refused(401, "INVALID_TOKEN");
    }
    // The other link is void too.
    for used in [&token, &first] {
        reset(service, used, PASSWORD)
            .await
            .assert_refused(400, "INVALID_LINK");
    }
    service
        .anonymous()
        .log_in(&owner.email, PASSWORD)
        .await
        .assert_refused(401, "INVALID_LOGIN");
    service
        .sign_in(&owner.email, NEW)
        .await
        .get(ORGANIZATION)
        .await
        .ok();
}

async fn forgetting_tells_nobody_anything(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let mut answers = Vec::new();
    for email in [owner.email.as_str(), "nobody@acme.example", "no address"] {
        let answer = forgot(service, email).await;
        assert_eq!(answer.ok(), json!({}));
        answers.push(answer.without_request_id());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    service.link("reset-password", &owner.email, 1).await;
    assert_eq!(service.mails().len(), 1);
    let anonymous = service.anonymous();
    anonymous
        .post("/api/auth/forgot-password", json!({}))
        .await
        .assert_refused(400, "MISSING_FIELD");
}

async fn links_expire_and_are_for_one_purpose(service: &Service) {
    let (owner, other) = (service.register("zoo").await, service.register("ark").await);
    let unused = service.link("verify-email", &other.email, 1).await;
    forgot(service, &owner.email).await.ok();
    let verify = service.link("verify-email", &owner.email, 1).await;
    let renew = service.link("reset-password", &owner.email, 1).await;
    let verification = |token: &str| {
        service.anonymous().post(
            "/api/auth/verify-email",
            json!({"token": token, "password": PASSWORD}),
        )
    };
    let accept = |token: &str| {
        let body = json!({"token": token, "password": PASSWORD});
        service
            .anonymous()
            .post("/api/auth/accept-invitation", body)
    };
    let mut answers = Vec::new();
    // A verification names the password, too, which may be what is wrong.
    let mut of_verification = Vec::new();
    for answer in [
        reset(service, &verify, NEW).await,
        accept(&verify).await,
        accept(&renew).await,
    ] {
        answer.assert_refused(400, "INVALID_LINK");
        answers.push(answer.without_request_id());
    }
    for answer in [
        verification(&renew).await,
        verification("").await,
        verification("nonsense\0").await,
        verification(&"A".repeat(43)).await,
    ] {
        answer.assert_refused(400, "INVALID_LINK");
        of_verification.push(answer.without_request_id());
    }
    service.clock.advance(3_599);
    reset(service, &renew, NEW).await.ok();
    forgot(service, &owner.email).await.ok();
    let late = service.link("reset-password", &owner.email, 2).await;
    service.clock.advance(3_600);
    let expired = reset(service, &late, PASSWORD).await;
    expired.assert_refused(400, "INVALID_LINK");
    answers.push(expired.without_request_id());
    service.clock.advance(24 * 3_600);
    let expired = verification(&unused).await;
    expired.assert_refused(400, "INVALID_LINK");
    of_verification.push(expired.without_request_id());
    for answers in [answers, of_verification] {
        assert!(
            answers.iter().all(|answer| *answer == answers[0]),
            "{answers:?}"
        );
    }
}

async fn one_of_many_uses_counts(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    forgot(service, &owner.email).await.ok();
    let token = service.link("reset-password", &owner.email, 1).await;
    let requests = (0..8).map(|n| reset(service, &token, &format!("password number {n}")).write());
    let mut won = 0;
    for answer in all_at_once(requests).await {
        if answer.status == 200 {
            won += 1;
        } else {
            answer.assert_refused(400, "INVALID_LINK");
        }
    }
    assert_eq!(won, 1);
}

async fn a_reset_verifies_the_address(service: &Service) {
    let owner = service.register("zoo").await;
    let verify = service.link("verify-email", &owner.email, 1).await;
    forgot(service, &owner.email).await.ok();
    let token = service.link("reset-password", &owner.email, 1).await;
    reset(service, &token, NEW).await.ok();
    let owner = service.sign_in(&owner.email, NEW).await;
    owner
        .put("/api/portal/organization/settings", json!({}))
        .await
        .ok();
    // Nothing is left to verify, and no session to be ended for it.
    let used = json!({"token": verify, "password": NEW});
    let used = service.anonymous().post("/api/auth/verify-email", used);
    used.await.assert_refused(400, "INVALID_LINK");
    owner.get("/api/portal/organization").await.ok();
}

async fn tokens_are_stored_as_hashes(service: &Service) {
    let owner = service.register("zoo").await;
    let token = service.link("verify-email", &owner.email, 1).await;
    let parsed = charter_authn::secrets::opaque_token::OpaqueToken::parse(&token).expect("a token");
    let purpose = charter_store::Purpose::VerifyEmail;
    let now = charter_domain::clock::Clock::now(&*service.clock);
    let found = service.store().find_link(parsed.hash(), purpose, now).await;
    assert!(found.expect("an answer").is_some());
    // On SQLite the whole database can be searched.
    for entry in std::fs::read_dir(service.directory()).expect("files") {
        let path = entry.expect("a file").path();
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("bytes");
            for secret in [&token, &owner.cookie, &owner.token, PASSWORD] {
                let found = bytes
                    .windows(secret.len())
                    .any(|window| window == secret.as_bytes());
                assert!(!found, "a secret in {}", path.display());
            }
        }
    }
}
