//! What was proved is remembered as long as all that it depends on is the same, and only by who has
//! the key.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use charter::authz::snapshot::Snapshot;
use charter::domain::clock::SystemClock;
use charter::policy::prove::cache::ProofCache;
use charter::policy::prove::{Options, prove_for_gate};
use charter::policy::solver::{self, Solver};
use secrecy::SecretSlice;
use tempfile::TempDir;

use crate::policy_solver::{Edited, limits, played, solver};

#[test]
fn what_was_proved_needs_no_solver_again_unless_anything_changed() {
    let Some(solver) = solver() else { return };
    let dir = TempDir::new().expect("a temporary folder");
    let cache = |key: u8| ProofCache {
        dir: dir.path().join("proofs"),
        key: SecretSlice::from(vec![key; 32]),
    };
    let clock = SystemClock::start();
    let options = Options {
        limits: limits(),
        shadows: false,
    };
    let snapshot = Edited::new().load();
    let gate = |snapshot: &Snapshot, start: Option<&Snapshot>, key| {
        prove_for_gate(
            snapshot,
            start,
            &solver,
            &options,
            Some(&cache(key)),
            &clock,
        )
    };
    let first = gate(&snapshot, None, 1).expect("proofs");
    assert!(!first.from_cache);
    let again = gate(&snapshot, None, 1).expect("proofs");
    assert!(again.from_cache && again.questions == 0);
    assert_eq!(again.invariants, first.invariants);

    // Another key, another start, another solver, other policies: nothing is known.
    assert!(cache(2).get(&snapshot, None, &solver).is_none());
    assert!(cache(1).get(&snapshot, None, &played(":").0).is_none());
    let other = Edited::new().replace("roles.cedar", "// An owner does everything.", "// All.");
    assert!(cache(1).get(&other.load(), None, &solver).is_none());

    // Cut anywhere, or changed anywhere, it is not there.
    let entries = std::fs::read_dir(dir.path().join("proofs")).expect("the cache");
    let files: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    let [file] = files.as_slice() else {
        panic!("{files:?}");
    };
    let kept = std::fs::read(file).expect("an entry");
    for position in 0..kept.len() {
        let mut changed = kept.clone();
        changed[position] ^= 1;
        for forged in [&changed, &kept[..position]] {
            std::fs::write(file, forged).expect("an entry");
            assert!(
                cache(1).get(&snapshot, None, &solver).is_none(),
                "{position}"
            );
        }
    }
    assert!(!gate(&snapshot, None, 1).expect("proofs").from_cache);
    assert!(gate(&snapshot, None, 1).expect("proofs").from_cache);

    // What was promised at start counts with what its actions were.
    let at_start = |start: &Snapshot| cache(1).get(&snapshot, Some(start), &solver);
    assert!(at_start(&snapshot).is_none());
    gate(&snapshot, Some(&snapshot), 1).expect("proofs");
    assert!(at_start(&snapshot).is_some());
    let regrouped = Edited::new().replace(
        "schema.cedarschema",
        "action \"organizations:UpdateOrganization\" in [\"writes\"]",
        "action \"organizations:UpdateOrganization\" in [\"reads\"]",
    );
    assert!(at_start(&regrouped.load()).is_none());
}

/// One that says that it is of the same version is another solver all the same.
#[test]
fn another_program_at_the_same_place_has_proved_nothing() {
    if solver().is_none() {
        return;
    }
    let dir = TempDir::new().expect("a temporary folder");
    let program = dir.path().join("solver");
    let install = |comment: &str| {
        let script = format!("#!/bin/sh\n# {comment}\nexec cvc5 \"$@\"\n");
        fs::write(&program, script).expect("a script");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
        let search_path = OsString::from(dir.path());
        let found = solver::on_path(Path::new("solver"), &search_path).expect("it is there");
        assert_eq!(found, program);
        Solver::find(Some(&found)).expect("a solver")
    };
    let nowhere = OsString::from(dir.path());
    assert_eq!(solver::on_path(Path::new("cvc5"), &nowhere), None);

    let cache = ProofCache {
        dir: dir.path().join("proofs"),
        key: SecretSlice::from(vec![1; 32]),
    };
    let options = Options {
        limits: limits(),
        shadows: false,
    };
    let (snapshot, clock) = (Edited::new().load(), SystemClock::start());
    let solver = install("one");
    prove_for_gate(&snapshot, None, &solver, &options, Some(&cache), &clock).expect("proofs");
    assert!(cache.get(&snapshot, None, &install("one")).is_some());
    assert!(cache.get(&snapshot, None, &install("another")).is_none());
}

#[test]
fn what_is_not_proved_is_not_kept() {
    let Some(solver) = solver() else { return };
    let edited = Edited::new().replace(
        "normalization.cedar",
        "principal is ServiceAccount in Permission::\"normalization:Normalize\"",
        "principal is ServiceAccount",
    );
    let dir = TempDir::new().expect("a temporary folder");
    let cache = ProofCache {
        dir: dir.path().to_owned(),
        key: SecretSlice::from(vec![1; 32]),
    };
    let options = Options::default();
    let snapshot = edited.load();
    for _ in 0..2 {
        prove_for_gate(
            &snapshot,
            None,
            &solver,
            &options,
            Some(&cache),
            &SystemClock::start(),
        )
        .expect_err("a refusal");
    }
    assert_eq!(std::fs::read_dir(dir.path()).expect("the cache").count(), 0);
}
