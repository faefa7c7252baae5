//! Which files of the log are deleted, and when.

use std::fs;
use std::time::Duration;

use charter_decision_log::LogFinding;

use super::stand_alone::Bench;
use super::{WAIT_TIMEOUT, files, lines};

#[test]
fn old_files_are_deleted_and_lost_ones_are_found() {
    let mut bench = Bench::new();
    bench.limits.rotate_bytes = 4_000;
    bench.limits.keep_files = 3;
    let log = bench.open();
    bench.fill(&log, 40);
    assert!(log.recorder().flush(WAIT_TIMEOUT));
    assert_eq!(files(&bench.dir()).len(), 3);
    log.close();
    bench.assert_intact();
    fs::remove_file(&files(&bench.dir())[0]).expect("removed");
    let report = bench.verify();
    assert!(
        matches!(report.findings[0].finding, LogFinding::MissingFiles(_, _)),
        "{report:?}"
    );
}

#[test]
fn a_file_is_kept_until_its_last_decision_expires() {
    let mut bench = Bench::new();
    bench.limits.rotate_after = Duration::from_hours(1);
    bench.limits.keep_for = Duration::from_hours(3);
    let log = bench.open();
    for _ in 0..8 {
        bench.fill(&log, 1);
        // Its hour has passed before the next decision.
        assert!(log.recorder().flush(WAIT_TIMEOUT));
        bench.clock.advance(3_600);
    }
    log.close();
    let kept = files(&bench.dir()).len();
    assert!((3..=5).contains(&kept), "{kept} files");
    bench.assert_intact();
}

/// The numbers of the files.
fn kept(bench: &Bench) -> Vec<u64> {
    let number = |path: &std::path::PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.split('-').nth(1));
        number.expect("a number").parse().expect("a number")
    };
    files(&bench.dir()).iter().map(number).collect()
}

#[test]
fn files_of_a_log_that_nothing_is_written_to_expire() {
    let mut bench = Bench::new();
    bench.limits.rotate_after = Duration::from_hours(24);
    bench.limits.keep_for = Duration::from_hours(72);
    let log = bench.open();
    bench.fill(&log, 1);
    assert!(log.recorder().flush(WAIT_TIMEOUT));
    bench.clock.advance(24 * 3_600);
    log.close();
    assert_eq!(kept(&bench), [1, 2]);
    // What holds nothing is not continued in ever more files.
    for (hours, expected) in [(47, &[1, 2][..]), (1, &[2, 3]), (80, &[4])] {
        let log = bench.open();
        bench.clock.advance(hours * 3_600);
        log.close();
        assert_eq!(kept(&bench), expected, "after {hours} hours more");
        bench.assert_intact();
    }
    for _ in 0..2 {
        let log = bench.open();
        bench.clock.advance(80 * 3_600);
        log.close();
        assert_eq!(kept(&bench), [4]);
        bench.assert_intact();
    }
}

#[test]
fn a_file_expires_by_its_last_line_whenever_the_next_was_begun() {
    let mut bench = Bench::new();
    bench.limits.rotate_after = Duration::from_hours(48);
    bench.limits.keep_for = Duration::from_hours(72);
    let log = bench.open();
    let decide_after = |hours: i64| {
        bench.clock.advance(hours * 3_600);
        bench.fill(&log, 1);
        assert!(log.recorder().flush(WAIT_TIMEOUT));
    };
    decide_after(0);
    decide_after(71);
    assert_eq!(kept(&bench), [1, 2]);
    // The second was begun two hours ago, and the first ended long before.
    decide_after(2);
    assert_eq!(kept(&bench), [2, 3]);
    // The second has a line of two days ago.
    decide_after(50);
    assert_eq!(kept(&bench), [2, 3, 4]);
    log.close();
    bench.assert_intact();
}

#[test]
fn a_file_that_was_begun_while_the_clock_was_ahead_keeps_nothing() {
    const YEAR: i64 = 365 * 86_400;
    let mut bench = Bench::new();
    bench.limits.keep_for = Duration::from_hours(72);
    bench.clock.set_wall(YEAR);
    let log = bench.open();
    let decide = |hours: i64| {
        bench.clock.advance(hours * 3_600);
        bench.fill(&log, 1);
        assert!(log.recorder().flush(WAIT_TIMEOUT));
    };
    decide(0);
    bench.clock.set_wall(-YEAR);
    decide(1);
    // It is continued in another file, which becomes old as others do.
    assert_eq!(kept(&bench), [1, 2]);
    for _ in 0..6 {
        decide(24);
    }
    let left = kept(&bench);
    assert!(left.len() <= 5 && !left.contains(&1), "{left:?}");
    log.close();
    bench.assert_intact();
}

#[test]
fn a_clock_that_is_ahead_for_a_moment_deletes_no_file() {
    let mut bench = Bench::new();
    bench.limits.keep_for = Duration::from_hours(90 * 24);
    let log = bench.open();
    let decide = |seconds_ahead: i64| {
        bench.clock.set_wall(seconds_ahead);
        bench.fill(&log, 1);
        assert!(log.recorder().flush(WAIT_TIMEOUT));
    };
    bench.clock.advance(86_400);
    decide(0);
    // Another file is begun, because the current one seems to be old.
    decide(91 * 86_400);
    assert_eq!(files(&bench.dir()).len(), 3);
    decide(-91 * 86_400);
    bench.clock.advance(91 * 86_400);
    decide(0);
    // The clock is right again, and is trusted after another day.
    for _ in 0..2 {
        bench.clock.advance(86_400);
        decide(0);
    }
    log.close();
    // The files that are old by then are deleted: the clock has been right for long enough.
    let first = &lines(&bench.dir())[0];
    assert!(first["file"].as_u64() > Some(1), "{first}");
    bench.assert_intact();
}
