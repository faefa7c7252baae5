//! `charter audit verify`: whoever edits the record of changes is found out.

use sea_orm::ConnectionTrait as _;
use test_support::services::connect;

use super::Installation;

/// An installation with some events, and the heads of its chains in the data directory.
fn with_events() -> Installation {
    let installation = Installation::migrated();
    for slug in ["acme", "other"] {
        let slug_argument = format!("--slug={slug}");
        installation.json(&["organization", "create", "--name=One", &slug_argument]);
        for name in ["--name=first", "--name=second"] {
            installation.json(&["key", "issue", slug, name]);
        }
    }
    installation
}

async fn tamper(installation: &Installation, statement: &str) {
    let connection = connect(&installation.home.database_url()).await;
    let done = connection
        .execute_unprepared(statement)
        .await
        .expect("done");
    assert!(done.rows_affected() > 0, "`{statement}` changed nothing");
    connection.close().await.expect("closed");
}

/// What is printed, without ids.
fn findings(installation: &Installation, code: i32) -> String {
    let outcome = installation.run(&["audit", "verify"]);
    assert_eq!(outcome.code, Some(code), "{outcome:?}");
    let redacted = |word: &str| {
        if word.starts_with("org-") {
            "org-…".to_owned()
        } else {
            word.to_owned()
        }
    };
    let lines = outcome
        .out
        .lines()
        .map(|line| line.split(' ').map(redacted).collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn an_intact_log_has_no_findings() {
    insta::assert_snapshot!(findings(&with_events(), 0), @"organizations: 2, events: 12, heads: 12, findings: 0");
}

#[tokio::test]
async fn tampering_with_the_log_is_found() {
    let acme = "organization_id = (SELECT id FROM organizations WHERE slug = 'acme')";
    for (what, statement) in [
        (
            "edited",
            format!("UPDATE audit_events SET actor = 'sa-somebody' WHERE sequence = 3 AND {acme}"),
        ),
        (
            "deleted",
            format!("DELETE FROM audit_events WHERE sequence = 2 AND {acme}"),
        ),
        (
            "tail_cut",
            format!("DELETE FROM audit_events WHERE sequence >= 5 AND {acme}"),
        ),
        (
            "all_of_one_deleted",
            format!("DELETE FROM audit_events WHERE {acme}"),
        ),
        (
            "moved",
            "UPDATE audit_events SET sequence = sequence + 10 WHERE sequence = 6".to_owned(),
        ),
    ] {
        let installation = with_events();
        tamper(&installation, &statement).await;
        insta::assert_snapshot!(what, findings(&installation, 1));
    }
}

#[tokio::test]
async fn heads_kept_elsewhere_show_a_tail_cut_everywhere() {
    let installation = with_events();
    let heads = installation.home.data().join("audit-heads.jsonl");
    let kept = installation.home.file("kept.jsonl");
    std::fs::copy(&heads, &kept).expect("a copy");
    tamper(&installation, "DELETE FROM audit_events WHERE sequence = 6").await;
    let text = std::fs::read_to_string(&heads).expect("the heads");
    let cut: String = text
        .split_inclusive('\n')
        .filter(|line| !line.contains(r#""sequence":6"#))
        .collect();
    std::fs::write(&heads, cut).expect("written");
    // The data directory alone can be made to agree; a copy kept elsewhere cannot.
    installation.run(&["audit", "verify"]).success();
    let kept = format!("--heads={}", kept.display());
    let outcome = installation.run(&["audit", "verify", &kept]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert_eq!(
        outcome.out.matches("cut off before 6").count(),
        2,
        "{}",
        outcome.out
    );
}

#[tokio::test]
async fn heads_that_are_not_there_are_named() {
    let installation = with_events();
    let outcome = installation.run(&["audit", "verify", "--heads=nowhere"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.err.contains("`nowhere`"), "{}", outcome.err);
    assert!(outcome.err.contains("`--heads`"), "{}", outcome.err);
    assert!(!outcome.err.contains("database.url"), "{}", outcome.err);
}

/// Members of an organization write it, an operator reads it.
#[tokio::test]
async fn control_characters_of_tenants_do_not_reach_the_terminal() {
    let installation = with_events();
    let changes = "{\"after\":{\"metadata\":{\"a\":\"\u{9b}31m\u{202e}é\"}}}";
    let edit = format!("UPDATE audit_events SET changes = '{changes}' WHERE sequence = 2");
    tamper(&installation, &edit).await;
    for json in [&["--json"][..], &[]] {
        let listed = installation.run(&[&["audit", "list", "acme"][..], json].concat());
        let listed = listed.success();
        assert!(listed.contains("\"\\u009b31m\\u202eé\""), "{listed}");
        assert!(!listed.contains(['\u{9b}', '\u{202e}']), "{listed}");
    }
    let listed = installation.json(&["audit", "list", "acme", "--json"]);
    let events = listed.as_array().expect("events");
    let edited = events.iter().find(|event| event["sequence"] == 2);
    let edited = edited.expect("the event");
    assert_eq!(
        edited["changes"]["after"]["metadata"]["a"],
        "\u{9b}31m\u{202e}é"
    );
}

#[tokio::test]
async fn an_unreadable_event_is_a_finding_and_hides_no_other() {
    let installation = with_events();
    let of = |slug: &str| format!("(SELECT id FROM organizations WHERE slug = '{slug}')");
    let (acme, other) = (of("acme"), of("other"));
    for edit in [
        format!("occurred_at = 'garbage' WHERE sequence = 1 AND organization_id = {acme}"),
        format!("actor = 'evil' WHERE sequence = 2 AND organization_id = {other}"),
    ] {
        tamper(&installation, &format!("UPDATE audit_events SET {edit}")).await;
    }
    let found = findings(&installation, 1);
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!(lines.len(), 3, "{found}");
    assert!(
        found.contains("event 1 of org-… cannot be read: "),
        "{found}"
    );
    assert!(
        found.contains("event 2 of org-… was changed, moved or inserted"),
        "{found}"
    );
    let outcome = installation.run(&["audit", "verify", "--json"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let report: serde_json::Value = serde_json::from_str(&outcome.out).expect("JSON");
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(2));

    let listed = installation.run(&["audit", "list", "acme", "--json"]);
    assert_eq!(listed.code, Some(1), "{listed:?}");
    let listed: serde_json::Value = serde_json::from_str(&listed.out).expect("JSON");
    let events = listed.as_array().expect("events");
    assert_eq!(events.len(), 6);
    assert_eq!(events[5]["sequence"], 1);
    assert!(events[5]["unreadable"].is_string(), "{}", events[5]);
    assert!(events[4]["actor"].is_string(), "{}", events[4]);
    installation.run(&["audit", "list", "other"]).success();
}
