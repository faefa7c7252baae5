//! `charter migrate`.

use sea_orm::ConnectionTrait as _;
use test_support::process::Home;
use test_support::services::{TestDatabase, connect};

use super::Installation;

#[test]
fn the_schema_goes_up_and_down_and_tells_where_it_is() {
    let installation = Installation::new();
    let status = || installation.run(&["migrate", "status"]).success();
    let pending = status();
    assert!(pending.lines().count() >= 2);
    assert!(
        pending.lines().all(|line| line.starts_with("pending  m")),
        "{pending}"
    );
    let up = installation.run(&["migrate", "up"]).success();
    assert_eq!(up, pending.replace("pending", "applied"));
    // Once more changes nothing.
    assert_eq!(installation.run(&["migrate", "up"]).success(), up);
    let unconfirmed = installation.run(&["migrate", "down"]);
    assert_eq!(unconfirmed.code, Some(1));
    assert!(unconfirmed.err.contains("`--yes`"), "{unconfirmed:?}");
    assert_eq!(status(), up, "nothing happened");
    let down = installation.run(&["migrate", "down", "--yes"]).success();
    assert_eq!(
        down.lines()
            .filter(|line| line.starts_with("pending"))
            .count(),
        1
    );
    assert!(
        down.lines().last().expect("lines").starts_with("pending"),
        "{down}"
    );
    let all = up.lines().count().to_string();
    assert_eq!(
        installation
            .run(&["migrate", "down", &all, "--yes"])
            .success(),
        pending
    );
    assert_eq!(status(), pending);
}

#[test]
fn operators_commands_make_no_database() {
    let installation = Installation::new();
    let outcome = installation.run(&["organization", "list"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(
        outcome.err.contains("cannot find the database"),
        "{outcome:?}"
    );
    assert!(!installation.home.data().join("charter.db").exists());
}

#[test]
fn operators_commands_ask_for_the_schema_first() {
    let installation = Installation::new();
    installation.run(&["migrate", "status"]).success();
    for command in [
        ["organization", "list"].as_slice(),
        &["organization", "create", "--name=Acme", "--slug=acme"],
        &["key", "issue", "acme", "--name=robot"],
        &["audit", "verify"],
    ] {
        let outcome = installation.run(command);
        assert_eq!(outcome.code, Some(2), "{command:?}: {outcome:?}");
        assert_eq!(
            outcome.err,
            "charter: the database's schema is not up to date: run `charter migrate up` first\n"
        );
    }
}

#[test]
fn a_command_and_a_stopped_service_leave_the_database_in_one_file() {
    let installation = Installation::migrated();
    let log = installation.home.data().join("charter.db-wal");
    assert!(!log.exists(), "after `migrate up`");
    let acme = ["organization", "create", "--name=Acme", "--slug=acme"];
    installation.run(&acme).success();
    assert!(!log.exists(), "after `organization create`");
    let again = installation.run(&acme);
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(!log.exists(), "after a command that failed");
    let service = installation.serve();
    let other = ["organization", "create", "--name=Other", "--slug=other"];
    installation.run(&other).success();
    assert!(log.exists(), "the service has it open");
    service.stop();
    assert!(!log.exists(), "after the service");
}

#[test]
fn the_schema_is_not_taken_from_under_a_server() {
    let installation = Installation::migrated();
    let service = installation.serve();
    let down = ["migrate", "down", "--yes"];
    let refused = installation.run(&down);
    assert_eq!(refused.code, Some(1));
    assert_eq!(
        refused.err,
        "charter: a server is running on this database, stop it first\n"
    );
    service.kill();
    installation.run(&down).success();
}

#[test]
fn a_schema_from_a_newer_version_is_refused_by_everything() {
    let installation = Installation::migrated();
    let insert = "INSERT INTO seaql_migrations VALUES ('m29990101_000001_later', 1)";
    tokio::runtime::Runtime::new()
        .expect("a runtime")
        .block_on(async {
            let raw = connect(&installation.home.database_url()).await;
            raw.execute_unprepared(insert).await.expect("inserted");
            raw.close().await.expect("closed");
        });
    for command in [
        ["check"].as_slice(),
        &["migrate", "status"],
        &["migrate", "up"],
        &["migrate", "down", "--yes"],
        &["organization", "list"],
        &["serve"],
    ] {
        let outcome = installation.run(command);
        assert_eq!(outcome.code, Some(2), "{command:?}: {outcome:?}");
        let said = "schema is newer than this program: it has `m29990101_000001_later`";
        assert!(outcome.err.contains(said), "{command:?}: {outcome:?}");
    }
}

test_support::on_both_engines![the_version_before_serves_on_a_schema_that_lets_it];

/// What a version after this one may do: it adds, and says that this one may run.
async fn the_version_before_serves_on_a_schema_that_lets_it(database: TestDatabase) {
    let url = database.url().to_owned();
    let home = Home::on(database).with("CHARTER__POLICIES__PROOFS", "off");
    let installation = Installation::in_home(home);
    let up = installation.run(&["migrate", "up"]).success();
    let newest = up.lines().last().expect("a line").split_whitespace().last();
    let raw = connect(&url).await;
    for statement in [
        "INSERT INTO seaql_migrations VALUES ('m29990101_000001_later', 1)".to_owned(),
        format!(
            "INSERT INTO compatible_migrations VALUES ('m29990101_000001_later', '{}')",
            newest.expect("a name")
        ),
        "ALTER TABLE organizations ADD COLUMN later text".to_owned(),
        "ALTER TABLE audit_events ADD COLUMN later text NOT NULL DEFAULT 'none'".to_owned(),
        "CREATE TABLE later (id bigint PRIMARY KEY)".to_owned(),
    ] {
        let done = raw.execute_unprepared(&statement).await;
        done.unwrap_or_else(|error| panic!("`{statement}`: {error}"));
    }
    raw.close().await.expect("closed");
    tokio::task::spawn_blocking(move || {
        let service = installation.serve();
        let create = ["organization", "create", "--name=Acme", "--slug=acme"];
        installation.json(&create);
        assert!(
            installation
                .home
                .log()
                .contains("a later version has migrated the database; it lets this one run")
        );
        service.stop();
        // And once more, as a replica that restarts in mid-upgrade.
        installation.serve().stop();
        let document = installation.json(&["check", "--json"]);
        let parts = document["parts"].as_array().expect("parts");
        let part = parts.iter().find(|part| part["name"] == "database");
        let notes = part.expect("a part")["notes"].to_string();
        assert!(
            notes.contains("up to `m29990101_000001_later`, and lets this one run"),
            "{notes}"
        );
        let status = installation.run(&["migrate", "status"]).success();
        assert_eq!(status, format!("{up}later  m29990101_000001_later\n"));
        let down = installation.run(&["migrate", "down", "--yes"]);
        assert_eq!(down.code, Some(2), "{down:?}");
        assert!(
            down.err.contains("run the version that made it"),
            "{down:?}"
        );
    })
    .await
    .expect("no panic");
}

#[test]
fn keys_of_another_database_are_said_to_be_and_nothing_starts() {
    let installation = Installation::migrated();
    // With a secret that the others' keys do not open.
    installation.json(&["organization", "create", "--name=Acme", "--slug=acme"]);
    let permission = "--permission=organizations:GetOrganization";
    installation.json(&["key", "issue", "acme", "--name=robot", permission]);
    installation.serve().stop();
    let others = Installation::new();
    let config = &*others.config;
    for command in [
        ["serve", config].as_slice(),
        &["check", config],
        &[
            "organization",
            config,
            "create",
            "--name=Acme",
            "--slug=acme",
        ],
    ] {
        let refused = installation.home.run(command);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        let said = "do not belong to this database";
        assert_eq!(refused.err.matches(said).count(), 1, "{refused:?}");
        assert!(refused.err.lines().count() <= 2, "{refused:?}");
    }
    installation.serve().stop();
}
