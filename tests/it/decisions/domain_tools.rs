//! Every tool of the policy command, on every domain that is shipped.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use test_support::policy_solver::solver;
use test_support::policy_world::copy;
use test_support::process::{Home, Outcome};

use super::domain_questions::{Domain, EXAMPLES, allowed_and_denied};
use super::stand_alone::Bench;
use crate::access::domains::Folder;

const CLOSED: &str = "@id(\"closed\")\nforbid (\n  principal,\n  action,\n  resource\n);\n";

const OPEN: &str = "@id(\"open\")\npermit (principal, action, resource);\n";

/// A policy folder with all the examples, settings that name it, and one more where each domain is closed.
struct World {
    folder: Folder,
    closed: Folder,
    home: Home,
}

impl World {
    fn new() -> Self {
        let (folder, closed) = (Folder::with(&EXAMPLES), Folder::with(&EXAMPLES));
        for name in EXAMPLES {
            closed.write(name, "closed.cedar", CLOSED);
        }
        let home = Home::new().with("CHARTER__POLICIES__DIR", &text(&folder.path()));
        Self {
            folder,
            closed,
            home,
        }
    }

    #[track_caller]
    fn run(&self, arguments: &[&str], code: i32) -> Outcome {
        let whole: Vec<&str> = ["policy"]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        let ran = self.home.run(&whole);
        assert_eq!(ran.code, Some(code), "{arguments:?}: {ran:?}");
        ran
    }

    /// The same with `--json`.
    #[track_caller]
    fn json(&self, arguments: &[&str], code: i32) -> Value {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.run(&arguments, code).out).expect("JSON")
    }
}

pub(super) fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn a_domain_is_named_within_the_policy_folder_or_by_its_own() {
    let world = World::new();
    let (folder, nothing) = (text(&world.folder.path()), "nothing");
    for name in EXAMPLES {
        let dir = text(&world.folder.domain(name));
        let digests: Vec<Value> = [
            vec!["check", "--domain", name],
            vec!["check", &folder, "--domain", name],
            vec!["check", &dir],
        ]
        .iter()
        .map(|arguments| world.json(arguments, 0)["digest"].clone())
        .collect();
        assert!(digests[0].is_string());
        assert_eq!((&digests[0], &digests[0]), (&digests[1], &digests[2]));
    }
    let unknown = world.run(&["check", "--domain", nothing], 2);
    assert!(
        unknown
            .err
            .contains("has no domain `nothing`; it has `gateway`, `records`, `todo`"),
        "{unknown:?}"
    );
    for bad in ["", "..", "Records", "-x", "a/b"] {
        let argument = format!("--domain={bad}");
        let refused = world.run(&["test", &argument], 2);
        assert!(refused.err.contains("1 to 63 characters"), "{refused:?}");
    }
}

#[test]
fn each_domain_is_checked_tested_proved_formatted_and_listed() {
    if solver().is_none() {
        return;
    }
    let world = World::new();
    for name in EXAMPLES {
        world.run(&["check", "--domain", name], 0);
        world.run(&["test", "--domain", name, "--min-coverage", "100"], 0);
        world.run(&["prove", "--domain", name], 0);
        world.run(&["fmt", "--domain", name, "--check"], 0);
        let listed = world.json(&["manifest", "--domain", name], 0);
        assert_eq!(listed["version"], 1);
        // A gate that does not hold is told.
        let closed = text(&world.closed.path());
        world.run(&["test", &closed, "--domain", name], 1);
        world.folder.write(name, "open.cedar", OPEN);
        let unproved = world.run(&["prove", "--domain", name], 1);
        assert!(unproved.out.contains("open"), "{unproved:?}");
    }
}

#[test]
fn two_folders_of_a_domain_are_compared() {
    if solver().is_none() {
        return;
    }
    let world = World::new();
    let (open, closed) = (text(&world.folder.path()), text(&world.closed.path()));
    for name in EXAMPLES {
        let same = world.run(&["diff", &open, "--domain", name], 0);
        assert!(same.out.contains("equal"), "{same:?}");
        let narrower = world.run(&["diff", &open, &closed, "--domain", name], 0);
        assert!(
            narrower.out.contains("no longer allowed when a"),
            "{narrower:?}"
        );
        assert!(narrower.out.contains("closed.cedar"), "{narrower:?}");
        // Roles are the built-in domain's.
        assert!(!narrower.out.contains("gains"), "{narrower:?}");
        let wider = world.run(&["diff", &closed, &open, "--domain", name], 3);
        assert!(wider.out.contains("now allowed when a"), "{wider:?}");
    }
}

#[test]
fn a_domain_of_an_earlier_revision_is_compared_with_all_its_files() {
    if solver().is_none() {
        return;
    }
    let world = World::new();
    let repository = TempDir::new().expect("a directory");
    copy(&world.folder.path(), &repository.path().join("policies"));
    let git = |arguments: &[&str]| {
        let ran = std::process::Command::new("git")
            .current_dir(repository.path())
            .args(["-c", "user.name=x", "-c", "user.email=x@y.z"])
            .args(arguments)
            .output()
            .expect("git");
        assert!(ran.status.success(), "{ran:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "first"]);
    fs::write(
        repository
            .path()
            .join("policies/domains/records/closed.cedar"),
        CLOSED,
    )
    .expect("written");
    let ask = |arguments: &[&str]| {
        let output = world
            .home
            .command(arguments)
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .current_dir(repository.path())
            .output()
            .expect("it runs");
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        (
            output.status.code(),
            out,
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    for arguments in [
        ["policy", "diff", "HEAD", "policies", "--domain", "records"].as_slice(),
        &[
            "policy",
            "diff",
            "HEAD:policies",
            "policies",
            "--domain",
            "records",
        ],
        &[
            "policy",
            "diff",
            "HEAD:policies/domains/records",
            "policies/domains/records",
        ],
    ] {
        let (code, out, err) = ask(arguments);
        assert_eq!(code, Some(0), "{out}{err}");
        assert!(out.contains("no longer allowed"), "{out}");
        // Its entities count in the digest.
        let digest = world.json(&["check", "--domain", "records"], 0)["digest"].clone();
        assert!(out.contains(digest.as_str().expect("a digest")), "{out}");
    }
}

/// A log of three decisions of the built-in domain and two of this one, and the ids of those: allowed and denied.
fn recorded(name: &str) -> (Bench, [String; 2]) {
    let bench = Bench::new();
    let domain = Domain::load(name);
    let log = bench.open();
    let (allowed, denied) = allowed_and_denied(name);
    let ids = [&allowed, &denied].map(|question| {
        let recorded = domain.ask(&bench, &log, question);
        recorded.expect("on record").to_string()
    });
    bench.fill(&log, 3);
    log.close();
    assert_eq!(bench.assert_intact().of_domains[name], 2);
    (bench, ids)
}

fn another_than(name: &str) -> &'static str {
    let mut others = EXAMPLES.into_iter().filter(|other| *other != name);
    others.next().expect("another")
}

#[test]
fn recorded_decisions_of_each_domain_are_explained() {
    let world = World::new();
    for name in EXAMPLES {
        let (bench, [allowed, denied]) = recorded(name);
        let log = text(&bench.dir());
        let explain = ["explain", &denied, "--decisions", &log];
        let explained = world.run(&explain, 0).out;
        for told in [&format!("domain `{name}`"), "nearest permits", " is false"] {
            assert!(explained.contains(told), "{explained}");
        }
        let explained = world.json(&["explain", &allowed, "--decisions", &log], 0);
        assert_eq!(explained["recorded"]["domain"], name);
        assert_eq!(explained["explanation"]["ruling"], "allowed");
        // By policies that are named, whichever way.
        for folder in [world.closed.path(), world.closed.domain(name)] {
            let by = text(&folder);
            let explain = ["explain", &allowed, "--decisions", &log, "--policies", &by];
            let now = world.run(&explain, 0).out;
            assert!(now.contains("forbidden by"), "{now}");
            assert!(now.contains("other policies decided then"), "{now}");
        }
        let other = another_than(name);
        let elsewhere = world.run(&[&explain[..], &["--domain", other]].concat(), 1);
        assert!(
            elsewhere.err.contains("was decided by the domain"),
            "{elsewhere:?}"
        );
    }
}

#[test]
fn recorded_decisions_of_each_domain_are_asked_again() {
    let world = World::new();
    for name in EXAMPLES {
        let (bench, _) = recorded(name);
        let log = text(&bench.dir());
        let same = world.run(&["replay", &log], 0).out;
        let whole = "5 of 5 decisions asked again, 0 not reproduced";
        assert!(same.contains(whole), "{same}");
        let only = world.json(&["replay", &log, "--domain", name], 0);
        let counts = (&only["replayed"], &only["built_in_left_out"]);
        assert_eq!(counts, (&2.into(), &3.into()));
        // Of a candidate for the domain, or for all.
        let (all, part) = (text(&world.closed.path()), text(&world.closed.domain(name)));
        for candidate in [
            vec!["--policies", &all, "--domain", name],
            vec!["--policies", &part],
            vec!["--policies", &all],
        ] {
            let flips = world
                .run(&[vec!["replay", &log], candidate].concat(), 1)
                .out;
            for told in [
                &format!("in the domain `{name}`: allowed, would be denied"),
                "now forbidden by `closed`",
                " 1 would flip",
            ] {
                assert!(flips.contains(told), "{flips}");
            }
        }
        let other = another_than(name);
        let none = ["replay", &log, "--policies", &all, "--domain", other];
        let none = world.json(&none, 0);
        let counts = (&none["replayed"], &none["domains_left_out"][name]);
        assert_eq!(counts, (&0.into(), &2.into()));
    }
}

#[test]
fn a_request_of_ones_own_is_explained_by_a_domain() {
    let world = World::new();
    for name in EXAMPLES {
        let tests = fs::read_dir(world.folder.domain(name).join("tests")).expect("tests");
        let file = tests
            .map(|entry| entry.expect("an entry").path())
            .next()
            .expect("a file");
        let examples: Value =
            serde_json::from_str(&fs::read_to_string(file).expect("read")).expect("JSON");
        let request = world.home.file("request.json");
        fs::write(&request, examples[0].to_string()).expect("written");
        let request = text(&request);
        let explained = world.run(&["explain", "--request", &request, "--domain", name], 0);
        assert!(explained.out.contains("allowed by"), "{explained:?}");
    }
}
