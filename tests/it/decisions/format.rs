//! What is written once and referred to; files of the version before; look-ups by index.

use std::fs;
use std::path::Path;

use charter_authz::snapshot::Snapshot;
use charter_decision_log::{DecisionLookup, LogDirectory};
use charter_domain::clock::Clock as _;
use charter_domain::entropy::OsEntropy;
use charter_domain::id::DecisionId;
use charter_domain::permission::Permission;
use charter_domain::progress::Progress;
use charter_policy::replay::{EarlierSnapshots, ReplayMode, ReplayPolicies, replay};
use test_support::policy_world::shipped;

use super::stand_alone::Bench;
use super::{WAIT_TIMEOUT, decisions, files, lines};

/// A log that version 0.1.0 wrote, in format 1, under the key of the tests.
fn of_version_1() -> Bench {
    let bench = Bench::new();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/decisions/version1");
    fs::create_dir(bench.dir()).expect("a directory");
    for file in files(&from) {
        let name = file.file_name().expect("a name");
        fs::copy(&file, bench.dir().join(name)).expect("a copy");
    }
    fs::copy(from.join("head.json"), bench.head()).expect("a copy");
    bench
}

#[test]
fn a_log_of_the_version_before_is_checked_found_asked_again_and_gone_on_with() {
    let bench = of_version_1();
    assert_eq!(bench.assert_intact().decisions, 10);
    let log = bench.open();
    bench.fill(&log, 2);
    log.close();
    let report = bench.assert_intact();
    assert_eq!((report.files, report.decisions), (2, 12));
    let directory = LogDirectory::new(bench.dir());
    let lookups: [&dyn DecisionLookup; 2] = [log.recorder(), &directory];
    let all = decisions(&bench.dir());
    assert_eq!(all.len(), 12);
    for record in &all {
        let id: DecisionId = record["id"]
            .as_str()
            .expect("an id")
            .parse()
            .expect("an id");
        for lookup in lookups {
            let found = lookup.find(id).expect("readable").expect("it is there");
            assert_eq!(&serde_json::to_value(found).expect("JSON"), record);
        }
    }
    let snapshot = Snapshot::load(&shipped()).expect("policies");
    let outcome = replay(
        &bench.dir(),
        &ReplayPolicies::only(None, &snapshot),
        &EarlierSnapshots::new(),
        ReplayMode::Candidate,
        2,
        &Progress::default(),
    )
    .expect("readable");
    assert_eq!(
        (outcome.decisions, outcome.replayed, outcome.unreadable),
        (12, 12, 0)
    );
    // Whoever edits it is found out as before.
    let old = files(&bench.dir()).remove(0);
    let text = fs::read_to_string(&old).expect("a file");
    fs::write(&old, text.replacen("\"deny\"", "\"allow\"", 1)).expect("edited");
    assert_eq!(bench.verify().findings.len(), 1);
}

#[test]
fn repeated_parts_are_written_once_a_file() {
    let mut bench = Bench::new();
    bench.limits.rotate_bytes = 20_000;
    let log = bench.open();
    let reader = bench.acme.program(&[], &["organizations:GetOrganization"]);
    for _ in 0..300 {
        let decided = bench.decide(&log, &reader, Permission::GetOrganization);
        decided.expect("on record");
    }
    log.close();
    assert_eq!(bench.assert_intact().decisions, 300);
    let all = files(&bench.dir());
    assert!(all.len() > 1, "{all:?}");
    let bytes: u64 = all
        .iter()
        .map(|file| fs::metadata(file).expect("a file").len())
        .sum();
    assert!(bytes / 300 < 220, "{} bytes a decision", bytes / 300);
    for file in &all {
        let text = fs::read_to_string(file).expect("a file");
        for (kind, most) in [("entity", 3), ("case", 1), ("context", 1)] {
            let kind = format!("\"kind\":\"{kind}\"");
            let count = text.matches(&kind).count();
            assert!((1..=most).contains(&count), "{count} of {kind} in {file:?}");
        }
    }
    // And each decision is whole all the same.
    for record in decisions(&bench.dir()) {
        assert_eq!(record["entities"].as_array().map(Vec::len), Some(3));
        assert!(
            record["context"]["now"].to_string().contains("datetime"),
            "{record}"
        );
    }
}

#[test]
fn an_index_is_kept_beside_a_finished_file_and_made_again_where_it_is_missing() {
    let mut bench = Bench::new();
    bench.limits.rotate_bytes = 300_000;
    let log = bench.open();
    bench.fill(&log, 4_000);
    assert!(log.recorder().flush(WAIT_TIMEOUT));
    let all = files(&bench.dir());
    let indexed = |bench: &Bench| {
        let there = files(&bench.dir());
        there
            .iter()
            .filter(|file| file.with_extension("index").exists())
            .count()
    };
    assert_eq!(indexed(&bench), all.len() - 1);
    assert!(all.len() > 2);
    let records = decisions(&bench.dir());
    let ids: Vec<DecisionId> = records
        .iter()
        .step_by(97)
        .map(|record| {
            record["id"]
                .as_str()
                .expect("an id")
                .parse()
                .expect("an id")
        })
        .collect();
    let found = |id: DecisionId| {
        let found = log.recorder().find(id).expect("readable");
        found.is_some_and(|record| record.id == id.to_string())
    };
    assert!(ids.iter().all(|id| found(*id)));
    assert!(!found(DecisionId::generate(bench.clock.now(), &OsEntropy)));
    log.close();
    // One that somebody spoiled, one that is missing.
    fs::write(all[0].with_extension("index"), "{").expect("spoiled");
    fs::remove_file(all[1].with_extension("index")).expect("removed");
    let again = bench.open();
    for id in &ids {
        let found = again.recorder().find(*id).expect("readable");
        assert!(found.is_some(), "{id}");
    }
    again.close();
    bench.assert_intact();
}

#[test]
fn ids_of_no_decision_cost_next_to_nothing() {
    let mut bench = Bench::new();
    bench.limits.rotate_bytes = 300_000;
    let log = bench.open();
    bench.fill(&log, 4_000);
    assert!(log.recorder().flush(WAIT_TIMEOUT));
    let read = || {
        let text = fs::read_to_string("/proc/thread-self/io").expect("what this thread read");
        let line = text.lines().find_map(|line| line.strip_prefix("rchar: "));
        line.and_then(|it| it.parse::<u64>().ok())
            .expect("a number")
    };
    let whole: u64 = files(&bench.dir())
        .iter()
        .map(|file| fs::metadata(file).expect("a file").len())
        .sum();
    // Of any time within the log, each is looked for in a stretch of it, and not in all.
    let before = read();
    for back in 0..100 {
        let at = bench.clock.now() - std::time::Duration::from_secs(back * 40);
        let id = DecisionId::generate(at, &OsEntropy);
        assert!(log.recorder().find(id).expect("readable").is_none());
    }
    let each = (read() - before) / 100;
    assert!(each < 300_000, "{each} of {whole} bytes read for an id");
    log.close();
    // A line never says the same number twice.
    let sequences: Vec<_> = lines(&bench.dir())
        .iter()
        .map(|line| line["sequence"].as_u64())
        .collect();
    assert!(sequences.is_sorted());
}
