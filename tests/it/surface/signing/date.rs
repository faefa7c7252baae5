//! `x-date`: within 300 s of the service's clock, either way.

use test_support::on_both_services;
use test_support::service::{Persona, Service};

use super::INFO;

on_both_services!(
    a_date_may_lie_300_seconds_off_either_way,
    fractions_of_a_second_count,
    clock_skew_names_the_servers_time,
    a_date_is_judged_before_the_signature,
);

async fn a_date_may_lie_300_seconds_off_either_way(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    for over_h2 in [false, true] {
        for (seconds, accepted) in [
            (-301, false),
            (-300, true),
            (0, true),
            (300, true),
            (301, false),
        ] {
            let written = manager
                .get(INFO)
                .dated(&service.clock.in_seconds(seconds))
                .write();
            let written = if over_h2 { written.over_h2() } else { written };
            let answer = written.send().await;
            if accepted {
                answer.ok();
            } else {
                answer.assert_refused(401, "CLOCK_SKEW");
            }
        }
    }
    // The service's clock decides, not the client's.
    let late = manager.get(INFO).write();
    service.clock.advance(301);
    late.send().await.assert_refused(401, "CLOCK_SKEW");
    manager.get(INFO).await.ok();
    for year in [
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "1970-01-01T00:00:00Z",
    ] {
        manager
            .get(INFO)
            .dated(year)
            .await
            .assert_refused(401, "CLOCK_SKEW");
    }
}

async fn fractions_of_a_second_count(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    for good in [
        "2025-09-30T12:00:00.0Z",
        "2025-09-30T12:00:00.123456789Z",
        "2025-09-30T12:04:59.999999999Z",
        "2025-09-30T12:05:00.000000000Z",
        "2025-09-30T11:55:00.000Z",
    ] {
        manager.get(INFO).dated(good).await.ok();
    }
    for bad in [
        "2025-09-30T12:05:00.000000001Z",
        "2025-09-30T11:54:59.999999999Z",
    ] {
        manager
            .get(INFO)
            .dated(bad)
            .await
            .assert_refused(401, "CLOCK_SKEW");
    }
}

async fn clock_skew_names_the_servers_time(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    service.clock.advance(3_600);
    let answer = manager.get(INFO).dated("2025-09-30T12:00:00Z").await;
    answer.assert_refused(401, "CLOCK_SKEW");
    let message = answer.json()["error"]["message"].to_string();
    assert!(message.contains("2025-09-30T13:00:00Z"), "{message}");
}

async fn a_date_is_judged_before_the_signature(service: &Service) {
    let mut stranger = service.organization("acme").await.manager().await;
    stranger.signature.secret_key = "sk_live_wrong".to_owned();
    let old = service.clock.in_seconds(-301);
    stranger
        .get(INFO)
        .dated(&old)
        .await
        .assert_refused(401, "CLOCK_SKEW");
    stranger
        .get(INFO)
        .await
        .assert_refused(401, "INVALID_SIGNATURE");
}
