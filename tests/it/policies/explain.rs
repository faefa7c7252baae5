//! `charter policy explain`: what decided and by which conditions; of what nobody permits, the
//! nearest permits and what kept them from it.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use cedar_policy::{Entities, Request};
use charter_authz::snapshot::Snapshot;
use charter_policy::explain::{Explanation, explain};
use charter_policy::request_json;
use miette::NamedSource;
use serde_json::{Value, json};
use test_support::policy_world::{copy_of_shipped, shipped};

const BINARY: &str = env!("CARGO_BIN_EXE_charter");
const ORGANIZATION: &str = "org-00000000000000000000000001";
const ACCOUNT: &str = "acc-00000000000000000000000001";

fn entity(kind: &str, id: &str) -> Value {
    json!({"__entity": {"type": kind, "id": id}})
}

/// Asks for something about the organization; `is_active` is the organization's.
fn question(principal: Value, kind: &str, action: &str, is_active: bool) -> Value {
    let (id, method) = match kind {
        "User" => ("user-00000000000000000000000001", "bearer-token"),
        _ => ("sa-00000000000000000000000001", "signed-request"),
    };
    json!({
        "request": {
            "principal": format!("{kind}::\"{id}\""),
            "action": format!("Action::\"{action}\""),
            "resource": format!("Organization::\"{ORGANIZATION}\""),
            "context": {
                "source_ip": "192.0.2.7",
                "now": "2025-09-30T12:00:00Z",
                "authentication": {"type": "AuthenticationMethod", "id": method},
            },
        },
        "entities": [
            {
                "uid": {"type": "Organization", "id": ORGANIZATION},
                "attrs": {"is_active": is_active, "plan_tier": "free"},
                "parents": [],
            },
            {
                "uid": {"type": "Account", "id": ACCOUNT},
                "attrs": {
                    "organization": entity("Organization", ORGANIZATION),
                    "is_default": true,
                    "is_active": true,
                },
                "parents": [{"type": "Organization", "id": ORGANIZATION}],
            },
            principal,
        ],
    })
}

fn person(role: &str, action: &str, is_active: bool) -> Value {
    let person = json!({
        "uid": {"type": "User", "id": "user-00000000000000000000000001"},
        "attrs": {
            "organization": entity("Organization", ORGANIZATION),
            "is_active": true,
            "email_verified": true,
        },
        "parents": [{"type": "Role", "id": role}],
    });
    question(person, "User", action, is_active)
}

fn program(permissions: &[&str], action: &str) -> Value {
    let mut parents = vec![json!({"type": "Account", "id": ACCOUNT})];
    for permission in permissions {
        parents.push(json!({"type": "Permission", "id": permission}));
    }
    let program = json!({
        "uid": {"type": "ServiceAccount", "id": "sa-00000000000000000000000001"},
        "attrs": {
            "organization": entity("Organization", ORGANIZATION),
            "account": entity("Account", ACCOUNT),
            "is_active": true,
        },
        "parents": parents,
    });
    question(program, "ServiceAccount", action, true)
}

fn inputs(snapshot: &Snapshot, question: &Value) -> (Request, Entities) {
    let source = Arc::new(NamedSource::new(
        "question",
        Arc::from(question.to_string()),
    ));
    request_json::read(&source, snapshot.schema()).expect("a question")
}

fn explained(snapshot: &Snapshot, question: &Value) -> Explanation {
    let (request, entities) = inputs(snapshot, question);
    explain(snapshot, &request, &entities)
}

fn shipped_snapshot() -> Snapshot {
    Snapshot::load(&shipped()).expect("the shipped policies")
}

fn with_extra(text: &str) -> Snapshot {
    let folder = copy_of_shipped();
    fs::write(folder.path().join("extra.cedar"), text).expect("a written file");
    Snapshot::load(folder.path()).expect("a good folder")
}

#[test]
fn a_denial_names_the_forbid_and_its_conditions() {
    let question = person("owner", "organizations:UpdateOrganization", false);
    insta::assert_snapshot!(explained(&shipped_snapshot(), &question));
}

#[test]
fn an_allow_names_the_permits() {
    let question = person("member", "organizations:GetOrganization", true);
    insta::assert_snapshot!(explained(&shipped_snapshot(), &question));
}

#[test]
fn an_unpermitted_request_names_the_nearest_permits() {
    let question = person("member", "organizations:UpdateOrganization", true);
    insta::assert_snapshot!(explained(&shipped_snapshot(), &question));
}

#[test]
fn a_program_without_the_permission_hears_of_that_permission_first() {
    let question = program(
        &["organizations:GetOrganization"],
        "organizations:UpdateOrganization",
    );
    let explanation = explained(&shipped_snapshot(), &question);
    let nearest: Vec<_> = explanation
        .nearest
        .iter()
        .map(|nearest| (nearest.policy_ref.policy.as_str(), nearest.away))
        .collect();
    assert_eq!(nearest[0], ("organizations:UpdateOrganization", 1));
    assert_eq!(nearest.len(), 3, "{nearest:?}");
    insta::assert_snapshot!(explanation);
}

#[test]
fn fewer_failed_parts_are_nearer_and_alternatives_count_once() {
    let snapshot = with_extra(
        r#"
@id("two-away")
permit (principal is User, action == Action::"organizations:UpdateSettings", resource)
when { principal in Role::"owner" && resource.plan_tier == "pro" };
@id("one-away")
permit (principal is User, action == Action::"organizations:UpdateSettings", resource)
when { resource.plan_tier == "pro" || resource.plan_tier == "growth" || !principal.is_active };
@id("by-unless")
permit (principal is User, action == Action::"organizations:UpdateSettings", resource)
unless { principal.email_verified && principal.is_active };
@id("three-away")
permit (principal is User in Role::"owner", action == Action::"organizations:UpdateSettings", resource)
when { !principal.is_active && resource.plan_tier == "pro" };
"#,
    );
    let explanation = explained(
        &snapshot,
        &person("member", "organizations:UpdateSettings", true),
    );
    let nearest: Vec<_> = explanation
        .nearest
        .iter()
        .map(|nearest| (nearest.policy_ref.policy.as_str(), nearest.away))
        .collect();
    assert_eq!(
        nearest,
        [("one-away", 1), ("by-unless", 1), ("roles.owner", 1)]
    );
    insta::assert_snapshot!(explanation);
}

#[test]
fn a_forbid_that_cannot_be_evaluated_is_told_with_the_reason() {
    let snapshot = with_extra(
        "@id(\"overflowing\")\nforbid (principal, action in Action::\"reads\", resource)\n\
         when { principal.is_active && context.now.toTime().toMilliseconds() + 9223372036854775807 < 0 };",
    );
    let question = person("member", "organizations:GetOrganization", true);
    insta::assert_snapshot!(explained(&snapshot, &question));
}

#[test]
fn a_permit_that_cannot_be_evaluated_is_told_too() {
    let snapshot = with_extra(
        "@id(\"overflowing\")\npermit (principal, action, resource)\n\
         when { context.now.toTime().toMilliseconds() + 9223372036854775807 < 0 };",
    );
    let question = person("member", "organizations:UpdateOrganization", true);
    insta::assert_snapshot!(explained(&snapshot, &question));
}

/// A role that the schema no longer has counts for nothing: the entity is in nothing.
#[test]
fn an_unknown_role_is_seen_as_none() {
    let mut question = person("member", "organizations:GetOrganization", true);
    question["entities"][2]["parents"] = json!([]);
    let explanation = explained(&shipped_snapshot(), &question);
    assert!(explanation.seen.principal.is_in.is_empty());
    insta::assert_snapshot!(explanation);
}

/// As a log may have it: only the things, not the actions.
#[test]
fn entities_may_lack_the_actions() {
    let snapshot = shipped_snapshot();
    let question = person("member", "organizations:GetOrganization", true);
    let (request, entities) = inputs(&snapshot, &question);
    let action = request.action().expect("an action").clone();
    let without = entities
        .remove_entities(
            snapshot
                .schema()
                .action_entities()
                .expect("actions")
                .iter()
                .map(cedar_policy::Entity::uid),
        )
        .expect("removed");
    assert!(without.get(&action).is_none());
    let explanation = explain(&snapshot, &request, &without);
    assert_eq!(explanation.determining[0].policy_ref.policy, "roles.member");
}

#[test]
fn the_command_prints_text_and_json() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("request.json");
    let question = person("member", "organizations:UpdateOrganization", true);
    let run = |text: &str, arguments: &[&str]| {
        fs::write(&file, text).expect("written");
        let output = Command::new(BINARY)
            .args(["policy", "explain", "--request"])
            .arg(&file)
            .arg("--policies")
            .arg(shipped())
            .args(arguments)
            .output()
            .expect("the binary runs");
        (
            output.status.code(),
            String::from_utf8(output.stdout).expect("text"),
            String::from_utf8(output.stderr).expect("text"),
        )
    };
    let (code, out, err) = run(&question.to_string(), &[]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with("denied: no policy permits it"), "{out}");
    let (code, out, err) = run(&question.to_string(), &["--json"]);
    assert_eq!(code, Some(0), "{err}");
    let printed: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(printed["ruling"], "not_permitted");
    assert_eq!(printed["folder"], shipped().display().to_string());
    insta::assert_json_snapshot!(
        printed,
        {".policy_digest" => "[digest]", ".digest" => "[digest]", ".folder" => "[folder]"}
    );
    for wrong in [
        "",
        "[]",
        "{\"request\": {}}",
        "{\"request\": 1, \"entities\": []}",
    ] {
        let (code, _, err) = run(wrong, &[]);
        assert_eq!(code, Some(2), "{err}");
        assert!(err.contains("request.json"), "{err}");
    }
    let mut impossible = question;
    impossible["request"]["resource"] = "Role::\"owner\"".into();
    let (code, _, err) = run(&impossible.to_string(), &[]);
    assert_eq!(code, Some(2));
    assert!(
        err.contains("the schema does not let this be asked"),
        "{err}"
    );
}

#[test]
fn tags_are_shown_and_a_context_only_once() {
    let above = tempfile::tempdir().expect("a directory");
    let folder = above.path().join("domains/teams");
    fs::create_dir_all(&folder).expect("a directory");
    let schema = "entity User tags String;\nentity Page;\n\
        action read appliesTo {principal: User, resource: Page, context: {d?: Long, n: Long}};\n";
    let policies = "@id(\"of-hr\")\npermit (principal is User, action == Action::\"read\", resource is Page)\n\
        when { principal.hasTag(\"dep\") && principal.getTag(\"dep\") == \"hr\" && context has d };\n";
    fs::write(folder.join("schema.cedarschema"), schema).expect("written");
    fs::write(folder.join("teams.cedar"), policies).expect("written");
    let snapshot = Snapshot::load(&folder).expect("a domain");
    let question = json!({
        "request": {
            "principal": "User::\"ann\"",
            "action": "Action::\"read\"",
            "resource": "Page::\"one\"",
            "context": {"n": 41},
        },
        "entities": [
            {"uid": {"type": "User", "id": "ann"}, "attrs": {}, "parents": [], "tags": {"dep": "it"}},
            {"uid": {"type": "Page", "id": "one"}, "attrs": {}, "parents": []},
        ],
    });
    let explained = explained(&snapshot, &question);
    let json = serde_json::to_value(&explained).expect("JSON");
    assert_eq!(
        json["principal"]["tags"],
        json!({"dep": "\"it\""}),
        "{json}"
    );
    let text = explained.to_string();
    assert!(text.contains("tag \"dep\" = \"it\""), "{text}");
    assert!(
        text.contains("`principal.getTag(\"dep\")` is `\"it\"`"),
        "{text}"
    );
    assert_eq!(text.matches("41").count(), 1, "{text}");
}

#[test]
fn a_request_file_of_another_form_is_told_with_its_form() {
    for (text, told) in [
        (
            "{\"request\": 1, \"entities\": []}",
            "expected an object with `principal`",
        ),
        ("[]", "the file is a list"),
        ("1", "expected an object with `request` and `entities`"),
        ("\u{feff}{}", "begins with a byte order mark"),
    ] {
        let source = Arc::new(NamedSource::new("question", Arc::from(text)));
        let error = request_json::read(&source, shipped_snapshot().schema()).expect_err("a fault");
        let report = error.report();
        assert!(
            report.contains(told) && report.contains("help:"),
            "{report}"
        );
        assert!(!report.contains("struct"), "{report}");
    }
}
