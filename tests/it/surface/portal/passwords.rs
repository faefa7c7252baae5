//! `/api/auth/change-password`, and the device cookie: no stranger's guesses keep a person out.

use serde_json::json;
use test_support::on_both_services;
use test_support::service::{PASSWORD, Person, Persona, Request, Service, TeamRole, device_of};

use super::{DEACTIVATE, ORGANIZATION};

on_both_services!(
    another_password_ends_every_other_session,
    a_wrong_current_password_counts_by_itself,
    a_device_is_counted_by_itself,
    a_device_cookie_is_good_for_one_person_and_password,
);

const NEW: &str = "another horse battery";

fn change(person: &Person, current: &str, new: &str) -> Request {
    let body = json!({"currentPassword": current, "newPassword": new});
    person.post("/api/auth/change-password", body)
}

async fn another_password_ends_every_other_session(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let elsewhere = service.sign_in(&owner.email, PASSWORD).await;
    let forgot = json!({"email": owner.email});
    let forgot = service
        .anonymous()
        .post("/api/auth/forgot-password", forgot);
    forgot.await.ok();
    let link = service.link("reset-password", &owner.email, 1).await;
    let weak = change(&owner, PASSWORD, "password").await;
    assert_eq!(weak.broken_on_portal(), ["/newPassword"]);
    let changed = change(&owner, PASSWORD, NEW).await;
    assert_eq!(changed.ok(), json!({}));
    device_of(&changed);
    owner.get(ORGANIZATION).await.ok();
    owner.refresh().await.ok();
    elsewhere
        .get(ORGANIZATION)
        .await
        .assert_refused(401, "INVALID_TOKEN");
    elsewhere
        .refresh()
        .await
        .assert_refused(401, "INVALID_TOKEN");
    let body = json!({"token": link, "newPassword": PASSWORD});
    let reset = service.anonymous().post("/api/auth/reset-password", body);
    reset.await.assert_refused(400, "INVALID_LINK");
    service
        .anonymous()
        .log_in(&owner.email, PASSWORD)
        .await
        .assert_refused(401, "INVALID_LOGIN");
    let owner = service.sign_in(&owner.email, NEW).await;
    assert_eq!(service.audited("person.ChangePassword").await.len(), 1);
    let anonymous = service.anonymous();
    anonymous
        .ask("POST", "/api/auth/change-password")
        .await
        .assert_refused(401, "MISSING_CREDENTIALS");
    owner.ask("POST", DEACTIVATE).await.ok();
    change(&owner, NEW, PASSWORD)
        .await
        .assert_refused(403, "ORGANIZATION_DEACTIVATED");
}

async fn a_wrong_current_password_counts_by_itself(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let elsewhere = service.sign_in(&owner.email, PASSWORD).await;
    for _ in 0..5 {
        let wrong = change(&owner, "wrong", NEW).await;
        assert_eq!(wrong.broken_on_portal(), ["/currentPassword"]);
    }
    let limited = change(&owner, PASSWORD, NEW).await;
    limited.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(limited.header("retry-after"), Some("1"));
    // The other session and who signs in are none of its business.
    service.sign_in(&owner.email, PASSWORD).await;
    change(&elsewhere, PASSWORD, NEW).await.ok();
    owner
        .get(ORGANIZATION)
        .await
        .assert_refused(401, "INVALID_TOKEN");
}

async fn a_device_is_counted_by_itself(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let first = service.anonymous().log_in(&owner.email, PASSWORD).await;
    let device = device_of(&first);
    let log_in = |password: &str| service.anonymous().log_in(&owner.email, password);
    // A stranger of the same network uses up the network's tries, and the account's.
    for _ in 0..5 {
        log_in("wrong").await.assert_refused(401, "INVALID_LOGIN");
    }
    log_in(PASSWORD)
        .await
        .assert_refused(429, "RATE_LIMIT_EXCEEDED");
    let known = log_in(PASSWORD).header("cookie", &device).await;
    known.ok();
    // The browser keeps its name, so its own tries are counted on.
    let again = device_of(&known);
    for _ in 0..5 {
        let wrong = log_in("wrong").header("cookie", &again).await;
        wrong.assert_refused(401, "INVALID_LOGIN");
        assert!(wrong.header("set-cookie").is_none());
    }
    for cookie in [&again, &device] {
        let limited = log_in(PASSWORD).header("cookie", cookie).await;
        limited.assert_refused(429, "RATE_LIMIT_EXCEEDED");
        assert_eq!(limited.header("retry-after"), Some("1"));
    }
    service.clock.advance(1);
    log_in(PASSWORD).header("cookie", &again).await.ok();
}

async fn a_device_cookie_is_good_for_one_person_and_password(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let reader = acme.person(TeamRole::Member).await;
    let log_in = |email: &str, password: &str| service.anonymous().log_in(email, password);
    let device = device_of(&log_in(&owner.email, PASSWORD).await);
    let of_reader = device_of(&log_in(&reader.email, PASSWORD).await);
    for _ in 0..5 {
        log_in("nobody@acme.example", "wrong")
            .await
            .assert_refused(401, "INVALID_LOGIN");
    }
    let with =
        |cookie: &str, password: &str| log_in(&owner.email, password).header("cookie", cookie);
    let forged = format!("device={}", "A".repeat(96));
    for bad in ["device=", "device=nonsense", &forged, &of_reader] {
        with(bad, PASSWORD)
            .await
            .assert_refused(429, "RATE_LIMIT_EXCEEDED");
    }
    // Of several cookies each is tried.
    with(&format!("{forged}; {of_reader}; {device}"), PASSWORD)
        .await
        .ok();
    let changed = change(&owner, PASSWORD, NEW).await;
    changed.ok();
    with(&device, NEW)
        .await
        .assert_refused(429, "RATE_LIMIT_EXCEEDED");
    with(&device_of(&changed), NEW).await.ok();
}
