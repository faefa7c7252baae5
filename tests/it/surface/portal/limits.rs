//! How often strangers may try (contract section 5).

use serde_json::{Value, json};
use test_support::client::Answer;
use test_support::service::{
    PASSWORD, Person, Persona, Request, Service, TeamRole, all_at_once, device_of,
};
use test_support::services::TestDatabase;

async fn service() -> Service {
    // The loopback address is the proxy of these tests: who asks is in a header.
    Service::with_server(TestDatabase::sqlite(), "trusted_proxies = [\"127.0.0.1\"]").await
}

fn from(request: Request, client: &str) -> Request {
    request.header("x-forwarded-for", client)
}

#[track_caller]
fn assert_limited(answer: &Answer, limit: &str, seconds: &str) {
    answer.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(answer.header("retry-after"), Some(seconds));
    assert_eq!(answer.header("x-ratelimit-limit"), Some(limit));
    assert_eq!(answer.header("x-ratelimit-remaining"), Some("0"));
    assert_eq!(answer.header("x-ratelimit-reset"), Some(seconds));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_registers_three_times_an_hour() {
    let service = service().await;
    let register = |n: u32, client: &str| {
        let body = json!({
            "orgName": "Zoo", "orgSlug": format!("zoo-{n}"),
            "ownerEmail": format!("a@zoo{n}.example"), "ownerPassword": PASSWORD,
        });
        from(service.anonymous().post("/api/auth/register", body), client)
    };
    for n in 0..3 {
        register(n, "192.0.2.1").await.ok();
        service.clock.advance(600);
    }
    assert_limited(&register(3, "192.0.2.1").await, "3", "1800");
    // What stands further left is the client's own claim.
    assert_limited(&register(3, "203.0.113.9, 192.0.2.1").await, "3", "1800");
    register(3, "192.0.2.2").await.ok();
    service.clock.advance(1_800);
    register(4, "192.0.2.1").await.ok();
    for n in 5..8 {
        register(n, &format!("2001:db8::{n}")).await.ok();
    }
    assert_eq!(register(8, "2001:db8::ffff:1").await.status, 429);
    register(8, "2001:db8:0:1::1").await.ok();
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_asks_for_three_forgotten_passwords_an_hour() {
    let service = service().await;
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let forgot = |client: &str| {
        let body: Value = json!({"email": owner.email});
        from(
            service.anonymous().post("/api/auth/forgot-password", body),
            client,
        )
    };
    for _ in 0..3 {
        forgot("192.0.2.1").await.ok();
    }
    assert_limited(&forgot("192.0.2.1").await, "3", "3600");
    forgot("192.0.2.2").await.ok();
    service.link("reset-password", &owner.email, 4).await;
    // From many networks: the answer stays, the mails end.
    for n in 10..40 {
        forgot(&format!("192.0.2.{n}")).await.ok();
    }
    service.link("reset-password", &owner.email, 10).await;
    service.clock.advance(1);
    assert_eq!(service.mails().len(), 10);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_failed_logins_for_each_network_in_a_quarter_of_an_hour() {
    let service = service().await;
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let login = |email: &str, password: &str| {
        from(service.anonymous().log_in(email, password), "192.0.2.1")
    };
    for n in 0..3 {
        login(&format!("nobody{n}@acme.example"), PASSWORD)
            .await
            .assert_refused(401, "INVALID_LOGIN");
        // The right ones do not count.
        login(&owner.email, PASSWORD).await.ok();
    }
    // A burst gets what is left, and no more.
    let burst = (3..13).map(|n| login(&format!("nobody{n}@acme.example"), PASSWORD).write());
    let answers = all_at_once(burst).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [401, 401, 429, 429, 429, 429, 429, 429, 429, 429]);
    assert_limited(&login(&owner.email, PASSWORD).await, "5", "900");
    from(
        service.anonymous().log_in(&owner.email, PASSWORD),
        "192.0.2.2",
    )
    .await
    .ok();
    service.clock.advance(900);
    login(&owner.email, PASSWORD).await.ok();
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accounts_wait_doubles_and_is_never_a_lock() {
    let service = service().await;
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let mut client = 0_u32;
    let mut login = |email: &str, password: &str| {
        client += 1;
        let client = format!("198.51.{}.{}", client / 250, client % 250);
        from(service.anonymous().log_in(email, password), &client)
    };
    for email in [owner.email.as_str(), "nobody@acme.example"] {
        for _ in 0..5 {
            login(email, "wrong")
                .await
                .assert_refused(401, "INVALID_LOGIN");
        }
        for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            assert_limited(&login(email, "wrong").await, "5", &wait.to_string());
            service.clock.advance(wait);
            login(email, "wrong")
                .await
                .assert_refused(401, "INVALID_LOGIN");
        }
    }
    assert_eq!(
        login(&owner.email.to_uppercase(), PASSWORD).await.status,
        200
    );
    login(&owner.email, "wrong")
        .await
        .assert_refused(401, "INVALID_LOGIN");
    login(&owner.email, PASSWORD).await.ok();
    // Another password ends the wait.
    for _ in 0..5 {
        login(&owner.email, "wrong")
            .await
            .assert_refused(401, "INVALID_LOGIN");
    }
    assert_eq!(login(&owner.email, PASSWORD).await.status, 429);
    let forgot = json!({"email": owner.email});
    let forgot = service
        .anonymous()
        .post("/api/auth/forgot-password", forgot);
    forgot.await.ok();
    let token = service.link("reset-password", &owner.email, 1).await;
    let reset = json!({"token": token, "newPassword": "another horse battery"});
    let reset = service.anonymous().post("/api/auth/reset-password", reset);
    reset.await.ok();
    login(&owner.email, "another horse battery").await.ok();
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_from_elsewhere_do_not_lock_the_owner_out() {
    let service = service().await;
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let login = |client: &str, password: &str| {
        from(service.anonymous().log_in(&owner.email, password), client)
    };
    login("192.0.2.1", PASSWORD).await.ok();
    for n in 0..5 {
        login(&format!("198.51.100.{n}"), "wrong")
            .await
            .assert_refused(401, "INVALID_LOGIN");
    }
    assert_limited(&login("198.51.100.9", PASSWORD).await, "5", "1");
    login("192.0.2.1", PASSWORD).await.ok();
    assert_limited(&login("198.51.100.9", PASSWORD).await, "5", "1");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_client_cannot_use_up_the_password_checks_of_others() {
    let settings = "[budgets]\npassword_hashes_per_minute = 40\n";
    let service = Service::with(TestDatabase::sqlite(), settings).await;
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let reader = acme.person(TeamRole::Member).await;
    let log_in = |who: &Person| service.anonymous().log_in(&who.email, PASSWORD);
    let of_owner = device_of(&log_in(&owner).await);
    let of_reader = device_of(&log_in(&reader).await);
    for _ in 0..8 {
        log_in(&reader).header("cookie", &of_reader).await.ok();
    }
    // With the cookie, without it, and in the session: it is one share, a quarter of the budget.
    assert_limited(
        &log_in(&reader).header("cookie", &of_reader).await,
        "10",
        "60",
    );
    assert_limited(&log_in(&reader).await, "10", "60");
    let body = json!({"currentPassword": PASSWORD, "newPassword": "another horse battery"});
    let change = reader.post("/api/auth/change-password", body).await;
    assert_limited(&change, "10", "60");
    log_in(&owner).header("cookie", &of_owner).await.ok();
    let body = json!({"email": owner.email});
    let forgot = service.anonymous().post("/api/auth/forgot-password", body);
    forgot.await.ok();
    let token = service.link("reset-password", &owner.email, 1).await;
    let body = json!({"token": token, "newPassword": "another horse battery"});
    let reset = service.anonymous().post("/api/auth/reset-password", body);
    reset.await.ok();
    service.clock.advance(60);
    log_in(&reader).header("cookie", &of_reader).await.ok();
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_right_password_is_charged_to_the_organization() {
    let settings = "[budgets]\npassword_hashes_per_minute = 8\n";
    let service = Service::with(TestDatabase::sqlite(), settings).await;
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let log_in = || service.anonymous().log_in(&owner.email, PASSWORD);
    // Wrong ones of strangers are not: they would keep others out.
    for _ in 0..4 {
        let wrong = service.anonymous().log_in(&owner.email, "wrong").await;
        wrong.assert_refused(401, "INVALID_LOGIN");
    }
    let device = device_of(&log_in().await);
    acme.person(TeamRole::Admin).await;
    // One person has half of what the others left.
    while log_in().header("cookie", &device).await.status == 200 {}
    for refused in [log_in().header("cookie", &device), log_in()] {
        let refused = refused.await;
        refused.assert_refused(429, "RATE_LIMIT_EXCEEDED");
        let message = refused.json()["error"]["message"].to_string();
        let part = "its part of the organization's share of password checks";
        assert!(message.contains(part), "{message}");
    }
    let other = acme.person(TeamRole::Member).await;
    other.get("/api/portal/me").await.ok();
    service.clock.advance(75);
    log_in().header("cookie", &device).await.ok();
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_who_sign_in_all_the_time_keep_nobody_else_out() {
    let settings = "[budgets]\npassword_hashes_per_minute = 12\n";
    let service = Service::with(TestDatabase::sqlite(), settings).await;
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let log_in = |who: &Person| service.anonymous().log_in(&who.email, PASSWORD);
    let device = device_of(&log_in(&owner).await);
    service.clock.advance(60);
    for n in 0..6 {
        let email = format!("member-{n}@acme.example");
        let by = service.operator();
        acme.user(&email, TeamRole::Member, &by).await;
        let log_in = || service.anonymous().log_in(&email, PASSWORD);
        log_in().await.ok();
        while log_in().await.status == 200 {}
        log_in().await.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    }
    log_in(&owner).header("cookie", &device).await.ok();
    // What the owner was refused counts for nothing.
    while log_in(&owner).header("cookie", &device).await.status == 200 {}
    service.clock.advance(30);
    log_in(&owner).header("cookie", &device).await.ok();
    service.stop().await;
}
