//! `/api/auth/refresh`: one successor for each token, however many ask; reuse ends the session.

use test_support::on_both_services;
use test_support::service::{Person, Persona, Service, TeamRole, cookie_of};
use tokio::task::JoinSet;

use super::ORGANIZATION;

on_both_services!(
    a_refreshed_session_goes_on,
    parallel_tabs_get_one_successor,
    late_reuse_ends_the_session,
    a_condition_that_fails_switches_no_reuse_detection_off,
    anonymous_actions_are_recorded_as_anonymous,
    reuse_is_noticed_within_one_second_and_after_many_generations,
    a_session_rolls_for_thirty_days,
    sessions_long_over_are_removed,
    only_a_well_formed_cookie_is_taken,
    each_cookie_of_that_name_is_tried,
    a_loop_of_refreshes_is_refused_before_anything_is_written,
);

async fn refreshed(service: &Service, person: &Person) -> Person {
    let answer = person.refresh().await;
    service.person(&person.email, &answer)
}

async fn a_refreshed_session_goes_on(service: &Service) {
    let acme = service.organization("acme").await;
    let first = acme.person(TeamRole::Owner).await;
    let second = refreshed(service, &first).await;
    assert_ne!(first.cookie, second.cookie);
    for token in [&first, &second] {
        token.get(ORGANIZATION).await.ok();
    }
    service.clock.advance(901);
    second
        .get(ORGANIZATION)
        .await
        .assert_refused(401, "TOKEN_EXPIRED");
    let third = refreshed(service, &second).await;
    third.get(ORGANIZATION).await.ok();
}

async fn parallel_tabs_get_one_successor(service: &Service) {
    let acme = service.organization("acme").await;
    let mut person = acme.person(TeamRole::Owner).await;
    for _ in 0..25 {
        let mut tabs = JoinSet::new();
        for _ in 0..8 {
            let request = person.refresh().write();
            tabs.spawn(async move { request.send().await });
        }
        let answers = tabs.join_all().await;
        let cookies: Vec<_> = answers.iter().map(cookie_of).collect();
        assert!(
            cookies.iter().all(|cookie| *cookie == cookies[0]),
            "{cookies:?}"
        );
        person = service.person(&person.email, &answers[0]);
    }
    person.get(ORGANIZATION).await.ok();
}

async fn late_reuse_ends_the_session(service: &Service) {
    let acme = service.organization("acme").await;
    let stolen = acme.person(TeamRole::Owner).await;
    let other_session = service
        .sign_in(&stolen.email, test_support::service::PASSWORD)
        .await;
    let current = refreshed(service, &stolen).await;
    service.clock.advance(10);
    assert_eq!(cookie_of(&stolen.refresh().await), current.cookie);
    service.clock.advance(1);
    stolen.refresh().await.assert_refused(401, "INVALID_TOKEN");
    current.refresh().await.assert_refused(401, "INVALID_TOKEN");
    current
        .get(ORGANIZATION)
        .await
        .assert_refused(401, "INVALID_TOKEN");
    other_session.refresh().await.ok();
}

async fn a_condition_that_fails_switches_no_reuse_detection_off(service: &Service) {
    let acme = service.organization("acme").await;
    let stolen = acme.person(TeamRole::Owner).await;
    let under = |person: &Person, name: &str, value: &str| person.refresh().header(name, value);
    let current = refreshed(service, &stolen).await;
    for person in [&stolen, &current] {
        let refused = under(person, "if-match", "\"x\"").await;
        refused.assert_refused(412, "PRECONDITION_FAILED");
    }
    let again = stolen.refresh().await;
    assert_eq!(cookie_of(&again), current.cookie, "nothing was done");
    service.clock.advance(11);
    let refused = under(&stolen, "if-none-match", "*").await;
    refused.assert_refused(401, "INVALID_TOKEN");
    for refused in [current.refresh().await, current.get(ORGANIZATION).await] {
        refused.assert_refused(401, "INVALID_TOKEN");
    }
    let refused = under(&current, "if-match", "\"x\"").await;
    refused.assert_refused(401, "INVALID_TOKEN");
    let found = service.audited("person.ReuseRefreshToken").await;
    assert_eq!(found.len(), 1);
}

async fn reuse_is_noticed_within_one_second_and_after_many_generations(service: &Service) {
    let acme = service.organization("acme").await;
    let first = acme.person(TeamRole::Owner).await;
    let mut person = first.clone();
    // All in the same instant: times decide nothing.
    for _ in 0..6 {
        person = refreshed(service, &person).await;
    }
    service.clock.advance(11);
    first.refresh().await.assert_refused(401, "INVALID_TOKEN");
    person.refresh().await.assert_refused(401, "INVALID_TOKEN");
}

async fn a_session_rolls_for_thirty_days(service: &Service) {
    const DAY: i64 = 24 * 3_600;
    let acme = service.organization("acme").await;
    let mut person = acme.person(TeamRole::Owner).await;
    for _ in 0..3 {
        service.clock.advance(29 * DAY);
        person = refreshed(service, &person).await;
    }
    service.clock.advance(30 * DAY);
    person.refresh().await.assert_refused(401, "INVALID_TOKEN");
}

async fn only_a_well_formed_cookie_is_taken(service: &Service) {
    let acme = service.organization("acme").await;
    let person = acme.person(TeamRole::Owner).await;
    let ask = || service.anonymous().ask("POST", "/api/auth/refresh");
    ask().await.assert_refused(401, "MISSING_CREDENTIALS");
    // A credential is looked at before a body (contract section 2, order).
    let bodies = ask().typed("text/plain", "x");
    bodies.await.assert_refused(401, "MISSING_CREDENTIALS");
    // A token that was handed out is not a refresh token.
    ask()
        .header("authorization", &format!("Bearer {}", person.token))
        .await
        .assert_refused(401, "MISSING_CREDENTIALS");
    let good = format!("refresh_token={}", person.cookie);
    for bad in [
        "refresh_token=".to_owned(),
        "refresh_token=nonsense".to_owned(),
        format!("{good}="),
        format!("refresh_token={}", "A".repeat(43)),
        format!("refresh_token={}", person.token),
    ] {
        ask()
            .header("cookie", &bad)
            .await
            .assert_refused(401, "INVALID_TOKEN");
    }
    let body = ask().header("cookie", &good).typed("text/plain", "x");
    body.await.assert_refused(415, "UNSUPPORTED_MEDIA_TYPE");
    ask()
        .header("cookie", &good)
        .body("{\"x\":1}")
        .await
        .assert_refused(400, "UNKNOWN_FIELD");
    ask()
        .header("cookie", &format!("theme=dark; {good}; lang=en"))
        .body("{}")
        .await
        .ok();
    let odd = ask().header("cookie", &format!("name=J\u{fc}rgen; {good}"));
    odd.await.ok();
    // Elsewhere the cookie is ignored.
    let elsewhere = service
        .anonymous()
        .get(ORGANIZATION)
        .header("cookie", &good);
    elsewhere.await.assert_refused(401, "MISSING_CREDENTIALS");
}

async fn each_cookie_of_that_name_is_tried(service: &Service) {
    let acme = service.organization("acme").await;
    let stale = acme.person(TeamRole::Owner).await;
    let mut current = refreshed(service, &stale).await;
    // Too late for its successor: alone it would end the session.
    service.clock.advance(11);
    let ended = service
        .sign_in(&stale.email, test_support::service::PASSWORD)
        .await;
    ended.log_out().await.ok();
    let other = acme
        .person_named("other@acme.example", TeamRole::Member)
        .await;
    let pair = |cookie: &str| format!("refresh_token={cookie}");
    let ask = || service.anonymous().ask("POST", "/api/auth/refresh");
    for bad in [
        &stale.cookie,
        &ended.cookie,
        "nonsense",
        &"A".repeat(43),
        &stale.token,
    ] {
        for is_first in [true, false] {
            let mut cookies = [pair(bad), pair(&current.cookie)];
            if is_first {
                cookies.reverse();
            }
            let answer = ask().header("cookie", &cookies.join("; ")).await;
            let again = service.person(&stale.email, &answer);
            assert_eq!(again.id, stale.id);
            let in_lines = ask()
                .header("cookie", &cookies[0])
                .header("cookie", &cookies[1]);
            assert_eq!(cookie_of(&in_lines.await), again.cookie);
            current = again;
            current.get(ORGANIZATION).await.ok();
            service.clock.advance(11);
        }
    }
    // Of two that are good the first one is used, and the other one stays good.
    let both = format!("{}; {}", pair(&other.cookie), pair(&current.cookie));
    let answer = ask().header("cookie", &both).await;
    assert_eq!(service.person(&other.email, &answer).id, other.id);
    current = refreshed(service, &current).await;
    // None is good: then what was used before ends its session.
    let none = format!("{}; {}", pair(&ended.cookie), pair(&stale.cookie));
    let answer = ask().header("cookie", &none).await;
    answer.assert_refused(401, "INVALID_TOKEN");
    current.refresh().await.assert_refused(401, "INVALID_TOKEN");
    // A logout ends the session of each cookie.
    let one = service
        .sign_in(&stale.email, test_support::service::PASSWORD)
        .await;
    let two = service
        .sign_in(&stale.email, test_support::service::PASSWORD)
        .await;
    let three = service
        .sign_in(&stale.email, test_support::service::PASSWORD)
        .await;
    let others = format!("{}; {}", pair(&two.cookie), pair(&three.cookie));
    let logout = one
        .ask("POST", "/api/auth/logout")
        .header("cookie", &others);
    logout.await.ok();
    for person in [&one, &two, &three] {
        person.refresh().await.assert_refused(401, "INVALID_TOKEN");
    }
}

async fn sessions_long_over_are_removed(service: &Service) {
    let acme = service.organization("acme").await;
    let mut person = acme.person(TeamRole::Owner).await;
    for _ in 0..3 {
        person = refreshed(service, &person).await;
    }
    let store = service.store();
    let forget = async |days: i64| {
        let at = service.clock.in_seconds(days * 24 * 3_600);
        let at = charter_domain::timestamp::parse(&at).expect("a time");
        store.forget_sessions_before(at).await.expect("forgotten")
    };
    assert_eq!(forget(0).await, 0);
    // The spent tokens; the session itself lives thirty days.
    assert_eq!(forget(29).await, 3);
    person.get(ORGANIZATION).await.ok();
    assert_eq!(forget(31).await, 1);
    person.refresh().await.assert_refused(401, "INVALID_TOKEN");
}

async fn anonymous_actions_are_recorded_as_anonymous(service: &Service) {
    let acme = service.organization("acme").await;
    let stolen = acme.person(TeamRole::Owner).await;
    refreshed(service, &stolen).await;
    service.clock.advance(11);
    stolen.refresh().await.assert_refused(401, "INVALID_TOKEN");
    let forgot = serde_json::json!({"email": stolen.email});
    let forgot = service
        .anonymous()
        .post("/api/auth/forgot-password", forgot);
    forgot.await.ok();
    service.link("reset-password", &stolen.email, 1).await;
    let id = charter_domain::id::UserId::parse_uuid(&stolen.id).expect("an id");
    for action in ["person.ReuseRefreshToken", "person.RequestLink"] {
        let found = service.audited(action).await;
        let [(actor, resource, changes)] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!((actor.as_str(), resource), ("anonymous", &id.to_string()));
        assert!(changes.contains("\"source_ip\":\"127.0.0.1\""), "{changes}");
    }
    // Who reads the events of a team does not read where its people are.
    let member = acme.person(TeamRole::Member).await;
    let events = member.get("/audit-events?actor=anonymous").await.ok();
    assert_eq!(events["results"].as_array().map(Vec::len), Some(2));
    assert!(!events.to_string().contains("127.0.0.1"), "{events}");
}

async fn spent_tokens(service: &Service) -> i64 {
    use sea_orm::ConnectionTrait as _;
    let raw = test_support::services::connect(service.database_url()).await;
    let text = "SELECT count(*) FROM spent_refresh_tokens";
    let statement = sea_orm::Statement::from_string(raw.get_database_backend(), text);
    let row = raw.query_one_raw(statement).await.expect("an answer");
    row.expect("a row").try_get_by_index(0).expect("a number")
}

async fn a_loop_of_refreshes_is_refused_before_anything_is_written(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let mut last = owner.clone();
    for n in 0..5 {
        // What this process never handed out counts as well.
        let mut person = service.session_of(&owner.email).await;
        for _ in 0..60 {
            person = refreshed(service, &person).await;
        }
        let limited = person.refresh().await;
        limited.assert_refused(429, "RATE_LIMIT_EXCEEDED");
        assert_eq!(limited.header("retry-after"), Some("60"));
        assert_eq!(limited.header("x-ratelimit-limit"), Some("60"));
        assert_eq!(spent_tokens(service).await, 60 * (n + 1));
        last = person;
    }
    // All sessions of one person together have five times as many.
    let limited = owner.refresh().await;
    limited.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(limited.header("x-ratelimit-limit"), Some("300"));
    let reader = acme.person(TeamRole::Member).await;
    refreshed(service, &reader).await;
    // It is a wait, and ends no session.
    service.clock.advance(60);
    for person in [&owner, &last] {
        refreshed(service, person)
            .await
            .get(ORGANIZATION)
            .await
            .ok();
    }
}
