//! `charter policy diff` of git revisions.

use std::fs;
use std::path::Path;
use std::process::Command;

use charter_policy::diff::revision;
use tempfile::TempDir;
use test_support::policy_solver::{Edited, solver};
use test_support::policy_world::{copy, shipped};
use test_support::process::Home;

pub(crate) fn git(dir: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .current_dir(dir)
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.com"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .expect("git");
    assert!(output.status.success(), "{output:?}");
}

/// Compares two revisions of a repository, and an uncommitted edit.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "only the environment says where this machine has git"
)]
fn revisions_are_compared_like_folders() {
    if solver().is_none() {
        return;
    }
    let repository = TempDir::new().expect("a temporary folder");
    let dir = repository.path();
    git(dir, &["init", "--quiet"]);
    copy(&shipped(), &dir.join("policies"));
    git(dir, &["add", "."]);
    git(dir, &["commit", "--quiet", "-m", "one"]);
    let file = dir.join("policies/normalization.cedar");
    let text = fs::read_to_string(&file).expect("a file");
    let wider = text.replace(" in Permission::\"normalization:Normalize\"", "");
    fs::write(&file, wider).expect("a file");
    git(dir, &["mv", "policies", "rules"]);
    git(dir, &["commit", "--quiet", "-a", "-m", "two"]);
    std::os::unix::fs::symlink("../link.cedar", dir.join("rules/link.cedar")).expect("a link");
    git(dir, &["add", "."]);
    git(dir, &["commit", "--quiet", "-m", "three"]);
    fs::remove_file(dir.join("rules/link.cedar")).expect("no link");

    let run = |arguments: &[&str]| {
        let path = std::env::var("PATH").unwrap_or_default();
        let arguments = [&["policy", "diff"], arguments].concat();
        let output = Home::new()
            .command(&arguments)
            .env("PATH", path)
            .current_dir(dir)
            .output()
            .expect("the command");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let (code, out, err) = run(&["HEAD~2", "HEAD~1:rules"]);
    assert_eq!(code, Some(3), "{out}{err}");
    assert!(out.contains("wider normalization:Normalize"), "{out}");
    let (code, out, err) = run(&["HEAD~2:policies", "HEAD~2"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let (code, out, err) = run(&["HEAD~1:rules", "rules", "--json"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let json: serde_json::Value = serde_json::from_str(&out).expect("one document");
    assert_eq!(
        json["permissions"]["accounts:GetAccount"]["direction"],
        "equal"
    );

    for (arguments, told) in [
        (["HEAD~9", "rules"], "neither a folder nor a revision"),
        (["--", "-x"], "neither a folder nor a revision"),
        (["HEAD:rules", "rules"], "has a link at `link.cedar`"),
        (
            ["HEAD~2:nowhere", "rules"],
            "has no policy folder `nowhere`",
        ),
        (["HEAD~2", "nowhere"], "neither a folder nor a revision"),
    ] {
        let (code, _, err) = run(&arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {err}");
        assert!(err.contains(told), "{arguments:?}: {err}");
    }
}

#[test]
fn faults_of_a_revision_name_it() {
    let broken = Edited::new().write("broken.cedar", "permit (principal");
    let title = broken.path().display().to_string();
    let error = revision::load(&title).expect_err("a fault");
    assert!(error.to_string().contains("broken.cedar:1:"), "{error}");
}
