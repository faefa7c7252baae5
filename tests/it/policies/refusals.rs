//! What a refused client is told stands in the policy that refuses: `@code` and `@message`.

use std::fs;
use std::path::Path;

use charter_authz::decision::{Decision, Denial, Outcome};
use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_domain::permission::Permission;
use charter_policy::test;
use serde_json::json;
use test_support::on_both_engines;
use test_support::policy_world::{Tenant, ask, copy_of_shipped, whole_copy_of_shipped};
use test_support::service::{Persona, Service, TeamRole};
use test_support::services::TestDatabase;

on_both_engines!(a_client_is_told_what_the_policy_says);

const OFFICE: &str = "@id(\"office.writes\")\n@code(\"OFFICE_ONLY\")\n\
    @message(\"come to the office for that\")\n\
    forbid (principal is User, action in Action::\"writes\", resource);\n";

fn add(folder: &Path, text: &str) {
    fs::write(folder.join("extra.cedar"), text).expect("written");
}

/// The report on the shipped folder with a policy more.
fn report_of(text: &str) -> String {
    let folder = copy_of_shipped();
    add(folder.path(), text);
    match Snapshot::load(folder.path()) {
        Ok(_) => String::new(),
        Err(error) => error.report(),
    }
}

#[test]
fn annotations_are_checked_when_the_folder_is_read() {
    let forbid = |annotation: &str| {
        format!(
            "@id(\"x\")\n{annotation}\nforbid (principal, action, resource) when {{ !principal.organization.is_active }};"
        )
    };
    let long = "A".repeat(65);
    for code in [
        "",
        "office_only",
        "OFFICE-ONLY",
        "1ST",
        "_X",
        "ÄÖ",
        "A B",
        &long,
    ] {
        let report = report_of(&forbid(&format!("@code(\"{code}\")")));
        assert!(
            report.contains("the `@code` cannot be the code of an error"),
            "{code}: {report}"
        );
        assert!(report.contains("extra.cedar:2:1"), "{report}");
    }
    let long = "é".repeat(301);
    for message in ["", "  ", "two\\nlines", "\\u{202e}evil", "\\0", &long] {
        let report = report_of(&forbid(&format!("@message(\"{message}\")")));
        assert!(
            report.contains("the `@message` cannot be shown to a client"),
            "{message}: {report}"
        );
    }
    let permit = "@id(\"x\")\n@code(\"A\")\n@message(\"b\")\npermit (principal is User, action == Action::\"team:ListMembers\", resource);";
    let report = report_of(permit);
    assert!(
        report.contains("a permit has an `@code`, but only a forbid refuses"),
        "{report}"
    );
    assert!(report.contains("a permit has an `@message`"), "{report}");
    for (slip, meant) in [
        ("mesage", "message"),
        ("Message", "message"),
        ("codee", "code"),
    ] {
        let report = report_of(&forbid(&format!("@{slip}(\"SO\")")));
        let told = format!("the annotation `@{slip}` has no meaning");
        assert!(report.contains(&told), "{report}");
        assert!(report.contains(&format!("write `@{meant}`")), "{report}");
        assert!(report.contains("extra.cedar:2:1"), "{report}");
    }
    for other in ["owner", "mode", "node", "ticket"] {
        let report = report_of(&forbid(&format!("@{other}(\"SO\")")));
        assert_eq!(report, "", "{other}");
    }
    let longest = ("A".repeat(64), "é".repeat(300));
    let sound = forbid(&format!(
        "@code(\"{}\")\n@message(\"{}\")",
        longest.0, longest.1
    ));
    let folder = copy_of_shipped();
    add(folder.path(), &sound);
    Snapshot::load(folder.path()).expect("as long as they may be");
}

/// What the shipped folder with these policies more says to an owner who changes the organization.
fn refusal_by(policies: &str) -> Decision {
    let folder = copy_of_shipped();
    add(folder.path(), policies);
    let snapshot = Snapshot::load(folder.path()).expect("a good folder");
    let acme = Tenant::new(1);
    let owner = acme.person("owner");
    ask(
        &snapshot,
        &owner,
        Permission::UpdateOrganization,
        acme.organization(),
    )
}

fn told(decision: &Decision) -> (Option<&str>, Option<&str>) {
    assert_eq!(decision.outcome, Outcome::Deny(Denial::ForbiddenByPolicy));
    let refusal = decision.refusal.as_ref();
    (
        refusal.and_then(|it| it.code.as_deref()),
        refusal.and_then(|it| it.message.as_deref()),
    )
}

#[test]
fn the_first_forbid_with_a_code_names_the_refusal() {
    let forbid = |id: &str, annotations: &str| {
        format!(
            "@id(\"{id}\")\n{annotations}\nforbid (principal, action in Action::\"writes\", resource);\n"
        )
    };
    let silent = forbid("a", "");
    let sentence = forbid("b", "@message(\"only b\")");
    let first = forbid("c", "@code(\"C\")");
    let second = forbid("d", "@code(\"D\") @message(\"only d\")");
    let all = [&*silent, &sentence, &second, &first].concat();
    assert_eq!(told(&refusal_by(&all)), (Some("C"), None));
    let some = [&*sentence, &silent].concat();
    assert_eq!(told(&refusal_by(&some)), (None, Some("only b")));
    assert_eq!(told(&refusal_by(&silent)), (None, None));
    // One that cannot be evaluated denies, and is not known to apply.
    let broken = "@id(\"a\") @code(\"A\")\nforbid (principal is User, action, resource) when { 9223372036854775807 + 1 > 0 };";
    let decision = refusal_by(broken);
    assert_eq!((told(&decision), decision.errors.len()), ((None, None), 1));
}

#[test]
fn an_example_may_expect_a_code() {
    let folder = whole_copy_of_shipped();
    let examples = folder.path().join("tests/guardrails.json");
    let run = || {
        let folder = Folder::read(folder.path()).expect("a folder");
        let snapshot = Snapshot::from_folder(&folder).expect("sound");
        test::run(&folder, &snapshot).expect("examples").failures()
    };
    assert_eq!(run(), Vec::<String>::new());
    let text = fs::read_to_string(&examples).expect("examples");
    let other = text.replace(
        "\"code\": \"EMAIL_NOT_VERIFIED\"",
        "\"code\": \"OFFICE_ONLY\"",
    );
    assert_ne!(text, other);
    fs::write(&examples, other).expect("written");
    let failures = run();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(
        failures[0].ends_with("expected the code `OFFICE_ONLY`, got `EMAIL_NOT_VERIFIED`"),
        "{failures:?}"
    );
}

#[test]
fn every_action_is_a_read_or_a_write() {
    let folder = copy_of_shipped();
    let schema = folder.path().join("schema.cedarschema");
    let text = fs::read_to_string(&schema).expect("a schema");
    for (groups, told) in [("", "neither"), (" in [\"reads\", \"writes\"]", "both")] {
        let edited = text.replace(
            "action \"accounts:CreateAccount\" in [\"writes\"]",
            &format!("action \"accounts:CreateAccount\"{groups}"),
        );
        assert_ne!(text, edited);
        fs::write(&schema, edited).expect("written");
        let report = Snapshot::load(folder.path()).expect_err("refused").report();
        let sentence = format!("`accounts:CreateAccount` is in {told} of the groups");
        assert!(report.contains(&sentence), "{report}");
    }
}

#[test]
fn attributes_that_are_never_set_are_refused() {
    let folder = copy_of_shipped();
    let schema = folder.path().join("schema.cedarschema");
    let text = fs::read_to_string(&schema).expect("a schema");
    for (from, to, told) in [
        (
            "  now: datetime,",
            "  now: datetime,\n  mfa?: Bool,",
            "the context's `mfa`",
        ),
        (
            "  email_verified: Bool,",
            "  email_verified: Bool,\n  mfa?: Bool,",
            "the attribute `mfa` of `User`",
        ),
        (
            "  plan_tier: String,",
            "  plan_tier: String,\n  limits?: { documents?: Long },",
            "the attribute `limits` of `Organization`",
        ),
        (
            "entity User in [Role] = {",
            "entity Team = { name?: String };\nentity User in [Role] = {",
            "the attribute `name` of `Team`",
        ),
        (
            "entity User in [Role] = {",
            "entity Team;\nentity User in [Role, Team] = {",
            "parents of `User` of the type `Team`",
        ),
        (
            "  email_verified: Bool,\n};",
            "  email_verified: Bool,\n} tags String;",
            "tags of `User`",
        ),
    ] {
        let edited = text.replace(from, to);
        assert_ne!(text, edited, "{from}");
        fs::write(&schema, edited).expect("written");
        let report = Snapshot::load(folder.path()).expect_err("refused").report();
        assert!(
            report.contains(&format!("the service never fills {told}")),
            "{told}: {report}"
        );
        assert!(report.contains("schema.cedarschema:"), "{report}");
        assert_eq!(report.matches("never fills").count(), 1, "{report}");
    }
    let edited = text.replace("\"bearer-token\"]", "\"bearer-token\", \"mtls\"]");
    assert_ne!(text, edited);
    fs::write(&schema, edited).expect("written");
    let report = Snapshot::load(folder.path()).expect_err("refused").report();
    assert!(
        report.contains("the service never sets `AuthenticationMethod::\"mtls\"`"),
        "{report}"
    );
}

async fn a_client_is_told_what_the_policy_says(database: TestDatabase) {
    let folder = copy_of_shipped();
    add(folder.path(), OFFICE);
    let policies = format!(
        "tests = \"off\"\nproofs = \"off\"\ndir = \"{}\"",
        folder.path().display()
    );
    let service = Service::with_policies(database, &policies).await;
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let refused = owner.post("/accounts", json!({"name": "x"})).await;
    refused.assert_refused(403, "OFFICE_ONLY");
    let error = refused.json()["error"].clone();
    assert_eq!(
        (&error["type"], &error["message"]),
        (&json!("FORBIDDEN"), &json!("come to the office for that"))
    );
    let id = error["decision_id"].as_str().expect("an id");
    let auditor = acme.signer(&[Permission::GetDecision]).await;
    let shown = auditor.get(&format!("/decisions/{id}")).await.ok();
    assert_eq!(
        (
            &shown["code"],
            &shown["message"],
            &shown["policies"][0]["id"]
        ),
        (&error["code"], &error["message"], &json!("office.writes"))
    );
    let explanation = &shown["explanation"];
    assert_eq!(
        (&explanation["code"], &explanation["message"]),
        (&error["code"], &error["message"])
    );
    // Of what nobody permits, policies say nothing.
    let denied = acme.signer(&[]).await.get("/accounts").await;
    let id = denied.json()["error"]["decision_id"].clone();
    let shown = auditor
        .get(&format!("/decisions/{}", id.as_str().expect("an id")))
        .await
        .ok();
    assert_eq!(
        (&shown["code"], &shown["message"]),
        (&json!(null), &json!(null))
    );
    service.stop().await;
}
