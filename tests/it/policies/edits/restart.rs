//! A restart takes what was in force, and nothing more that an edit would not get through.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use charter_authz::folder::Folder;
use serde_json::Value;
use tempfile::TempDir;
use test_support::policy_solver::solver;
use test_support::policy_world::whole_copy_of_shipped;
use test_support::process::{Charter, Home, Outcome};

use super::{STOP, WIDER, until};

/// A copy of the shipped folder, and a service on it with these settings of policies, without proofs and, unless they
/// say otherwise, without examples.
pub(super) fn world(settings: &[(&str, &str)]) -> (TempDir, Home) {
    let folder = whole_copy_of_shipped();
    let home = Home::new()
        .with(
            "CHARTER__POLICIES__DIR",
            &folder.path().display().to_string(),
        )
        .with("CHARTER__POLICIES__TESTS", "off")
        .with("CHARTER__POLICIES__PROOFS", "off");
    let home = settings.iter().fold(home, |home, (name, value)| {
        home.with(&format!("CHARTER__POLICIES__{name}"), value)
    });
    (folder, home)
}

#[tokio::test]
async fn an_emergency_stop_outlives_a_restart() {
    let (folder, home) = world(&[("TESTS", "required")]);
    let dir = folder.path();
    let service = home.serve();
    fs::write(dir.join("stop.cedar"), STOP).expect("an edit");
    until("stopped", async || {
        home.log().contains("an emergency stop is in force")
    })
    .await;
    // The record follows; killed before it, the stop would be an edit like others.
    until("recorded", async || {
        let history = home.run(&["policy", "history", "--demo"]);
        history.success().contains("as stop")
    })
    .await;
    drop(service);
    drop(home.serve());
    // Made while the service was down, it is one, too; anything else is not.
    let more = "@id(\"another\")\nforbid (principal is User, action, resource);\n";
    fs::write(dir.join("another.cedar"), more).expect("an edit");
    drop(home.serve());
    fs::write(dir.join("wider.cedar"), WIDER).expect("an edit");
    let refused = home.with("CHARTER__POLICIES__START", "strict").refused();
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("tests:"), "{}", refused.err);
}

/// `/readyz` of the operations listener.
fn readiness(service: &Charter) -> String {
    let mut connection = TcpStream::connect(service.operations).expect("a connection");
    connection
        .write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .expect("a request");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

pub(super) fn whole_digest(dir: &Path) -> String {
    let folder = Folder::read(dir).expect("a folder");
    folder.whole_digest().to_string()
}

fn approve(home: &Home, digest: &str, by: &str) -> Outcome {
    let arguments = [
        "policy",
        "approve",
        digest,
        "--reason",
        "asked for",
        "--by",
        by,
        "--demo",
    ];
    home.run(&arguments)
}

#[test]
fn a_refused_edit_and_a_restart_leave_in_force_what_was_accepted() {
    let (folder, home) = world(&[]);
    let dir = folder.path();
    drop(home.serve());
    let sound = fs::read_to_string(dir.join("roles.cedar")).expect("a file");
    // Wider, and broken.
    let broken = format!("{WIDER}permit (principal, action, resource) whn");
    fs::write(dir.join("wider.cedar"), &broken).expect("an edit");
    let service = home.serve();
    let told = readiness(&service);
    assert!(
        told.contains("\"degraded\"") && told.contains("wider.cedar"),
        "{told}"
    );
    assert!(
        home.log()
            .contains("the policies from before the stop are in force"),
        "{}",
        home.log()
    );
    let check = ["check", "--demo"];
    let out = home.run(&check).success();
    assert!(
        out.contains("would go on with the policies that were in force before")
            && out.contains("wider.cedar"),
        "{out}"
    );
    let mut strict = home.command(&check);
    let strict = strict.env("CHARTER__POLICIES__START", "strict").output();
    assert_eq!(strict.expect("the binary runs").status.code(), Some(2));
    drop(service);
    // Nothing of the folder is left.
    let away = folder.path().with_extension("away");
    fs::rename(dir, &away).expect("moved away");
    let service = home.serve();
    assert!(readiness(&service).contains("cannot open the policy folder"));
    drop(service);
    fs::rename(&away, dir).expect("moved back");
    fs::remove_file(dir.join("wider.cedar")).expect("taken back");
    assert_eq!(
        fs::read_to_string(dir.join("roles.cedar")).expect("a file"),
        sound
    );
    let service = home.serve();
    assert!(!readiness(&service).contains("\"degraded\""));
    drop(service);
    // Who would rather not start says so.
    fs::write(dir.join("wider.cedar"), &broken).expect("an edit");
    let refused = home.with("CHARTER__POLICIES__START", "strict").refused();
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

#[test]
fn a_restart_approves_nothing() {
    if solver().is_none() {
        return;
    }
    let (folder, home) = world(&[("WIDENING", "approved"), ("START", "strict")]);
    let dir = folder.path();
    drop(home.serve());
    fs::write(dir.join("wider.cedar"), WIDER).expect("an edit");
    let refused = home.refused();
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("team:InviteMember"), "{}", refused.err);
    let digest = whole_digest(dir);
    assert!(
        refused
            .err
            .contains(&format!("charter policy approve {digest}"))
    );
    // What is approved is shown: the texts, and what they mean.
    let shown = approve(&home, &digest, "alice").success();
    for told in [
        "new file wider.cedar",
        "new policy `wider` (wider.cedar:1)",
        "wider team:InviteMember",
        "team:InviteMember · Organization",
    ] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    drop(home.serve());
    drop(home.serve());
    // Narrower needs nobody; the same step again needs somebody again.
    fs::remove_file(dir.join("wider.cedar")).expect("taken back");
    drop(home.serve());
    fs::write(dir.join("wider.cedar"), WIDER).expect("again");
    assert_eq!(home.refused().code, Some(2));
    // The data directory holds nothing of it.
    let _ = fs::remove_dir_all(home.data().join("policies"));
    let refused = home.refused();
    assert!(refused.err.contains("team:InviteMember"), "{}", refused.err);
}

#[test]
fn an_older_manifest_is_refused_whatever_the_data_directory_says() {
    let (folder, home) = world(&[("START", "strict")]);
    let dir = folder.path();
    let list = |version: &str| {
        let dir = dir.display().to_string();
        home.run(&["policy", "manifest", "--version", version, &dir])
            .success();
    };
    list("7");
    drop(home.serve());
    fs::write(dir.join("stop.cedar"), STOP).expect("an edit");
    list("6");
    let _ = fs::remove_dir_all(home.data().join("policies"));
    let refused = home.refused();
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused.err.contains("version 7 was in force"),
        "{}",
        refused.err
    );
}

#[test]
fn approvals_are_of_this_folder_by_different_people_and_can_be_withdrawn() {
    let (folder, home) = world(&[
        ("WIDENING", "approved"),
        ("START", "strict"),
        ("APPROVALS", "2"),
    ]);
    let dir = folder.path();
    drop(home.serve());
    let other = approve(&home, &"0".repeat(64), "alice");
    assert_eq!(other.code, Some(1), "{other:?}");
    assert!(other.err.contains(&whole_digest(dir)), "{}", other.err);
    fs::write(dir.join("wider.cedar"), WIDER).expect("an edit");
    let digest = whole_digest(dir);
    let out = approve(&home, &digest, "alice").success();
    assert!(out.contains("1 more must approve it"), "{out}");
    for same in ["alice", "Alice", " ALICE "] {
        assert_eq!(approve(&home, &digest, same).code, Some(1), "{same}");
    }
    assert_eq!(home.refused().code, Some(2), "one is not enough");
    approve(&home, &digest, "bob").success();
    let listed = home.run(&["policy", "approvals", "--demo"]).success();
    let of_bob = listed
        .lines()
        .find(|line| line.contains("by bob: asked for"));
    let id = of_bob
        .and_then(|line| line.split(' ').next())
        .expect("an id");
    home.run(&["policy", "withdraw", id, "--by", "carol", "--demo"])
        .success();
    assert_eq!(
        home.run(&["policy", "withdraw", id, "--by", "carol", "--demo"])
            .code,
        Some(1)
    );
    assert_eq!(home.refused().code, Some(2), "one was withdrawn");
    approve(&home, &digest, "dave").success();
    drop(home.serve());
    let listed = home.run(&["policy", "approvals", "--demo"]).success();
    assert!(
        listed.contains("used for revision 2") && listed.contains("withdrawn"),
        "{listed}"
    );
    let history = home.run(&["policy", "history", "--demo"]).success();
    assert!(history.contains("approved by alice and dave"), "{history}");
    let listed = |more: &[&str]| {
        let list = ["audit", "--demo", "list", "--installation"];
        let listed = home.run(&[list.as_slice(), more].concat()).success();
        let line = |line| serde_json::from_str::<Value>(line).expect("a JSON line");
        listed.lines().map(line).collect::<Vec<_>>()
    };
    let approved = listed(&["--action=operator.ApprovePolicies"]);
    let by = |event: &Value| event["changes"]["after"]["approved_by"].clone();
    let people: Vec<Value> = approved.iter().map(by).collect();
    assert_eq!(people, ["dave", "bob", "alice"], "newest first");
    assert_eq!(
        listed(&["--actor=operator:carol"]).len(),
        1,
        "{:?}",
        listed(&[])
    );
    assert_eq!(listed(&["--limit=1"])[0]["sequence"], listed(&[]).len());
    let both = home.run(&["audit", "--demo", "list", "acme", "--installation"]);
    let neither = home.run(&["audit", "--demo", "list"]);
    assert_eq!((both.code, neither.code), (Some(2), Some(2)));
    home.verify_audit();
}

#[test]
fn an_approver_is_named_after_the_user_of_the_process() {
    let (folder, home) = world(&[]);
    let dir = folder.path();
    drop(home.serve());
    fs::write(dir.join("wider.cedar"), WIDER).expect("an edit");
    let digest = whole_digest(dir);
    // Nothing is compared for somebody without a name.
    let nameless = approve(&home, &digest, " ");
    assert_eq!(
        (nameless.code, &*nameless.out),
        (Some(2), ""),
        "{nameless:?}"
    );
    assert!(
        nameless.err.contains("`--by` must name you"),
        "{nameless:?}"
    );
    let command = ["policy", "approve", &digest, "--reason=meant", "--demo"];
    home.run(&command).success();
    let user = std::process::Command::new("id").arg("-un").output();
    let user = String::from_utf8(user.expect("id runs").stdout).expect("text");
    let approvals = home.run(&["policy", "approvals", "--demo"]).success();
    let by = format!("by {}: meant", user.trim());
    assert!(approvals.contains(&by), "{approvals}");
}
