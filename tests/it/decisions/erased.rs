//! Whoever takes files away is found out, whatever else they change meanwhile.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use charter_decision_log::{LogFinding, VerificationReport};

use super::chain::split;
use super::forged::{findings, first};
use super::stand_alone::Bench;
use super::{files, lines};

/// A log of at least four files, and those.
fn log_of_files(keep_files: u64) -> (Bench, Vec<PathBuf>) {
    let mut bench = Bench::new();
    bench.limits.rotate_bytes = 2_000;
    bench.limits.keep_files = keep_files;
    let log = bench.open();
    bench.fill(&log, 16);
    log.close();
    drop(log);
    let files = files(&bench.dir());
    assert!(files.len() > 3, "{files:?}");
    (bench, files)
}

#[test]
fn old_files_that_were_erased_while_the_newest_did_not_tell_of_them() {
    // What stands first in the newest file when the service starts.
    for way in ["changed", "second", "earlier"] {
        let (bench, mut all) = log_of_files(1_000);
        let newest = all.pop().expect("a file");
        let whole = fs::read(&newest).expect("the newest file");
        let mut lines = split(&newest);
        let another = match way {
            "changed" => {
                let text = String::from_utf8(lines[0].clone()).expect("text");
                text.replace("\"oldest\":1", "\"oldest\":2").into_bytes()
            }
            "second" => lines[1].clone(),
            _ => split(&all[1])[0].clone(),
        };
        assert_ne!(lines[0], another);
        lines[0] = another;
        fs::write(&newest, lines.concat()).expect("changed");
        for file in &all {
            fs::remove_file(file).expect("removed");
        }
        let log = bench.open();
        log.close();
        drop(log);
        fs::write(&newest, &whole).expect("as it was");
        for _ in 0..2 {
            let found = findings(&bench);
            let missing = LogFinding::MissingFiles(1, all.len() as u64);
            assert!(found.contains(&missing), "{way}: {found:?}");
            assert!(
                found.contains(&LogFinding::FirstLineLost),
                "{way}: {found:?}"
            );
            assert_eq!(found.len(), 2, "{way}: {found:?}");
            let log = bench.open();
            bench.fill(&log, 8);
            log.close();
        }
    }
}

#[test]
fn the_oldest_file_is_the_one_that_the_file_before_tells_of() {
    let (bench, all) = log_of_files(4);
    let [.., before, newest] = &*all else {
        panic!("{all:?}");
    };
    let before = first(before);
    let mut whole = fs::read(newest).expect("the newest file");
    whole[20] ^= 1;
    fs::write(newest, &whole).expect("changed");
    let log = bench.open();
    log.close();
    drop(log);
    whole[20] ^= 1;
    fs::write(newest, &whole).expect("as it was");
    let told = lines(&bench.dir()).pop().expect("a line");
    assert_eq!(told["first_line_lost"], true);
    assert_eq!(told["oldest"], before["oldest"]);
}

/// The part of a file's name that holds its number.
fn number_of(file: &Path) -> String {
    let name = file.file_name().expect("a name").to_string_lossy();
    name.rsplit_once('-').expect("a time").0.to_owned()
}

/// Gives a file another time in its name.
fn rename(file: &Path, begun: u64) {
    let other = file.with_file_name(format!("{}-{begun:013}.jsonl", number_of(file)));
    fs::rename(file, other).expect("renamed");
}

#[test]
fn a_file_is_as_old_as_its_first_line_says_and_not_its_name() {
    let (bench, all) = log_of_files(1_000);
    for file in &all {
        rename(file, 1);
    }
    let log = bench.open();
    bench.fill(&log, 8);
    log.close();
    drop(log);
    let after = files(&bench.dir());
    assert!(after.len() > all.len());
    assert_eq!(number_of(&after[0]), "decisions-0000000001");
    // Nor is it younger.
    for file in &after {
        rename(file, 9_999_999_999_999);
    }
    bench.clock.advance(2 * 86_400);
    let log = bench.open();
    // By then the clock is believed.
    bench.clock.advance(600);
    bench.fill(&log, 8);
    log.close();
    let left = files(&bench.dir());
    let gone = |file: &PathBuf| !left.iter().any(|it| number_of(it) == number_of(file));
    assert!(after[..after.len() - 1].iter().all(gone), "{left:?}");
}

#[test]
fn a_file_of_unknown_age_goes_when_there_are_too_many() {
    let (mut bench, all) = log_of_files(1_000);
    let mut whole = fs::read(&all[1]).expect("a file");
    whole[20] ^= 1;
    fs::write(&all[1], whole).expect("changed");
    bench.clock.advance(2 * 86_400);
    let begin_another = |bench: &Bench| {
        let log = bench.open();
        bench.fill(&log, 8);
        log.close();
        files(&bench.dir())
    };
    let after = begin_another(&bench);
    assert!(after.len() > all.len());
    assert_eq!(after[..2], all[..2]);
    bench.limits.keep_files = 3;
    let after = begin_another(&bench);
    assert_eq!(after.len(), 3);
    assert!(!after.contains(&all[1]));
}

/// Whether this process reads a file.
fn is_read(file: &Path) -> bool {
    let open = fs::read_dir("/proc/self/fd").expect("what is open");
    let mut paths = open.filter_map(|it| fs::read_link(it.ok()?.path()).ok());
    paths.any(|path| path == file)
}

/// What is found if something is done once the first file is read.
fn verify_meanwhile(bench: &Bench, work: impl Fn() + Sync) -> VerificationReport {
    let first = fs::canonicalize(&files(&bench.dir())[0]).expect("a path");
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_read(&first) && !is_done.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            work();
        });
        let report = bench.verify();
        is_done.store(true, Ordering::SeqCst);
        report
    })
}

/// What is found if a file vanishes meanwhile.
fn verify_without(bench: &Bench, file: &Path) -> Vec<LogFinding> {
    let all = files(&bench.dir()).len() as u64;
    let aside = bench.home.path().join("aside");
    for _ in 0..50 {
        let vanish = || fs::rename(file, &aside).expect("moved away");
        let report = verify_meanwhile(bench, vanish);
        fs::rename(&aside, file).expect("moved back");
        // Unless it was moved too late.
        if report.files < all {
            return report.findings.into_iter().map(|it| it.finding).collect();
        }
    }
    panic!("the first file is read too fast");
}

#[test]
fn only_files_that_went_in_their_time_may_vanish_while_the_log_is_read() {
    let mut bench = Bench::new();
    bench.limits.rotate_bytes = 280_000;
    let log = bench.open();
    bench.fill(&log, 6_000);
    log.close();
    drop(log);
    let all = files(&bench.dir());
    assert!(all.len() > 3, "{all:?}");
    let saved: Vec<_> = all[..2]
        .iter()
        .map(|it| fs::read(it).expect("a file"))
        .collect();
    let found = verify_without(&bench, &all[1]);
    assert!(found.contains(&LogFinding::MissingFiles(2, 2)), "{found:?}");
    // The service removes the first two.
    bench.limits.keep_files = all.len() as u64 - 1;
    let log = bench.open();
    bench.fill(&log, 1_200);
    log.close();
    drop(log);
    assert_eq!(files(&bench.dir())[0], all[2]);
    for (file, bytes) in all.iter().zip(saved) {
        fs::write(file, bytes).expect("it is there again");
    }
    bench.assert_intact();
    let found = verify_without(&bench, &all[1]);
    assert!(found.is_empty(), "{found:?}");
    let found = verify_without(&bench, &all[2]);
    assert!(found.contains(&LogFinding::MissingFiles(3, 3)), "{found:?}");
}

#[test]
fn a_first_line_that_is_put_back_while_the_log_is_read() {
    let mut bench = Bench::new();
    bench.limits.rotate_bytes = 280_000;
    let log = bench.open();
    bench.fill(&log, 6_000);
    log.close();
    let all = files(&bench.dir());
    let newest = all.last().expect("a file");
    fs::remove_file(&all[0]).expect("removed");
    let whole = fs::read_to_string(newest).expect("the newest file");
    let changed = whole.replacen("\"oldest\":1", "\"oldest\":2", 1);
    assert_ne!(whole, changed);
    fs::write(newest, changed).expect("changed");
    let report = verify_meanwhile(&bench, || fs::write(newest, &whole).expect("as it was"));
    assert!(!report.findings.is_empty(), "{report:?}");
}
