//! With `--json` a command's whole answer is one JSON document.

use serde_json::Value;
use test_support::policy_world::whole_copy_of_shipped;
use test_support::process::Home;

use super::Installation;

/// One document, whatever the exit code.
#[track_caller]
fn document(installation: &Installation, arguments: &[&str], code: i32) -> Value {
    // Commands about policies take the settings behind their own name.
    let named = if arguments[0] == "policy" { 2 } else { 1 };
    let (command, rest) = arguments.split_at(named);
    let config = [&*installation.config];
    let outcome = installation.home.run(&[command, &config, rest].concat());
    assert_eq!(outcome.code, Some(code), "{arguments:?}: {outcome:?}");
    assert_eq!(outcome.err, "", "{arguments:?}");
    serde_json::from_str(&outcome.out).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
}

/// Its members, by name.
fn members(value: &Value) -> Vec<&str> {
    let object = value.as_object().unwrap_or_else(|| panic!("{value}"));
    let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn every_answer_is_one_document() {
    let folder = whole_copy_of_shipped();
    let dir = folder.path().display().to_string();
    let home = Home::new()
        .with("CHARTER__POLICIES__DIR", &dir)
        .with("CHARTER__POLICIES__PROOFS", "off")
        .with("CHARTER__PORTAL__BASE_URL", "http://localhost:8080");
    let installation = Installation::in_home(home);
    let answer = |arguments: &[&str]| document(&installation, arguments, 0);
    let up = answer(&["migrate", "up", "--json"]);
    assert_eq!(members(&up[0]), ["name", "state"]);
    assert_eq!(answer(&["migrate", "status", "--json"]), up);
    let create = [
        "organization",
        "create",
        "--name=Acme",
        "--slug=acme",
        "--json",
    ];
    let acme = answer(&create);
    let shown = answer(&["organization", "show", "acme", "--json"]);
    assert_eq!(
        answer(&["organization", "list", "--json"]),
        Value::from(vec![shown])
    );
    assert!(acme["default_account_id"].is_string());
    let key = answer(&["key", "issue", "acme", "--name=robot", "--json"]);
    let keys = answer(&["key", "list", "acme", "--json"]);
    assert_eq!(keys[0]["id"], key["id"]);
    let id = key["id"].as_str().expect("an id");
    assert!(answer(&["key", "revoke", id, "--json"])["revoked_at"].is_string());
    assert_eq!(
        answer(&["user", "list", "acme", "--json"]),
        Value::from(Vec::<Value>::new())
    );
    let invite = ["user", "invite", "acme", "ada@acme.example", "--json"];
    assert!(answer(&invite)["link"].is_string());
    let events = answer(&["audit", "list", "acme", "--json"]);
    assert!(events.as_array().is_some_and(|events| events.len() > 3));
    let verified = answer(&["audit", "verify", "--json"]);
    assert_eq!(
        members(&verified),
        ["events", "findings", "heads", "organizations", "torn_heads"]
    );
    installation.serve().stop();
    let history = answer(&["policy", "history", "--json"]);
    assert_eq!(history[0]["revision"], 1);
    assert_eq!(history[0]["in_force_until"], Value::Null);
    let checked = answer(&["policy", "check", "--json"]);
    assert_eq!(checked["whole_folder"], history[0]["whole_folder"]);
    let text =
        "@id(\"stop\")\nforbid (principal, action, resource) when { context has nothing };\n";
    std::fs::write(folder.path().join("stop.cedar"), text).expect("a policy");
    let broken = document(&installation, &["policy", "check", "--json"], 2);
    assert!(broken.is_object(), "{broken}");
    let text = "@id(\"stop\")\nforbid (\n  principal,\n  action,\n  resource\n)\nwhen { !principal.is_active };\n";
    std::fs::write(folder.path().join("stop.cedar"), text).expect("a policy");
    let formatted = answer(&["policy", "fmt", "--json"]);
    assert_eq!(
        members(&formatted),
        [
            "changed",
            "digest",
            "folder",
            "manifest_left_alone",
            "manifest_version",
            "written"
        ]
    );
    let manifest = answer(&["policy", "manifest", "--json"]);
    assert_eq!(manifest["version"], 1);
    an_approval_is_one_document(&answer);
    let rollback = answer(&["policy", "rollback", "1", "--json"]);
    assert_eq!(rollback["written"], false);
    let tested = answer(&["policy", "test", "--json"]);
    assert_eq!(tested["folder"], dir);
    let verified = answer(&["policy", "verify-log", "--json"]);
    assert_eq!(verified["findings"], Value::from(Vec::<Value>::new()));
    let log = installation.home.data().join("decisions");
    let replayed = answer(&["policy", "replay", &log.display().to_string(), "--json"]);
    assert_eq!(replayed["flips"], 0);
    assert_eq!(answer(&["check", "--json"])["ok"], true);
}

fn an_approval_is_one_document(answer: &impl Fn(&[&str]) -> Value) {
    let digest = answer(&["policy", "check", "--json"])["whole_folder"].clone();
    let digest = digest.as_str().expect("a digest");
    let approve = [
        "policy",
        "approve",
        digest,
        "--reason=a stop",
        "--by=ada",
        "--json",
    ];
    let approved = answer(&approve);
    assert!(
        approved["changes"]
            .as_str()
            .expect("text")
            .contains("stop.cedar")
    );
    let approvals = answer(&["policy", "approvals", "--json"]);
    assert_eq!(approvals[0]["state"], "open");
    assert_eq!(approvals[0]["id"], approved["id"]);
    let id = approved["id"].as_str().expect("an id");
    let withdrawn = answer(&["policy", "withdraw", id, "--by=ada", "--json"]);
    assert_eq!(withdrawn["withdrawn"], approved["id"]);
}
