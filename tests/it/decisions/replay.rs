//! `charter policy replay`: recorded decisions, asked again.

use std::fs;
use std::io::Write as _;

use charter_authz::resource::Resource;
use charter_authz::snapshot::Snapshot;
use charter_decision_log::{Mask, MaskStyle, Via};
use charter_domain::permission::Permission;
use charter_domain::progress::Progress;
use charter_policy::replay::{EarlierSnapshots, ReplayMode, ReplayPolicies, ReplayReport, replay};
use serde_json::Value;
use test_support::policy_world::{Tenant, copy_of_shipped, shipped};
use test_support::process::Home;

use super::files;
use super::stand_alone::Bench;

/// A log of every permission asked by everybody about everything, here and elsewhere.
fn everything() -> Bench {
    let mut bench = Bench::new();
    bench.limits.rotate_bytes = 200_000;
    let (acme, other, closed) = (bench.acme.clone(), Tenant::new(2), Tenant::deactivated(3));
    let log = bench.open();
    for home in [&acme, &closed] {
        let mut callers = vec![
            home.program(&[], &[]),
            home.program(&["owner"], &[]),
            home.person("admin"),
            home.person("member"),
        ];
        let all: Vec<&str> = Permission::ALL.iter().map(|it| it.as_str()).collect();
        callers.push(home.program(&[], &all));
        for caller in &callers {
            for &permission in Permission::ALL {
                for about in [home, &other] {
                    for (_, resource) in about.resources(permission) {
                        bench
                            .decide_about(&log, caller, permission, resource)
                            .expect("on record");
                    }
                }
            }
            bench
                .decide_about(
                    &log,
                    caller,
                    Permission::AssignTeamRole,
                    Resource::Role("emperor"),
                )
                .expect("on record");
            bench.clock.advance(1);
        }
    }
    log.close();
    bench.assert_intact();
    bench
}

fn run(bench: &Bench, policies: &std::path::Path, mode: ReplayMode) -> ReplayReport {
    let snapshot = Snapshot::load(policies).expect("policies");
    replay(
        &bench.dir(),
        &ReplayPolicies::only(None, &snapshot),
        &EarlierSnapshots::new(),
        mode,
        2,
        &Progress::default(),
    )
    .expect("readable")
}

#[test]
fn every_decision_is_reproduced() {
    let bench = everything();
    let outcome = run(&bench, &shipped(), ReplayMode::Reproduce);
    assert!(outcome.decisions > 500, "{outcome:?}");
    assert_eq!(outcome.unaskable, 10 + people_only(&bench));
    assert_eq!(outcome.replayed + outcome.unaskable, outcome.decisions);
    assert_eq!(
        (outcome.flips, outcome.other_reasons, outcome.unreadable),
        (0, 0, 0)
    );
    assert!(outcome.groups.is_empty() && outcome.other_policies.is_empty());
}

/// Questions that the schema does not let a program, or a person, ask.
fn people_only(bench: &Bench) -> u64 {
    let logged = super::decisions(&bench.dir());
    let cannot = |line: &&Value| line["context"].is_null() && line["resource"]["id"] != "emperor";
    logged.iter().filter(cannot).count() as u64
}

#[test]
fn flips_of_a_candidate_have_examples() {
    let bench = everything();
    let candidate = copy_of_shipped();
    let roles = candidate.path().join("accounts.cedar");
    let text = fs::read_to_string(&roles).expect("a file");
    let narrower = text.replacen(
        "principal is ServiceAccount in Permission::\"accounts:GetAccount\",",
        "principal is ServiceAccount in Role::\"owner\",",
        1,
    );
    assert_ne!(text, narrower);
    fs::write(&roles, narrower).expect("written");
    let outcome = run(&bench, candidate.path(), ReplayMode::Candidate);
    // Reading goes on in a deactivated organization.
    assert_eq!(
        (outcome.flips, outcome.groups.len()),
        (2, 1),
        "{outcome:#?}"
    );
    let (flip, group) = outcome.groups.iter().next().expect("a group");
    assert_eq!(
        (flip.permission.as_str(), flip.direction.as_str()),
        ("accounts:GetAccount", "narrower")
    );
    assert_eq!(
        group.examples[0].recorded,
        "allowed by `accounts:GetAccount`"
    );
    assert_eq!(group.examples[0].now, "not permitted");
    // Asked to reproduce what others decided, it says that it cannot.
    let outcome = run(&bench, candidate.path(), ReplayMode::Reproduce);
    assert_eq!((outcome.replayed, outcome.other_policies.len()), (0, 1));
}

#[test]
fn evaluations_are_counted_separately() {
    let mut bench = Bench::new();
    let log = bench.open();
    bench.fill(&log, 2);
    bench.via = Via::Evaluation;
    bench.fill(&log, 4);
    log.close();
    let candidate = copy_of_shipped();
    let closed = "@id(\"closed\")\nforbid (principal, action == Action::\"organizations:GetOrganization\", resource);\n";
    fs::write(candidate.path().join("closed.cedar"), closed).expect("written");
    let outcome = run(&bench, candidate.path(), ReplayMode::Candidate);
    assert_eq!((outcome.decisions, outcome.evaluations), (6, 4));
    assert_eq!((outcome.flips, outcome.evaluation_flips), (3, 2));
    let told: Vec<_> = outcome
        .groups
        .iter()
        .map(|(flip, group)| (flip.via.as_deref(), group.count))
        .collect();
    assert_eq!(told, [(None, 1), (Some("evaluation"), 2)]);
    let (log, folder) = (bench.dir(), candidate.path());
    let (log, folder) = (log.display().to_string(), folder.display().to_string());
    let printed = Home::new().run(&["policy", "replay", &log, "--policies", &folder]);
    assert!(
        printed
            .out
            .contains("4 of the decisions were only asked about"),
        "{printed:?}"
    );
}

/// The exit code and output of a replay of this log against a candidate.
fn replayed(bench: &Bench, candidate: &std::path::Path) -> test_support::process::Outcome {
    let (log, folder) = (bench.dir(), candidate.display().to_string());
    let log = log.display().to_string();
    Home::new().run(&["policy", "replay", &log, "--policies", &folder])
}

#[test]
fn a_candidate_that_cannot_be_asked_everything_is_no_success() {
    let candidate = copy_of_shipped();
    let mut bench = Bench::new();
    bench.mask = Mask::parse(&["request_id".to_owned()], MaskStyle::Hash).expect("known");
    let log = bench.open();
    bench.fill(&log, 3);
    log.close();
    let masked = replayed(&bench, candidate.path());
    assert_eq!(masked.code, Some(2), "{masked:?}");
    assert!(
        masked.out.contains("note: 3 records are masked"),
        "{masked:?}"
    );

    let bench = Bench::new();
    let owner = bench.acme.person("owner");
    let log = bench.open();
    for role in ["emperor", "member"] {
        bench
            .decide_about(
                &log,
                &owner,
                Permission::AssignTeamRole,
                Resource::Role(role),
            )
            .expect("on record");
    }
    log.close();
    // Nobody is an emperor, then or now.
    let same = replayed(&bench, candidate.path());
    assert_eq!(same.code, Some(0), "{same:?}");
    let schema = candidate.path().join("schema.cedarschema");
    let text = fs::read_to_string(&schema).expect("the schema");
    let roles = "entity Role enum [\"owner\", \"admin\", \"member\"";
    let more = text.replacen(roles, &format!("{roles}, \"emperor\""), 1);
    assert_ne!(text, more);
    fs::write(&schema, more).expect("written");
    let later = replayed(&bench, candidate.path());
    assert_eq!(later.code, Some(2), "{later:?}");
    assert!(
        later.out.contains("note: 1 question cannot be put"),
        "{later:?}"
    );
    fs::write(&schema, text).expect("written");

    // A name that this schema does not know, of an allowed question.
    let file = files(&bench.dir()).remove(0);
    let text = fs::read_to_string(&file).expect("a file");
    let other = text.replace(
        "\"type\":\"Role\",\"id\":\"member\"}",
        "\"type\":\"Role\",\"id\":\"serf\"}",
    );
    assert_ne!(text, other);
    fs::write(&file, other).expect("written");
    let unknown = replayed(&bench, candidate.path());
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(
        unknown.out.contains("note: 1 question cannot be put"),
        "{unknown:?}"
    );
    let json = run(&bench, candidate.path(), ReplayMode::Candidate);
    assert_eq!(
        (json.unasked, json.unaskable, json.replayed, json.flips),
        (1, 1, 0, 0)
    );
}

#[test]
fn a_log_cut_at_any_byte_is_read_as_far_as_it_goes() {
    let bench = Bench::new();
    let log = bench.open();
    bench.fill(&log, 3);
    log.close();
    let file = files(&bench.dir()).remove(0);
    let whole = fs::read(&file).expect("the file");
    let snapshot = Snapshot::load(&shipped()).expect("policies");
    let reproduce = || {
        replay(
            &file,
            &ReplayPolicies::only(None, &snapshot),
            &EarlierSnapshots::new(),
            ReplayMode::Reproduce,
            1,
            &Progress::default(),
        )
        .expect("readable")
    };
    for end in 0..whole.len() {
        fs::write(&file, &whole[..end]).expect("cut");
        let outcome = reproduce();
        assert_eq!(
            (outcome.flips, outcome.unreadable),
            (0, 0),
            "cut at {end}: {outcome:?}"
        );
        // A last line that lacks nothing but its line feed is whole to a reader.
        let ends_whole = whole[..end].ends_with(b"}") && whole.get(end) == Some(&b'\n');
        let is_torn = end > 0 && !whole[..end].ends_with(b"\n") && !ends_whole;
        assert_eq!(outcome.unfinished, u64::from(is_torn), "cut at {end}");
    }
    fs::write(&file, &whole).expect("restored");
    let mut garbage = fs::File::options()
        .append(true)
        .open(&file)
        .expect("the file");
    garbage.write_all(b"garbage\n").expect("written");
    let outcome = reproduce();
    assert_eq!((outcome.decisions, outcome.unreadable), (3, 1));
    let line = super::chain::split(&file).len();
    assert!(
        outcome.unreadable_examples[0].contains(&format!(".jsonl:{line}: ")),
        "{outcome:?}"
    );
}

#[test]
fn the_command_prints_and_its_exit_code_tells() {
    let bench = everything();
    let home = Home::new();
    let log = bench.dir().display().to_string();
    let same = home.run(&["policy", "replay", &log]);
    assert_eq!(same.code, Some(0), "{same:?}");
    let all = super::decisions(&bench.dir()).len();
    let reproduced = format!("{all} of {all} decisions asked again, 0 not reproduced");
    assert!(same.out.contains(&reproduced), "{same:?}");
    let unaskable = super::decisions(&bench.dir());
    let unaskable = unaskable.iter().find(|it| it["context"].is_null());
    let id = unaskable.expect("one")["id"].as_str().expect("an id");
    let explained = home.run(&["policy", "explain", id, "--decisions", &log]);
    assert!(
        explained
            .out
            .contains("denied: the schema does not allow this question"),
        "{explained:?}"
    );
    let missing = format!("dec-{:026}", 0);
    let missing = [missing.as_str(), "--decisions", &log];
    let unknown = home.run(&[&["policy", "explain"], &missing[..]].concat());
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(
        unknown
            .err
            .contains("`dec-00000000000000000000000000` is not in the decision log"),
        "{unknown:?}"
    );
    let candidate = copy_of_shipped();
    let closed = "@id(\"closed\")\nforbid (principal, action == Action::\"accounts:ListAccounts\", resource);\n";
    fs::write(candidate.path().join("closed.cedar"), closed).expect("written");
    let folder = candidate.path().display().to_string();
    let flips = home.run(&["policy", "replay", &log, "--policies", &folder]);
    assert_eq!(flips.code, Some(1), "{flips:?}");
    assert!(
        flips
            .out
            .contains("accounts:ListAccounts: allowed, would be denied"),
        "{flips:?}"
    );
    assert!(flips.out.contains("now forbidden by `closed`"), "{flips:?}");
    let json = home.run(&["policy", "replay", &log, "--policies", &folder, "--json"]);
    let json: Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(json["groups"][0]["permission"], "accounts:ListAccounts");
    assert!(json["flips"].as_u64().is_some_and(|flips| flips > 0));
    let nothing = home.run(&["policy", "replay", "nowhere"]);
    assert_eq!(nothing.code, Some(2), "{nothing:?}");
    assert!(nothing.err.contains("`nowhere`"), "{nothing:?}");
    let empty = home.run(&["policy", "replay", &folder]);
    assert_eq!(empty.code, Some(2), "{empty:?}");
    assert!(empty.err.contains("holds no decision log"), "{empty:?}");
}
