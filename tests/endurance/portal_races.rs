//! A deactivation and a logout against everything else at the same time.

use serde_json::json;
use test_support::on_both_services;
use test_support::service::{Person, Persona as _, Service, TeamRole, all_at_once, cookie_of};
use test_support::services::TestDatabase;

const ORGANIZATION: &str = "/api/portal/organization";
const DEACTIVATE: &str = "/api/portal/organization/deactivate";
const INVITE: &str = "/api/portal/team/invite";

on_both_services!(
    nothing_slips_through_a_deactivation,
    nothing_of_a_session_outlives_its_logout,
);

async fn deactivate_amid_writes(service: &Service, slug: &str) {
    let acme = service.organization(slug).await;
    let signer = acme.manager().await;
    let owner = acme.person(TeamRole::Owner).await;
    let invite = json!({"email": format!("new@{slug}.example"), "role": "member"});
    let requests = [
        owner.ask("POST", DEACTIVATE).write(),
        owner.post(&signer.keys(), json!({})).write(),
        signer
            .patch("/organizations/info", json!({"metadata": {"round": slug}}))
            .write(),
        owner.refresh().write(),
        owner.post(INVITE, invite).write(),
    ];
    let answers = all_at_once(requests).await;
    let deactivated = answers[0].ok();
    assert_eq!(deactivated["isActive"], false);
    // Whatever came before the end is over, whatever came after was refused.
    if answers[1].status == 201 {
        let holder = service.holder(&answers[1].json());
        holder
            .get("/organizations/info")
            .await
            .assert_refused(401, "KEY_REVOKED");
    } else {
        answers[1].assert_refused(403, "ORGANIZATION_DEACTIVATED");
    }
    assert!(
        matches!(answers[2].status, 200 | 401 | 403),
        "{:?}",
        answers[2]
    );
    if answers[3].status == 200 {
        let cookie = cookie_of(&answers[3]);
        service
            .anonymous()
            .refresh(&cookie)
            .await
            .assert_refused(401, "INVALID_TOKEN");
    } else {
        answers[3].assert_refused(401, "INVALID_TOKEN");
    }
    assert!(matches!(answers[4].status, 200 | 403), "{:?}", answers[4]);
    let keys = owner
        .get(&format!("{}?include_inactive=true", signer.keys()))
        .await
        .ok();
    for key in keys["results"].as_array().expect("keys") {
        assert_eq!(key["is_active"], false, "{key}");
    }
    let stored = acme.stored().organization().await.expect("it is there");
    let is_stamped = stored.metadata.as_object().contains_key("round");
    assert_eq!(
        is_stamped,
        answers[2].status == 200,
        "a write after the end, or a lost one"
    );
    owner.refresh().await.assert_refused(401, "INVALID_TOKEN");
}

async fn deactivations(service: &Service, rounds: usize) {
    for round in 0..rounds {
        deactivate_amid_writes(service, &format!("race-{round}")).await;
    }
}

async fn nothing_slips_through_a_deactivation(service: &Service) {
    deactivations(service, 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long"]
async fn nothing_slips_through_a_deactivation_in_full() {
    let service = Service::on(TestDatabase::sqlite()).await;
    deactivations(&service, 5_000).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long"]
async fn nothing_slips_through_a_deactivation_on_postgres_in_full() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        let service = Service::on(database).await;
        deactivations(&service, 5_000).await;
        service.stop().await;
    }
}

/// One person refreshes thousands of sessions.
const UNLIMITED: &str = "[portal]\nrefreshes_per_minute = 0\n";

/// However refreshes and a logout meet: once the logout has been answered, nothing works any more.
async fn log_out_amid_refreshes(service: &Service, person: &Person) {
    let cookie = format!("refresh_token={}", person.cookie);
    let logout = person
        .ask("POST", "/api/auth/logout")
        .header("cookie", &cookie);
    let refreshes = (0..3).map(|_| person.refresh().write());
    let answers = all_at_once(refreshes.chain([logout.write()])).await;
    answers[3].ok();
    let handed_out = answers[..3].iter().filter(|answer| answer.status == 200);
    let cookies = handed_out.map(cookie_of).chain([person.cookie.clone()]);
    for cookie in cookies.collect::<Vec<_>>() {
        let again = service.anonymous().refresh(&cookie).await;
        again.assert_refused(401, "INVALID_TOKEN");
    }
    person
        .get(ORGANIZATION)
        .await
        .assert_refused(401, "INVALID_TOKEN");
}

async fn logouts(service: &Service, rounds: usize) {
    let acme = service.organization("acme").await;
    let email = acme.person(TeamRole::Owner).await.email;
    for _ in 0..rounds {
        let person = service.session_of(&email).await;
        log_out_amid_refreshes(service, &person).await;
    }
}

async fn nothing_of_a_session_outlives_its_logout(service: &Service) {
    logouts(service, 25).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long"]
async fn nothing_of_a_session_outlives_its_logout_in_full() {
    let service = Service::with(TestDatabase::sqlite(), UNLIMITED).await;
    logouts(&service, 10_000).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long"]
async fn nothing_of_a_session_outlives_its_logout_on_postgres_in_full() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        let service = Service::with(database, UNLIMITED).await;
        logouts(&service, 10_000).await;
        service.stop().await;
    }
}
