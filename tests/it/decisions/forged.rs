//! Whoever hides behind the end that a crash left is found out: such an end excuses itself only.

use std::fs;
use std::path::Path;

use charter_decision_log::LogFinding;
use serde_json::{Value, json};

use super::chain::{split, torn_log};
use super::files;
use super::stand_alone::Bench;

const TORN: usize = 33;

pub(super) fn findings(bench: &Bench) -> Vec<LogFinding> {
    let findings = bench.verify().findings.into_iter();
    findings.map(|located| located.finding).collect()
}

/// So many bytes of lines that are none.
fn junk(bytes: usize, lines: usize) -> Vec<u8> {
    let mut junk = "x\n".repeat(lines - 1).into_bytes();
    junk.resize(bytes, b'x');
    junk
}

/// A line that says something else under a code that its author made up, or was given.
fn forge(line: &[u8], mac: Option<&str>) -> Vec<u8> {
    let text = std::str::from_utf8(line).expect("text").trim_end();
    let text = text.replace("\"allow\"", "\"deny\"");
    let (body, _) = text.rsplit_once(",\"mac\":").expect("a code");
    let made_up = "A".repeat(43) + "=";
    let mac = mac.unwrap_or(&made_up);
    format!("{body},\"mac\":\"{mac}\"}}\n").into_bytes()
}

pub(super) fn first(file: &Path) -> Value {
    serde_json::from_slice(&split(file)[0]).expect("a line")
}

#[test]
fn decisions_that_were_replaced_by_as_many_bytes_as_a_crash_left() {
    let bench = torn_log(2, TORN);
    let file = files(&bench.dir()).remove(0);
    let mut forged = split(&file)[0].clone();
    // What a crash left is no line.
    let last = split(&file).len() as u64 - 1;
    forged.extend(junk(TORN, 10));
    fs::write(&file, forged).expect("forged");
    let found = findings(&bench);
    assert!(found.contains(&LogFinding::Missing(2, last)), "{found:?}");
}

#[test]
fn a_file_that_was_forged_behind_a_first_line_of_nothing() {
    let bench = torn_log(3, TORN);
    let files = files(&bench.dir());
    let next = first(&files[2]);
    let lines = split(&files[1]);
    let whole = &lines[1..lines.len() - 1];
    let mut forged = junk(TORN, 1);
    forged[TORN - 1] = b'\n';
    for (index, line) in whole.iter().enumerate() {
        let is_last = index + 1 == whole.len();
        let mac = is_last.then(|| next["prev"].as_str().expect("a code"));
        forged.extend(forge(line, mac));
    }
    fs::write(&files[1], forged).expect("forged");
    let found = findings(&bench);
    assert!(found.contains(&LogFinding::Malformed), "{found:?}");
}

#[test]
fn a_file_that_names_no_key() {
    let bench = torn_log(3, 0);
    let files = files(&bench.dir());
    let lines = split(&files[0]);
    let whole = lines.iter().map(|line| {
        let text = std::str::from_utf8(line).expect("text");
        forge(text.replace(",\"key\":\"audit-1\"", "").as_bytes(), None)
    });
    fs::write(&files[0], whole.collect::<Vec<_>>().concat()).expect("forged");
    let found = findings(&bench);
    assert_eq!(found[0], LogFinding::NoKey, "{found:?}");
}

#[test]
fn a_first_line_that_somebody_changed_vouches_for_none_behind_it() {
    let bench = torn_log(3, TORN);
    let files = files(&bench.dir());
    let mut lines = split(&files[1]);
    let sequence = first(&files[1])["sequence"].as_u64().expect("a number");
    let changed = forge(&lines[0], None);
    lines[0] = changed;
    fs::write(&files[1], lines.concat()).expect("forged");
    let found = findings(&bench);
    assert!(found.contains(&LogFinding::Altered(sequence)), "{found:?}");
    // The end in front of it is no longer excused, nor is the one behind.
    assert!(found.contains(&LogFinding::Torn(TORN as u64)), "{found:?}");
    let others = |it: &&LogFinding| matches!(it, LogFinding::OtherEnd(_, _));
    assert_eq!(found.iter().filter(others).count(), 1, "{found:?}");
}

#[test]
fn a_forged_line_is_no_torn_end_though_its_length_is_on_record() {
    let bench = torn_log(1, 0);
    let file = files(&bench.dir()).remove(0);
    let mut whole = fs::read(&file).expect("a file");
    let line = forge(&split(&file)[1], None);
    whole.extend(&line);
    fs::write(&file, whole).expect("appended");
    // The service starts on it and says how much it could not read.
    let log = bench.open();
    bench.fill(&log, 1);
    log.close();
    let found = findings(&bench);
    assert!(found.contains(&LogFinding::Altered(2)), "{found:?}");
}

#[test]
fn an_end_of_another_length_than_the_service_found() {
    for bytes in [0, 1, TORN - 1, TORN + 1] {
        let bench = torn_log(2, TORN);
        let file = files(&bench.dir()).remove(0);
        let mut whole = fs::read(&file).expect("a file");
        whole.truncate(whole.len() - TORN);
        whole.extend(junk(bytes, 1));
        fs::write(&file, whole).expect("cut");
        let found = findings(&bench);
        let (told, bytes) = (TORN as u64, bytes as u64);
        assert!(
            found.contains(&LogFinding::OtherEnd(told, bytes)),
            "{found:?}"
        );
    }
}

#[test]
fn oldest_files_that_somebody_removed_are_missed_after_a_rotation_and_a_restart() {
    let mut bench = torn_log(4, 0);
    let removed = files(&bench.dir()).remove(0);
    // One file so far: files are begun when one is long.
    bench.limits.rotate_bytes = 4_000;
    let log = bench.open();
    bench.fill(&log, 20);
    log.close();
    bench.assert_intact();
    fs::remove_file(removed).expect("removed");
    let missed = |bench: &Bench| {
        let found = findings(bench);
        assert!(found.contains(&LogFinding::MissingFiles(1, 1)), "{found:?}");
    };
    missed(&bench);
    for torn in [false, true] {
        let newest = files(&bench.dir()).pop().expect("a file");
        if torn {
            let mut whole = fs::read(&newest).expect("a file");
            whole.extend(junk(TORN, 1));
            fs::write(&newest, whole).expect("torn");
        }
        let log = bench.open();
        bench.fill(&log, if torn { 0 } else { 20 });
        log.close();
        assert!(files(&bench.dir()).pop().expect("a file") > newest);
        missed(&bench);
    }
}

/// What becomes of a head.
type Lose<'a> = &'a dyn Fn(&Bench) -> Option<String>;

#[test]
fn a_head_that_was_lost_is_told_for_good() {
    let older = |bench: &Bench| {
        let lines = split(&files(&bench.dir())[0]);
        let line: Value = serde_json::from_slice(&lines[2]).expect("a line");
        json!({"file": 1, "sequence": 3, "mac": line["mac"]}).to_string()
    };
    let none = "A".repeat(43) + "=";
    let head = |file: u64, sequence: u64| {
        Some(json!({"file": file, "sequence": sequence, "mac": none}).to_string())
    };
    let longer = |bench: &Bench| {
        let head = fs::read_to_string(bench.head()).expect("a head");
        Some(format!("{head}x\n"))
    };
    let ways: [(&str, Lose<'_>); 8] = [
        ("removed", &|_| None),
        ("emptied", &|_| Some(String::new())),
        ("broken", &|_| Some("{".to_owned())),
        ("followed by something", &longer),
        ("of no line", &|_| head(0, 0)),
        ("of another log's line in the middle", &|_| head(1, 3)),
        ("of another log's last line", &|_| head(1, 11)),
        ("beyond all numbers", &|_| head(1, u64::MAX)),
    ];
    for (what, lose) in ways {
        let bench = torn_log(1, 0);
        match lose(&bench) {
            Some(text) => fs::write(bench.head(), text).expect("written"),
            None => fs::remove_file(bench.head()).expect("removed"),
        }
        for _ in 0..2 {
            let log = bench.open();
            bench.fill(&log, 1);
            log.close();
            drop(log);
            assert_eq!(findings(&bench), [LogFinding::HeadLost], "{what}");
        }
        assert_eq!(files(&bench.dir()).len(), 2, "{what}");
    }
    // One that lags is what a crash leaves.
    let bench = torn_log(1, 0);
    fs::write(bench.head(), older(&bench)).expect("written");
    let log = bench.open();
    bench.fill(&log, 1);
    log.close();
    assert_eq!(bench.assert_intact().files, 1);
}

#[test]
fn a_first_start_that_was_killed_needs_no_head() {
    let origin = json!({"file": 0, "sequence": 0, "mac": "A".repeat(43) + "="}).to_string();
    for (head, has_file) in [
        (None, false),
        (Some(""), false),
        (Some(origin.as_str()), false),
        (Some(origin.as_str()), true),
    ] {
        let bench = torn_log(1, 0);
        let file = files(&bench.dir()).remove(0);
        fs::remove_file(bench.head()).expect("removed");
        if has_file {
            fs::write(&file, &split(&file)[0]).expect("its first line");
        } else {
            fs::remove_file(&file).expect("removed");
        }
        if let Some(text) = head {
            fs::write(bench.head(), text).expect("written");
        }
        bench.assert_intact();
        let log = bench.open();
        bench.fill(&log, 1);
        log.close();
        let report = bench.assert_intact();
        assert_eq!(
            (report.files, report.decisions, report.notes.len()),
            (1, 1, 0)
        );
    }
    // Whoever takes the files and breaks the head does not make a first start of it.
    let bench = torn_log(1, 0);
    fs::remove_file(files(&bench.dir()).remove(0)).expect("removed");
    fs::write(bench.head(), "{").expect("written");
    let log = bench.open();
    log.close();
    assert_eq!(findings(&bench), [LogFinding::HeadLost]);
}

#[test]
fn a_file_that_was_given_another_time() {
    let bench = torn_log(1, 0);
    let file = files(&bench.dir()).remove(0);
    let name = file.file_name().expect("a name").to_string_lossy();
    let begun = name.rsplit_once('-').expect("a time").0;
    let older = file.with_file_name(format!("{begun}-0000000000001.jsonl"));
    fs::rename(&file, older).expect("renamed");
    assert_eq!(findings(&bench), [LogFinding::WrongFile]);
}
