//! Somebody moves, removes or cuts what is written, under the running service.

use std::fs;
use std::path::Path;

use charter_decision_log::{DecisionLookup as _, LogFinding};
use test_support::service::{Persona, Service};
use test_support::services::TestDatabase;

use super::stand_alone::Bench;
use super::{Logged as _, WAIT_TIMEOUT, decisions, files, records};

/// What is done to the log.
type Harm = fn(&Bench);

/// Leaves the first bytes of a file, as `copytruncate` of a log rotation does with none.
fn cut(file: &Path, length: u64) {
    let file = fs::File::options().write(true).open(file).expect("there");
    file.set_len(length).expect("cut");
}

#[test]
fn another_file_is_begun_and_what_is_gone_is_missed() {
    let ways: [(&str, Harm); 3] = [
        ("removed", |bench| {
            fs::remove_file(&files(&bench.dir())[0]).expect("removed");
        }),
        ("moved", |bench| {
            let file = files(&bench.dir()).remove(0);
            fs::rename(file, bench.home.path().join("away")).expect("moved");
        }),
        ("with its directory", |bench| {
            fs::rename(bench.dir(), bench.home.path().join("away")).expect("moved");
        }),
    ];
    for (way, harm) in ways {
        let bench = Bench::new();
        let log = bench.open();
        bench.fill(&log, 4);
        assert!(log.recorder().flush(WAIT_TIMEOUT));
        assert!(!log.recorder().status().expect("on").missed);
        harm(&bench);
        bench.fill(&log, 4);
        assert!(log.recorder().flush(WAIT_TIMEOUT), "{way}");
        assert!(log.recorder().status().expect("on").missed, "{way}");
        // What is decided from then on is there.
        assert_eq!(decisions(&bench.dir()).len(), 4, "{way}");
        bench.clock.advance(3_600);
        assert!(!log.recorder().status().expect("on").missed, "{way}");
        log.close();
        let found: Vec<_> = bench
            .verify()
            .findings
            .into_iter()
            .map(|it| it.finding)
            .collect();
        assert_eq!(found, [LogFinding::MissingFiles(1, 1)], "{way}");
    }
}

#[test]
fn another_file_is_begun_when_the_current_one_is_cut() {
    for part in [0, 1, 2] {
        let bench = Bench::new();
        let log = bench.open();
        bench.fill(&log, 4);
        assert!(log.recorder().flush(WAIT_TIMEOUT));
        let file = files(&bench.dir()).remove(0);
        let length = fs::metadata(&file).expect("there").len();
        // The last one cuts a byte off.
        cut(&file, [0, length / 2, length - 1][part]);
        bench.fill(&log, 4);
        assert!(log.recorder().flush(WAIT_TIMEOUT), "{part}");
        assert!(log.recorder().status().expect("on").missed, "{part}");
        let files = files(&bench.dir());
        assert_eq!(files.len(), 2, "{part}");
        let kept = records(&files[1]);
        assert_eq!(kept.len(), 4, "{part}");
        for record in kept {
            let id = record["id"].as_str().expect("an id");
            let id = id.parse().expect("an id");
            let found = log.recorder().find(id).expect("readable");
            assert!(found.is_some(), "{part}: {id}");
        }
        bench.clock.advance(3_600);
        bench.fill(&log, 1);
        assert!(log.recorder().flush(WAIT_TIMEOUT));
        assert!(!log.recorder().status().expect("on").missed, "{part}");
        log.close();
        assert!(!bench.verify().findings.is_empty(), "{part}");
    }
}

#[test]
fn a_file_that_is_put_back_completes_the_log() {
    let bench = Bench::new();
    let log = bench.open();
    bench.fill(&log, 4);
    assert!(log.recorder().flush(WAIT_TIMEOUT));
    let file = files(&bench.dir()).remove(0);
    let away = bench.home.path().join("away");
    fs::rename(&file, &away).expect("moved");
    bench.fill(&log, 4);
    assert!(log.recorder().flush(WAIT_TIMEOUT));
    fs::rename(&away, &file).expect("put back");
    log.close();
    assert_eq!(bench.assert_intact().decisions, 8);
}

#[test]
fn a_head_that_is_gone_is_written_again() {
    let ways: [Harm; 2] = [
        |bench| fs::remove_file(bench.head()).expect("removed"),
        |bench| cut(&bench.head(), 0),
    ];
    for harm in ways {
        let bench = Bench::new();
        let log = bench.open();
        bench.fill(&log, 2);
        assert!(log.recorder().flush(WAIT_TIMEOUT));
        harm(&bench);
        bench.fill(&log, 2);
        assert!(log.recorder().flush(WAIT_TIMEOUT));
        assert!(log.recorder().status().expect("on").missed);
        log.close();
        bench.assert_intact();
    }
}

#[test]
fn only_one_writes_a_directory_that_was_made_anew() {
    let bench = Bench::new();
    let log = bench.open();
    bench.fill(&log, 1);
    assert!(log.recorder().flush(WAIT_TIMEOUT));
    fs::remove_dir_all(bench.dir()).expect("removed");
    bench.fill(&log, 1);
    assert!(log.recorder().flush(WAIT_TIMEOUT));
    let directory = fs::File::open(bench.dir()).expect("it is there");
    assert!(directory.try_lock().is_err(), "the writer holds it");
    log.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_reports_a_log_that_was_moved_or_cut() {
    for is_cut in [false, true] {
        let service = Service::on(TestDatabase::sqlite()).await;
        let acme = service.organization("acme").await;
        let reader = acme.signer(&[]).await;
        let part = async |name: &str| {
            let ready = service.operator_side().get("/readyz").await.ok();
            ready[name].clone()
        };
        reader
            .get("/organizations/info")
            .await
            .assert_refused(403, "NOT_PERMITTED");
        assert_eq!(service.logged().len(), 1);
        for name in ["decision_log", "audit_heads"] {
            assert_eq!(part(name).await["status"], "ok");
        }
        let heads = service.directory().join("audit-heads.jsonl");
        if is_cut {
            cut(&files(&service.log_dir())[0], 0);
            cut(&heads, 0);
        } else {
            fs::remove_dir_all(service.log_dir()).expect("removed");
            fs::remove_file(heads).expect("removed");
        }
        reader
            .get("/organizations/info")
            .await
            .assert_refused(403, "NOT_PERMITTED");
        service.organization("globex").await;
        assert_eq!(service.logged().len(), 1, "cut: {is_cut}");
        for name in ["decision_log", "audit_heads"] {
            let part = part(name).await;
            assert_eq!(part["status"], "degraded", "{name}, cut: {is_cut}");
            let reason = part["reason"].as_str().expect("a reason");
            assert!(reason.contains("while the service runs"), "{reason}");
        }
        service.stop().await;
    }
}
