//! What happens when the log cannot be written: nothing is lost in silence.

use std::fs;

use charter::authz::decision_log::{NotRecorded, Overflow};
use charter::domain::permission::Permission;

use super::stand_alone::Bench;
use super::{PATIENCE, decisions, lines};
use crate::service::{Persona, Service};
use crate::services::TestDatabase;

/// Every line needs a file of its own, which cannot be made while the directory is away.
fn stuck(overflow: Overflow) -> Bench {
    let mut bench = Bench::new();
    bench.limits.rotate_bytes = 1;
    bench.overflow = overflow;
    bench.queue = 16;
    bench
}

/// Waits for the writer to notice.
fn wait_until(what: impl Fn() -> bool) {
    while !what() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn with_wait_nothing_is_decided_that_is_not_recorded() {
    let bench = stuck(Overflow::Wait);
    let log = bench.open();
    let recorder = log.recorder();
    let away = bench.home.path().join("away");
    fs::rename(bench.dir(), &away).expect("moved away");
    let reader = bench.acme.program(&[], &["organizations:GetOrganization"]);
    let decide = || bench.decide(&log, &reader, Permission::GetOrganization);
    let mut ids = vec![decide().expect("on record").id.to_string()];
    wait_until(|| {
        recorder
            .status()
            .is_some_and(|it| it.writer.last_error.is_some())
    });
    for _ in 0..100 {
        if let Ok(decided) = decide() {
            ids.push(decided.id.to_string());
        }
    }
    assert_eq!(decide(), Err(NotRecorded));
    assert!(!recorder.has_room());
    assert!(recorder.status().expect("on").refuses);
    fs::rename(&away, bench.dir()).expect("moved back");
    assert!(recorder.flush(PATIENCE));
    ids.push(decide().expect("it has healed").id.to_string());
    assert!(recorder.status().expect("on").writer.last_error.is_none());
    log.close();
    bench.assert_intact();
    let logged = decisions(&bench.dir());
    let logged: Vec<_> = logged
        .iter()
        .map(|it| it["id"].as_str().expect("an id"))
        .collect();
    assert_eq!(logged, ids);
}

#[test]
fn with_count_the_log_says_how_many_are_missing() {
    let bench = stuck(Overflow::Count);
    let log = bench.open();
    let recorder = log.recorder();
    let away = bench.home.path().join("away");
    fs::rename(bench.dir(), &away).expect("moved away");
    let reader = bench.acme.program(&[], &["organizations:GetOrganization"]);
    for _ in 0..100 {
        bench
            .decide(&log, &reader, Permission::GetOrganization)
            .expect("it goes on");
    }
    assert!(recorder.has_room() && !recorder.status().expect("on").refuses);
    wait_until(|| {
        recorder
            .status()
            .is_some_and(|it| it.writer.last_error.is_some())
    });
    fs::rename(&away, bench.dir()).expect("moved back");
    assert!(recorder.flush(PATIENCE));
    log.close();
    let report = bench.assert_intact();
    let gaps: u64 = lines(&bench.dir())
        .iter()
        .filter(|line| line["kind"] == "gap")
        .map(|line| line["lost"].as_u64().expect("a count"))
        .sum();
    assert!(gaps > 0);
    assert_eq!(report.decisions + gaps, 100);
    assert!(
        report.notes[0].contains("decisions were not recorded"),
        "{report:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_slow_down_then_fail_and_it_heals_by_itself() {
    let settings = "[decisions]\nqueue = 16\nrotate_bytes = 4096";
    let service = Service::with(TestDatabase::sqlite(), settings).await;
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let get = || reader.get("/organizations/info");
    get().await.ok();
    let away = service.directory().join("away");
    fs::rename(service.log_dir(), &away).expect("moved away");
    let mut answered = 1;
    let refused = loop {
        let answer = get().await;
        if answer.status != 200 {
            break answer;
        }
        answered += 1;
    };
    refused.assert_refused(503, "UNAVAILABLE");
    assert!(refused.header("retry-after").is_some());
    let ready = service.operator_side().get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(
        ready.json()["decision_log"]["status"],
        "unavailable",
        "{ready:?}"
    );
    fs::rename(&away, service.log_dir()).expect("moved back");
    assert!(service.state().decisions.flush(PATIENCE));
    get().await.ok();
    assert_eq!(service.logged().len(), answered + 1);
    let first = &super::lines(&service.log_dir())[0];
    assert_eq!(first["sequence"], 1, "a file is gone: {first}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_log_a_denial_still_has_an_id() {
    let service = Service::with(TestDatabase::sqlite(), "[decisions]\nenabled = false").await;
    let acme = service.organization("acme").await;
    let nobody = acme.signer(&[]).await;
    let answer = nobody.get("/organizations/info").await;
    answer.assert_refused(403, "NOT_PERMITTED");
    let answer = answer.json();
    let id = answer["error"]["decision_id"].as_str().expect("an id");
    assert!(id.starts_with("dec-"));
    assert!(!service.log_dir().exists());
    service.stop().await;
}
