//! What happens when the log cannot be written: nothing is lost in silence.

use std::sync::atomic::{AtomicU64, Ordering};

use charter_decision_log::{NotRecorded, Overflow};
use charter_domain::clock::Clock as _;
use charter_domain::permission::Permission;
use test_support::service::{Persona, Service};
use test_support::services::TestDatabase;

use super::stand_alone::Bench;
use super::{Logged as _, OutOfReach, WAIT_TIMEOUT, decisions, lines};

/// Every line needs a file of its own, which cannot be made while the directory is out of reach.
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
fn overflow_wait_decides_nothing_that_is_not_recorded() {
    let bench = stuck(Overflow::Wait);
    let log = bench.open();
    let recorder = log.recorder();
    let away = bench.home.path().join("away");
    let out_of_reach = OutOfReach::put(bench.dir(), &away);
    let reader = bench.acme.program(&[], &["organizations:GetOrganization"]);
    let decide = || bench.decide(&log, &reader, Permission::GetOrganization);
    let mut ids = vec![decide().expect("on record").id.to_string()];
    assert!(recorder.has_room());
    wait_until(|| {
        recorder
            .status()
            .is_some_and(|it| it.writer.last_error.is_some())
    });
    // However little waits: what is not written may be lost by a stop.
    assert!(!recorder.has_room() && !recorder.has_room_for_domain());
    assert!(recorder.status().expect("on").refuses);
    for _ in 0..100 {
        if let Ok(decided) = decide() {
            ids.push(decided.id.to_string());
        }
    }
    assert_eq!(decide(), Err(NotRecorded));
    assert!(!recorder.has_room());
    assert!(recorder.status().expect("on").refuses);
    out_of_reach.back();
    assert!(recorder.flush(WAIT_TIMEOUT));
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
fn overflow_count_logs_how_many_are_missing() {
    let bench = stuck(Overflow::Count);
    let log = bench.open();
    let recorder = log.recorder();
    let away = bench.home.path().join("away");
    let out_of_reach = OutOfReach::put(bench.dir(), &away);
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
    out_of_reach.back();
    assert!(recorder.flush(WAIT_TIMEOUT));
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

#[test]
fn decisions_during_the_stop_are_recorded_or_refused() {
    for overflow in [Overflow::Wait, Overflow::Count] {
        let mut bench = Bench::new();
        bench.overflow = overflow;
        let log = bench.open();
        let reader = bench.acme.program(&[], &["organizations:GetOrganization"]);
        let (decided, refused) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..400 {
                        let answer = bench.decide(&log, &reader, Permission::GetOrganization);
                        let count = if answer.is_ok() { &decided } else { &refused };
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            wait_until(|| decided.load(Ordering::SeqCst) > 100);
            log.close();
        });
        let logged = bench.assert_intact().decisions;
        let lost = log.recorder().status().expect("on").writer.lost;
        assert_eq!(logged + lost, decided.into_inner());
        match overflow {
            Overflow::Wait => assert!(lost == 0 && refused.into_inner() > 0),
            Overflow::Count => assert!(lost > 0),
        }
    }
}

#[test]
fn decisions_lost_at_the_stop_are_counted_and_the_next_start_records_them() {
    let bench = stuck(Overflow::Wait);
    let log = bench.open();
    let reader = bench.acme.program(&[], &["organizations:GetOrganization"]);
    let away = bench.home.path().join("away");
    let out_of_reach = OutOfReach::put(bench.dir(), &away);
    let began = bench.clock.now();
    bench.clock.advance(3);
    for _ in 0..5 {
        bench
            .decide(&log, &reader, Permission::GetOrganization)
            .expect("on its way");
    }
    log.close();
    let status = log.recorder().status().expect("on");
    assert_eq!(status.writer.lost, 5);
    let why = status.writer.last_error.expect("an error");
    assert!(why.contains("the writer has ended"), "{why}");
    assert!(status.refuses);
    drop(log);
    out_of_reach.back();
    for _ in 0..2 {
        let log = bench.open();
        assert!(log.recorder().flush(WAIT_TIMEOUT));
        log.close();
    }
    let report = bench.assert_intact();
    assert!(
        report.notes[0].contains("5 decisions were not recorded"),
        "{report:?}"
    );
    let lines = lines(&bench.dir());
    let gaps: Vec<_> = lines.iter().filter(|line| line["kind"] == "gap").collect();
    assert_eq!(gaps.len(), 1);
    let time = |at| charter_domain::timestamp::format_millis(at);
    assert_eq!(gaps[0]["lost"], 5);
    assert_eq!(
        gaps[0]["since"],
        time(began + std::time::Duration::from_secs(3))
    );
    assert_eq!(gaps[0]["until"], gaps[0]["since"]);
}

#[test]
fn a_writer_that_panics_is_missed() {
    for overflow in [Overflow::Wait, Overflow::Count] {
        let bench = stuck(overflow);
        let log = bench.open();
        let recorder = log.recorder();
        bench.clock.break_writer();
        let reader = bench.acme.program(&[], &["organizations:GetOrganization"]);
        let decide = || bench.decide(&log, &reader, Permission::GetOrganization);
        decide().expect("on its way");
        assert!(!recorder.flush(WAIT_TIMEOUT));
        let status = recorder.status().expect("on");
        assert_eq!(status.writer.lost, 1);
        let why = status.writer.last_error.expect("an error");
        assert!(why.contains("the writer has ended"), "{why}");
        match overflow {
            Overflow::Wait => {
                assert!(status.refuses && !recorder.has_room());
                assert_eq!(decide(), Err(NotRecorded));
            }
            Overflow::Count => {
                assert!(!status.refuses && recorder.has_room());
                decide().expect("it goes on");
                assert_eq!(recorder.status().expect("on").writer.lost, 2);
            }
        }
        log.close();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_whose_writer_panicked_is_not_ready() {
    let settings = "[decisions]\nrotate_bytes = 4096";
    let service = Service::with(TestDatabase::sqlite(), settings).await;
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    service.clock.break_writer();
    let refused = loop {
        let answer = reader.get("/organizations/info").await;
        if answer.status != 200 {
            break answer;
        }
    };
    refused.assert_refused(503, "UNAVAILABLE");
    let ready = service.operator_side().get("/readyz").await;
    assert_eq!(ready.status, 503);
    let part = &ready.json()["decision_log"];
    assert_eq!(part["status"], "unavailable", "{part}");
    let reason = part["reason"].as_str().expect("a reason");
    assert!(reason.contains("the writer has ended"), "{reason}");
    service.stop().await;
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
    let out_of_reach = OutOfReach::put(service.log_dir(), &away);
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
    out_of_reach.back();
    assert!(service.state().decisions.flush(WAIT_TIMEOUT));
    get().await.ok();
    assert_eq!(service.logged().len(), answered + 1);
    let first = &super::lines(&service.log_dir())[0];
    assert_eq!(first["sequence"], 1, "a file is gone: {first}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denial_has_an_id_without_a_log_too() {
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
