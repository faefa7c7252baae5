//! Edits, cuts and reordering of the log are found; a crash of the service is not mistaken for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use charter_decision_log::{LogFinding, LogKey, verify};
use tempfile::TempDir;
use test_support::choices::Choices;

use super::stand_alone::{Bench, keys};
use super::{files, lines};

/// A closed log of some files.
fn small_log(rotate_bytes: u64, lines: usize) -> Bench {
    let mut bench = Bench::new();
    bench.limits.rotate_bytes = rotate_bytes;
    let log = bench.open();
    bench.fill(&log, lines);
    log.close();
    bench
}

/// A closed log of ten decisions a file, each file but the last torn by so many bytes.
pub(super) fn torn_log(files_in_all: usize, torn: usize) -> Bench {
    let bench = Bench::new();
    for _ in 1..files_in_all {
        let log = bench.open();
        bench.fill(&log, 10);
        log.close();
        let newest = files(&bench.dir()).pop().expect("a file");
        let mut whole = fs::read(&newest).expect("a file");
        whole.extend(vec![b'{'; torn]);
        fs::write(&newest, whole).expect("torn");
    }
    let log = bench.open();
    bench.fill(&log, 10);
    log.close();
    bench
}

/// A copy of a log's directory, to be tampered with.
fn copy(dir: &Path) -> TempDir {
    let copy = TempDir::new().expect("a directory");
    copy_to(dir, copy.path());
    copy
}

fn copy_to(dir: &Path, to: &Path) {
    for file in files(dir) {
        let name = file.file_name().expect("a name");
        fs::copy(&file, to.join(name)).expect("a copy");
    }
}

pub(super) fn split(file: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(file).expect("a file");
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    lines.map(<[u8]>::to_vec).collect()
}

#[test]
fn an_untouched_log_has_no_findings() {
    let bench = small_log(2_900, 30);
    let report = bench.assert_intact();
    assert!(report.files > 3, "{report:?}");
    assert_eq!(report.decisions, 30);
    assert_eq!(report.lines, lines(&bench.dir()).len() as u64);
    assert!(report.notes.is_empty(), "{report:?}");
}

/// Does something to a log; what it did, or `None` if that changed nothing.
fn tamper(dir: &Path, choices: &mut Choices) -> Option<String> {
    let files = files(dir);
    let file: PathBuf = files[choices.below(files.len())].clone();
    let mut lines = split(&file);
    let at = choices.below(lines.len());
    let what = match choices.below(7) {
        0 => {
            let byte = choices.below(lines[at].len());
            // What a crash left of a line says nothing, and only its length is on record.
            if !lines[at].ends_with(b"\n") {
                return None;
            }
            let old = lines[at][byte];
            lines[at][byte] = u8::try_from(choices.below(256)).expect("a byte");
            (lines[at][byte] != old).then_some("a byte was changed")
        }
        1 => {
            lines.remove(at);
            Some("a line was deleted")
        }
        2 => {
            let inserted = lines[choices.below(lines.len())].clone();
            lines.insert(at, inserted);
            Some("a line was repeated")
        }
        3 => {
            let other = choices.below(lines.len());
            lines.swap(at, other);
            (at != other).then_some("two lines were swapped")
        }
        4 => {
            fs::remove_file(&file).expect("removed");
            return Some("a file was removed".to_owned());
        }
        5 => {
            let whole = lines.concat();
            let end = choices.below(whole.len());
            lines = vec![whole[..end].to_vec()];
            Some("an end was cut off")
        }
        _ => {
            let other = split(&files[choices.below(files.len())]);
            lines.insert(at, other[choices.below(other.len())].clone());
            Some("another file's line was inserted")
        }
    };
    fs::write(&file, lines.concat()).expect("written");
    what.map(|what| format!("{what}: {}, line {}", file.display(), at + 1))
}

#[test]
fn a_thousand_random_tamperings_are_found() {
    for (bench, seed) in [(small_log(2_900, 30), 11), (torn_log(3, 33), 12)] {
        bench.assert_intact();
        let mut choices = Choices::new(seed);
        let mut done = 0;
        while done < 1_000 {
            let copy = copy(&bench.dir());
            let Some(what) = tamper(copy.path(), &mut choices) else {
                continue;
            };
            let report = verify(copy.path(), Some(&bench.head()), &keys()).expect("readable");
            assert!(!report.findings.is_empty(), "{what}: not found");
            done += 1;
        }
    }
}

#[test]
fn a_log_cut_at_any_byte_is_told() {
    let bench = small_log(1_000_000, 4);
    let file = files(&bench.dir()).remove(0);
    let whole = fs::read(&file).expect("the file");
    for end in 0..whole.len() {
        fs::write(&file, &whole[..end]).expect("cut");
        let report = bench.verify();
        assert!(!report.findings.is_empty(), "cut at {end}: {report:?}");
    }
    fs::write(&file, &whole).expect("restored");
    bench.assert_intact();
}

#[test]
fn a_service_that_starts_on_a_cut_log_goes_on_and_says_so() {
    let bench = small_log(1_000_000, 4);
    let head = fs::read(bench.head()).expect("the head");
    let file = files(&bench.dir()).remove(0);
    let whole = fs::read(&file).expect("the file");
    let last = split(&file).len() as u64;
    for end in (0..whole.len()).step_by(211) {
        for later in files(&bench.dir()).into_iter().skip(1) {
            fs::remove_file(later).expect("removed");
        }
        fs::write(bench.head(), &head).expect("the head as it was");
        fs::write(&file, &whole[..end]).expect("cut");
        let log = bench.open();
        bench.fill(&log, 2);
        log.close();
        let report = bench.verify();
        let told = report.findings.iter();
        let told = told.filter(|it| it.finding == LogFinding::MissingSinceRestart(last));
        assert_eq!(told.count(), 1, "cut at {end}: {report:#?}");
    }
}

#[test]
fn a_line_that_a_crash_tore_is_passed_over() {
    let bench = small_log(1_000_000, 4);
    let newest = files(&bench.dir()).remove(0);
    let whole = fs::read(&newest).expect("the file");
    // The head is written behind the lines, so it may lag.
    let mut torn = whole.clone();
    torn.extend_from_slice(br#"{"v":1,"sequence":6,"kind":"deci"#);
    fs::write(&newest, torn).expect("torn");
    let before = bench.assert_intact();
    assert_eq!(before.notes.len(), 1, "{before:?}");
    let log = bench.open();
    bench.fill(&log, 3);
    log.close();
    let after = bench.assert_intact();
    assert_eq!((after.files, after.decisions), (2, 7));
    assert!(
        after.notes[0].contains("ends within a line (32 bytes)"),
        "{after:?}"
    );
    // Whoever tears further is found out all the same.
    fs::write(&newest, &whole[..whole.len() - 5]).expect("cut");
    assert!(!bench.verify().findings.is_empty());
}

#[test]
fn a_process_that_died_at_any_byte_is_no_forger() {
    let bench = small_log(2_900, 4);
    let head = fs::read(bench.head()).expect("the head");
    let before = copy(&bench.dir());
    // What it wrote behind the last head that it could write, another file among it.
    let log = bench.open();
    bench.fill(&log, 3);
    log.close();
    drop(log);
    let after = files(&bench.dir());
    assert!(after.len() > files(before.path()).len(), "{after:?}");
    for file in &after {
        let whole = fs::read(file).expect("a file");
        let known = fs::read(before.path().join(file.file_name().expect("a name")));
        let known = known.map_or(0, |known| known.len());
        // A file is begun with its first line, whole.
        let first = if known == 0 {
            split(file)[0].len()
        } else {
            known
        };
        for end in (first..whole.len()).step_by(61) {
            let crashed = Bench::new();
            fs::create_dir(crashed.dir()).expect("a directory");
            copy_to(&bench.dir(), &crashed.dir());
            fs::write(crashed.head(), &head).expect("the head as it was");
            for later in files(&crashed.dir()) {
                let name = later.file_name().expect("a name");
                if later.file_name() == file.file_name() {
                    fs::write(&later, &whole[..end]).expect("cut");
                } else if Some(name) > file.file_name() {
                    fs::remove_file(later).expect("removed");
                }
            }
            crashed.assert_intact();
            let log = crashed.open();
            crashed.fill(&log, 1);
            log.close();
            crashed.assert_intact();
        }
    }
}

#[test]
fn a_clean_restart_goes_on_in_the_same_file() {
    let bench = small_log(1_000_000, 3);
    for _ in 0..3 {
        let log = bench.open();
        bench.fill(&log, 1);
        log.close();
    }
    let report = bench.assert_intact();
    assert_eq!((report.files, report.decisions), (1, 6));
}

#[test]
fn verification_needs_the_key_and_names_other_files() {
    let bench = small_log(1_000_000, 2);
    let other = LogKey {
        id: "audit-2".to_owned(),
        secret: [8; 32].to_vec().into(),
    };
    let report = verify(&bench.dir(), None, &[other]).expect("readable");
    assert!(
        matches!(report.findings[0].finding, LogFinding::UnknownKey(_)),
        "{report:?}"
    );
    fs::write(bench.dir().join("notes.txt"), "x").expect("written");
    let report = bench.verify();
    assert_eq!(report.findings.len(), 1, "{report:?}");
    assert_eq!(
        report.findings[0].to_string(),
        "notes.txt: not a file of the log"
    );
    fs::remove_file(bench.dir().join("notes.txt")).expect("removed");
    fs::remove_file(bench.head()).expect("removed");
    assert!(matches!(
        bench.verify().findings[0].finding,
        LogFinding::NoHead
    ));
}

#[test]
fn a_new_key_begins_a_new_file() {
    let bench = small_log(1_000_000, 2);
    let config = |keys| charter_decision_log::DecisionLogConfig {
        dir: bench.dir(),
        head: bench.head(),
        keys,
        overflow: bench.overflow,
        queue: bench.queue,
        mask: bench.mask.clone(),
        limits: bench.limits,
        allowed_per_second: 0,
        sync_within: Duration::from_secs(1),
        budgets: std::sync::Arc::clone(&bench.budgets),
    };
    let mut both = keys();
    both.insert(
        0,
        LogKey {
            id: "audit-2".to_owned(),
            secret: [8; 32].to_vec().into(),
        },
    );
    let entropy = std::sync::Arc::new(charter_domain::entropy::OsEntropy);
    let log = charter_decision_log::DecisionLog::open(config(both), None, bench.clocks(), entropy)
        .expect("a log");
    bench.fill(&log, 2);
    log.close();
    let mut both = keys();
    both.push(LogKey {
        id: "audit-2".to_owned(),
        secret: [8; 32].to_vec().into(),
    });
    let report = verify(&bench.dir(), Some(&bench.head()), &both).expect("readable");
    assert!(report.findings.is_empty(), "{report:?}");
    assert_eq!((report.files, report.decisions), (2, 4));
}
