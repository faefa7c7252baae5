//! `charter-policy` on the shipped folder, and on one that is broken.

#![cfg(test)]
#![expect(
    clippy::disallowed_methods,
    reason = "whether a missing solver is a failure is said by the environment"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn charter_policy(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_charter-policy"))
        .args(arguments)
        .output()
        .expect("the program runs")
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies")
}

/// The solver's tests are left out loudly where it is not installed, and demanded in CI.
fn has_solver() -> bool {
    let found = charter_policy_solver();
    assert!(
        found || std::env::var_os("CHARTER_REQUIRE_SERVICES").is_none(),
        "cvc5 is not installed"
    );
    if !found {
        eprintln!("LEFT OUT: cvc5 is not installed");
    }
    found
}

fn charter_policy_solver() -> bool {
    Command::new("cvc5").arg("--version").output().is_ok()
}

#[track_caller]
fn answers(arguments: &[&str], code: i32, said: &str) {
    let output = charter_policy(arguments);
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(code),
        "{arguments:?}: {out}{err}"
    );
    assert!(
        out.contains(said) || err.contains(said),
        "{arguments:?}: {out}{err}"
    );
}

#[test]
fn the_shipped_folder_is_checked_and_its_examples_hold() {
    let folder = shipped();
    let folder = folder.to_str().expect("text");
    answers(&["check", folder], 0, "ok, ");
    answers(&["check", folder, "--manifest"], 2, "manifest");
    answers(&["test", folder, "--min-coverage", "100"], 0, " 0 failed");
    answers(&["test", folder, "--json"], 0, "\"digest\"");
}

#[test]
fn the_shipped_folder_is_proved_and_differs_from_itself_in_nothing() {
    if !has_solver() {
        return;
    }
    let folder = shipped();
    let folder = folder.to_str().expect("text");
    answers(&["prove", folder], 0, "digest");
    answers(&["diff", folder, folder], 0, "none gains or loses");
}

#[test]
fn a_wider_folder_fails_its_examples_its_proofs_and_the_comparison() {
    let wider = tempfile::tempdir().expect("a directory");
    copy(&shipped(), wider.path());
    let extra =
        "// Everybody may everything.\n@id(\"extra.all\")\npermit (principal, action, resource);\n";
    fs::write(wider.path().join("extra.cedar"), extra).expect("written");
    let (old, new) = (shipped(), wider.path());
    let (old, new) = (old.to_str().expect("text"), new.to_str().expect("text"));
    answers(&["test", new], 1, "extra.all");
    if has_solver() {
        answers(&["diff", old, new], 3, "extra.all");
    }
}

#[test]
fn a_broken_folder_is_an_error_that_names_the_place() {
    let broken = tempfile::tempdir().expect("a directory");
    copy(&shipped(), broken.path());
    fs::write(broken.path().join("extra.cedar"), "permit (").expect("written");
    for command in ["check", "test", "prove"] {
        answers(
            &[command, broken.path().to_str().expect("text")],
            2,
            "extra.cedar",
        );
    }
    answers(&["check", "no-such-folder"], 2, "no-such-folder");
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&to).expect("made");
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("copied");
        }
    }
}
