//! `charter policy test`: the Cedar CLI's examples and its rules, where each failure stands, and
//! exactly what no example shows at work.

use std::fs;
use std::path::Path;
use std::process::Command;

use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_policy::test::{self, TestReport};
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::policy_world::shipped;

const BINARY: &str = env!("CARGO_BIN_EXE_charter");

const ORGANIZATION: &str = "org-00000000000000000000000001";

/// The shipped schema with policies and examples of its own.
pub(crate) fn folder(policies: &str, tests: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path();
    fs::copy(
        shipped().join("schema.cedarschema"),
        path.join("schema.cedarschema"),
    )
    .expect("a copy");
    fs::write(path.join("own.cedar"), policies).expect("written");
    fs::create_dir(path.join("tests")).expect("a folder");
    for (name, text) in tests {
        fs::write(path.join("tests").join(name), text).expect("written");
    }
    folder
}

/// A person of a role who asks for something about their organization.
pub(crate) fn example(
    name: &str,
    role: &str,
    action: &str,
    decision: &str,
    reason: &[&str],
) -> Value {
    json!({
        "name": name,
        "request": {
            "principal": "User::\"user-00000000000000000000000001\"",
            "action": format!("Action::\"{action}\""),
            "resource": format!("Organization::\"{ORGANIZATION}\""),
            "context": {
                "source_ip": "192.0.2.7",
                "now": "2025-09-30T12:00:00Z",
                "authentication": {"type": "AuthenticationMethod", "id": "bearer-token"},
            },
        },
        "entities": [
            {
                "uid": {"type": "Organization", "id": ORGANIZATION},
                "attrs": {"is_active": true, "plan_tier": "free"},
                "parents": [],
            },
            {
                "uid": {"type": "User", "id": "user-00000000000000000000000001"},
                "attrs": {
                    "organization": {"__entity": {"type": "Organization", "id": ORGANIZATION}},
                    "is_active": true,
                    "email_verified": true,
                },
                "parents": [{"type": "Role", "id": role}],
            },
        ],
        "decision": decision,
        "reason": reason,
        "num_errors": 0,
    })
}

pub(crate) fn run(folder: &Path) -> TestReport {
    let folder = Folder::read(folder).expect("a readable folder");
    let snapshot = Snapshot::from_folder(&folder).expect("a good folder");
    test::run(&folder, &snapshot).expect("examples that can be read")
}

pub(super) const TWO_POLICIES: &str = r#"
@id("members-read")
permit (principal in Role::"member", action in Action::"reads", resource)
when {
  principal.is_active && // a comment between
  principal.organization.is_active
};

@id("plans")
forbid (principal is User, action, resource is Organization)
when { resource.plan_tier == "closed" || resource.plan_tier == "late" }
unless { principal in Role::"owner" };
"#;

pub(crate) fn of(examples: &[Value]) -> String {
    Value::from(examples.to_vec()).to_string()
}

#[test]
fn uncovered_conditions_are_listed() {
    let mut late = example(
        "late",
        "member",
        "organizations:GetOrganization",
        "deny",
        &["plans"],
    );
    late["entities"][0]["attrs"]["plan_tier"] = "late".into();
    let text = of(&[
        example(
            "reads",
            "member",
            "organizations:GetOrganization",
            "allow",
            &["members-read"],
        ),
        example(
            "writes",
            "member",
            "organizations:UpdateOrganization",
            "deny",
            &[],
        ),
        late,
    ]);
    let folder = folder(TWO_POLICIES, &[("own.json", &text)]);
    let report = run(folder.path());
    let coverage = &report.coverage;
    assert_eq!((report.total(), report.failed()), (3, 0));
    assert_eq!(
        (coverage.policies_decided(), coverage.policies.len()),
        (2, 2)
    );
    // Both conditions of the permit were true; of the forbid `closed` was false, `late` both,
    // and `principal in Role` false. What writes is no matter of the permit.
    assert_eq!((coverage.outcomes_seen(), coverage.outcomes()), (6, 10));
    assert_eq!(coverage.percent(), 66);
    assert!(coverage.reaches(66) && !coverage.reaches(67));
    insta::assert_snapshot!(report.text(67));
}

#[test]
fn an_example_that_does_not_hold_is_told_with_its_line() {
    let read = "organizations:GetOrganization";
    let mut errors = example("errors", "member", read, "allow", &[]);
    errors["num_errors"] = 1.into();
    let lines = [
        example("decision", "member", read, "deny", &[]),
        example("nobody permits", "owner", read, "allow", &[]),
        example("reason", "member", read, "allow", &["plans", "misspelt"]),
        errors,
        example("holds", "member", read, "allow", &["members-read"]),
    ];
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let text = format!("[\n{}\n]", lines.join(",\n"));
    let folder = folder(TWO_POLICIES, &[("own.json", &text)]);
    insta::assert_snapshot!(run(folder.path()).failures().join("\n"));
}

#[test]
fn an_example_outside_the_schema_fails_with_the_reason() {
    let read = "organizations:GetOrganization";
    let with = |pointer: &str, value: Value| {
        let mut example = example(pointer, "member", read, "deny", &[]);
        *example.pointer_mut(pointer).expect("a field") = value;
        example
    };
    let text = of(&[
        with("/request/action", "Action::\"organizations:Get\"".into()),
        with("/request/principal", "user-1".into()),
        with("/request/resource", "Role::\"owner\"".into()),
        with("/request/context", json!({})),
        with("/entities/0/attrs/plan_tier", 7.into()),
        with("/entities/1/parents/0/id", "superuser".into()),
        with("/entities", "elsewhere.json".into()),
    ]);
    let folder = folder(TWO_POLICIES, &[("own.json", &text)]);
    let report = run(folder.path());
    assert_eq!(report.failed(), 7);
    insta::assert_snapshot!(report.failures().join("\n"));
}

/// A forbid that cannot be evaluated denies here, though Cedar itself would allow.
#[test]
fn an_errored_forbid_is_a_denial_as_in_the_service() {
    let policies = "@id(\"all\") permit (principal, action, resource);\n\
        @id(\"overflowing\") forbid (principal, action, resource)\n\
        when { context.now.toTime().toMilliseconds() + 9223372036854775807 < 0 };";
    let read = "organizations:GetOrganization";
    let mut denied = example("denied", "member", read, "deny", &["overflowing"]);
    denied["num_errors"] = 1.into();
    let allowed = example("allowed", "member", read, "allow", &["all"]);
    let folder = folder(policies, &[("own.json", &of(&[denied, allowed]))]);
    insta::assert_snapshot!(run(folder.path()).failures().join("\n"));
}

#[test]
fn entities_may_stand_in_a_file_of_their_own() {
    let mut first = example(
        "first",
        "member",
        "organizations:GetOrganization",
        "allow",
        &[],
    );
    let entities = first["entities"].take().to_string();
    first["entities"] = "world.json".into();
    let folder = folder(
        TWO_POLICIES,
        &[("own.json", &of(&[first])), ("world.json", &entities)],
    );
    let report = run(folder.path());
    assert_eq!((report.total(), report.failed()), (1, 0));
    assert_eq!(report.files.len(), 1);
}

#[test]
fn a_file_cut_at_any_byte_is_a_fault_and_no_panic() {
    let text = of(&[example(
        "whole",
        "member",
        "organizations:GetOrganization",
        "allow",
        &[],
    )]);
    let folder = folder(TWO_POLICIES, &[("own.json", &text)]);
    let snapshot = Snapshot::load(folder.path()).expect("a good folder");
    for end in 0..text.len() {
        fs::write(folder.path().join("tests/own.json"), &text[..end]).expect("written");
        let read = Folder::read(folder.path()).expect("a readable folder");
        let error = test::run(&read, &snapshot).expect_err("half an example");
        assert!(error.report().contains("own.json"), "{end}: {error}");
    }
}

#[test]
fn examples_of_another_form_are_faults_with_a_caret() {
    let well_formed = example(
        "well-formed",
        "member",
        "organizations:GetOrganization",
        "allow",
        &[],
    );
    let without = |field: &str| {
        let mut example = well_formed.clone();
        example.as_object_mut().expect("an object").remove(field);
        example
    };
    let mut maybe = well_formed.clone();
    maybe["decision"] = "maybe".into();
    let lines = [
        without("reason"),
        maybe,
        well_formed.clone(),
        without("entities"),
    ];
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let files = [
        ("first.json", format!("[\n{}\n]", lines.join(",\n"))),
        ("second.json", "[\n  {\"name\": \"a\",}\n]".to_owned()),
        ("third.json", "{}".to_owned()),
        ("fourth.json", String::new()),
    ];
    for (name, text) in files {
        let folder = folder(TWO_POLICIES, &[(name, &text)]);
        let snapshot = Snapshot::load(folder.path()).expect("a good folder");
        let read = Folder::read(folder.path()).expect("a readable folder");
        let error = test::run(&read, &snapshot).expect_err("another form");
        let report = error
            .report()
            .replace(&folder.path().display().to_string(), "DIR");
        insta::assert_snapshot!(name.trim_end_matches(".json"), report);
    }
}

fn charter(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(BINARY)
        .args(["policy", "test"])
        .args(arguments)
        .output()
        .expect("the binary runs");
    (
        output.status.code(),
        String::from_utf8(output.stdout).expect("text"),
        String::from_utf8(output.stderr).expect("text"),
    )
}

#[test]
fn the_shipped_examples_hold_and_cover_every_policy_and_condition() {
    let (code, out, err) = charter(&[&shipped().display().to_string(), "--min-coverage=100"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(!out.contains("never"), "{out}");
}

#[test]
fn the_exit_code_tells_failures_and_faults_apart() {
    let good = of(&[example(
        "one",
        "member",
        "organizations:GetOrganization",
        "allow",
        &[],
    )]);
    let bad = of(&[example(
        "one",
        "member",
        "organizations:GetOrganization",
        "deny",
        &[],
    )]);
    for (text, arguments, expected) in [
        (good.as_str(), vec![], 0),
        (good.as_str(), vec!["--min-coverage=90"], 1),
        (bad.as_str(), vec![], 1),
        ("[", vec![], 2),
        (good.as_str(), vec!["--min-coverage=101"], 2),
        (good.as_str(), vec!["--junit=/nowhere/at/all.xml"], 2),
    ] {
        let folder = folder(TWO_POLICIES, &[("own.json", text)]);
        let dir = folder.path().display().to_string();
        let (code, out, err) = charter(&[&[dir.as_str()], &arguments[..]].concat());
        assert_eq!(code, Some(expected), "{arguments:?} {out}{err}");
    }
}

#[test]
fn a_folder_without_examples_passes_with_a_note() {
    let folder = folder(TWO_POLICIES, &[]);
    let dir = folder.path().display().to_string();
    let (code, out, _) = charter(&[&dir]);
    assert_eq!(code, Some(0));
    assert!(out.starts_with("there are no examples"), "{out}");
    assert_eq!(charter(&[&dir, "--min-coverage=1"]).0, Some(1));
}

#[test]
fn results_are_written_for_machines_too() {
    let text = of(&[
        example(
            "holds",
            "member",
            "organizations:GetOrganization",
            "allow",
            &[],
        ),
        example(
            "<\"fails\" & all>",
            "member",
            "organizations:GetOrganization",
            "deny",
            &[],
        ),
    ]);
    let folder = folder(TWO_POLICIES, &[("own.json", &text)]);
    let file = folder.path().join("junit.xml");
    let (code, out, _) = charter(&[
        &folder.path().display().to_string(),
        "--json",
        &format!("--junit={}", file.display()),
    ]);
    assert_eq!(code, Some(1));
    let report: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(report["files"][0]["cases"][1]["name"], "<\"fails\" & all>");
    assert_eq!(report["coverage"]["policies"][0]["decided"], true);
    let xml = fs::read_to_string(file).expect("a report");
    let read = quick_junit::Report::deserialize_from_str(&xml).expect("JUnit XML");
    assert_eq!((read.tests, read.failures), (2, 1));
    insta::assert_snapshot!(xml);
}
