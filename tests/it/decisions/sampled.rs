//! Of allowed decisions of one kind as many are written as explain it; no denial is left out, and
//! one organization's denials do not push out those of others.

use std::sync::Arc;
use std::time::Duration;

use charter_budgets::{Budgets, Payer, Resource, Share};
use charter_decision_log::{DecisionLookup as _, Via};
use charter_domain::permission::Permission;
use test_support::service::{Persona, Service};
use test_support::services::TestDatabase;

use super::stand_alone::Bench;
use super::{Logged as _, WAIT_TIMEOUT, decisions, lines};

fn sampled() -> Bench {
    let mut bench = Bench::new();
    bench.allowed_per_second = 1;
    bench
}

#[test]
fn one_of_a_kind_and_second_is_written_and_says_how_many_more_there_were() {
    let bench = sampled();
    let log = bench.open();
    let reader = bench.acme.program(&[], &["organizations:GetOrganization"]);
    let nobody = bench.acme.program(&[], &[]);
    for _ in 0..3 {
        for _ in 0..10 {
            let decide = |caller| bench.decide(&log, caller, Permission::GetOrganization);
            decide(&reader).expect("counted");
            decide(&nobody).expect("on record");
        }
        assert!(log.recorder().flush(WAIT_TIMEOUT));
        bench.clock.advance(1);
    }
    log.close();
    let report = bench.assert_intact();
    assert_eq!((report.decisions, report.counted), (3 + 30, 27));
    let all = decisions(&bench.dir());
    let rests: Vec<_> = all
        .iter()
        .filter(|record| record["decision"] == "allow")
        .map(|record| record["rest"].as_u64())
        .collect();
    assert_eq!(rests, [Some(0), Some(9), Some(9)]);
    // The last ones have a line of their own.
    let lines = lines(&bench.dir());
    let told: Vec<_> = lines.iter().filter(|line| line["kind"] == "rest").collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["count"], 9);
}

#[test]
fn kinds_differ_by_caller_thing_permission_and_answer() {
    let bench = sampled();
    let log = bench.open();
    let all: Vec<&str> = Permission::ALL.iter().map(|it| it.as_str()).collect();
    let (one, other) = (bench.acme.program(&[], &all), bench.acme.person("owner"));
    for _ in 0..3 {
        for caller in [&one, &other] {
            for permission in [Permission::GetOrganization, Permission::GetAccount] {
                for (_, resource) in bench.acme.resources(permission) {
                    let decided = bench.decide_about(&log, caller, permission, resource);
                    decided.expect("on record");
                }
            }
        }
    }
    log.close();
    let all = decisions(&bench.dir());
    let mut kinds: Vec<_> = all
        .iter()
        .filter(|record| record["decision"] == "allow")
        .map(|it| format!("{} {} {}", it["principal"], it["action"], it["resource"]))
        .collect();
    let written = kinds.len();
    kinds.sort();
    kinds.dedup();
    assert!(written >= 4);
    assert_eq!(kinds.len(), written, "one of each kind");
}

#[test]
fn an_id_that_somebody_is_told_is_that_of_a_line() {
    let mut bench = sampled();
    bench.via = Via::Evaluation;
    bench.tells_id = true;
    let log = bench.open();
    let reader = bench.acme.program(&[], &["organizations:GetOrganization"]);
    for _ in 0..5 {
        let decided = bench.decide(&log, &reader, Permission::GetOrganization);
        let id = decided.expect("on record").id;
        assert!(log.recorder().flush(WAIT_TIMEOUT));
        assert!(log.recorder().find(id).expect("readable").is_some());
    }
    log.close();
}

#[test]
fn counts_are_in_the_file_of_their_case() {
    let mut bench = sampled();
    bench.limits.rotate_bytes = 4_000;
    let log = bench.open();
    let reader = bench.acme.program(&[], &["organizations:GetOrganization"]);
    let nobody = bench.acme.program(&[], &[]);
    for _ in 0..200 {
        for caller in [&reader, &nobody] {
            let decided = bench.decide(&log, caller, Permission::GetOrganization);
            decided.expect("on record");
        }
    }
    log.close();
    let report = bench.assert_intact();
    assert!(report.files > 3, "{report:?}");
    // A kind begins anew with a file.
    assert_eq!(report.decisions + report.counted, 400);
    assert!(report.counted > 100, "{report:?}");
    // All that is told refers to something.
    decisions(&bench.dir());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organization_beyond_its_share_is_throttled_alone() {
    let settings = "[budgets]\ndecision_log_bytes_per_hour = 20000\n";
    let service = Service::with(TestDatabase::sqlite(), settings).await;
    let (acme, globex) = (
        service.organization("acme").await,
        service.organization("globex").await,
    );
    let (noisy, quiet) = (acme.signer(&[]).await, globex.signer(&[]).await);
    let mut denied = 0;
    let throttled = loop {
        let answer = noisy.get("/organizations/info").await;
        assert!(service.state().decisions.flush(WAIT_TIMEOUT));
        if answer.status != 403 {
            break answer;
        }
        denied += 1;
    };
    throttled.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    assert!(throttled.header("retry-after").is_some());
    assert_eq!(throttled.header("x-ratelimit-limit"), Some("10000"));
    // Nothing of it is lost, and nobody else is concerned.
    assert_eq!(service.logged().len(), denied);
    quiet
        .get("/organizations/info")
        .await
        .assert_refused(403, "NOT_PERMITTED");
    service.clock.advance(3_600);
    noisy
        .get("/organizations/info")
        .await
        .assert_refused(403, "NOT_PERMITTED");
    service.stop().await;
}

#[test]
fn evaluations_are_not_charged_to_the_organization_that_is_asked_about() {
    let mut bench = sampled();
    let share = Share::PerTime {
        amount: 1,
        per: Duration::from_hours(1),
    };
    let shares = [(Resource::DecisionLogBytes, share)];
    bench.budgets = Arc::new(Budgets::new(shares, bench.clock.clone()));
    let log = bench.open();
    let nobody = bench.acme.program(&[], &[]);
    let payer = Payer::from(&nobody);
    for (via, is_charged) in [(Via::Evaluation, false), (Via::Request, true)] {
        bench.via = via;
        bench
            .decide(&log, &nobody, Permission::GetOrganization)
            .expect("on record");
        assert!(log.recorder().flush(WAIT_TIMEOUT));
        assert_eq!(log.recorder().check_share(payer).is_err(), is_charged);
    }
    log.close();
}
