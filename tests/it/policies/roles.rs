//! What roles gain and lose by an edit, as `charter policy diff` and `approve` show it.

use std::process::Command;

use charter_policy::diff::{RoleChanges, role_changes};
use serde_json::Value;
use test_support::policy_solver::{Edited, solver};
use test_support::policy_world::{now, shipped};

const BINARY: &str = env!("CARGO_BIN_EXE_charter");

fn changes(edited: &Edited) -> RoleChanges {
    role_changes(&Edited::new().load(), &edited.load(), now()).expect("two tables")
}

/// An admin may read decisions; there are auditors, who read; members no longer list keys.
fn edited() -> Edited {
    Edited::new()
        .replace(
            "schema.cedarschema",
            "enum [\"owner\", \"admin\", \"member\"]",
            "enum [\"owner\", \"admin\", \"member\", \"auditor\"]",
        )
        .replace(
            "roles.cedar",
            "   Action::\"team:RemoveMember\",\n   Action::\"decisions:GetDecision\",",
            "   Action::\"team:RemoveMember\",",
        )
        .write(
            "extra.cedar",
            "@id(\"auditors\")\npermit (principal is User in Role::\"auditor\", action in Action::\"reads\", resource);\n\
             @id(\"keys\")\nforbid (principal in Role::\"member\", action == Action::\"service-accounts:ListKeys\", resource);\n",
        )
}

#[test]
fn role_changes_are_a_table() {
    insta::assert_snapshot!(changes(&edited()).to_string());
}

#[test]
fn an_edit_without_effect_on_roles_says_so() {
    let edited = Edited::new().write(
        "extra.cedar",
        "@id(\"extra\")\nforbid (principal == ServiceAccount::\"sa-00000000000000000000000002\", action, resource);\n",
    );
    let changes = changes(&edited).to_string();
    assert_eq!(changes, "roles: none gains or loses a permission\n");
}

#[test]
fn the_whole_table_is_there_for_machines() {
    let document = changes(&edited()).document();
    let rows = document.as_array().expect("rows");
    let row = |permission: &str| {
        let row = rows.iter().find(|row| row["permission"] == permission);
        row.expect("a row")["roles"].as_array().expect("roles")
    };
    let is = |permission: &str, holder: &str, role: &str| {
        let cells = row(permission).iter();
        let mut cells = cells.filter(|cell| cell["holder"] == holder && cell["role"] == role);
        cells.next().map(|cell| cell["is"].clone())
    };
    let decisions = "decisions:GetDecision";
    for (permission, holder, role, wanted) in [
        (decisions, "person", "admin", Some("gained")),
        (decisions, "service account", "admin", Some("gained")),
        (decisions, "person", "owner", Some("may-not")),
        (decisions, "service account", "auditor", Some("may-not")),
        (
            "service-accounts:ListKeys",
            "person",
            "member",
            Some("lost"),
        ),
        ("service-accounts:ListKeys", "person", "owner", Some("may")),
        // Programs are not asked about the team.
        ("team:ListMembers", "service account", "owner", None),
    ] {
        let wanted = wanted.map(Value::from);
        assert_eq!(
            is(permission, holder, role),
            wanted,
            "{permission} {holder} {role}"
        );
    }
}

#[test]
fn the_command_shows_the_table_behind_what_widens() {
    if solver().is_none() {
        return;
    }
    let edited = edited();
    let run = |more: &[&str]| {
        let output = Command::new(BINARY)
            .args(["policy", "diff"])
            .args([shipped(), edited.path().to_owned()])
            .args(more)
            .output()
            .expect("the binary runs");
        assert_eq!(output.status.code(), Some(3));
        String::from_utf8(output.stdout).expect("text")
    };
    let text = run(&[]);
    let table = changes(&edited).to_string();
    let first_line = table.lines().next().expect("a line");
    assert!(text.contains(first_line), "{text}");
    assert!(
        text.contains("decisions:GetDecision · Organization"),
        "{text}"
    );
    let document: Value = serde_json::from_str(&run(&["--json"])).expect("JSON");
    assert_eq!(document["roles"], changes(&edited).document());
}
