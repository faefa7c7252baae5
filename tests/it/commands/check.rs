//! `charter check`: what keeps `serve` from starting, said beforehand and without a trace.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use test_support::policy_world::{copy_of_shipped, whole_copy_of_shipped};
use test_support::process::{Charter, Home, Outcome};
use test_support::services::TestDatabase;

use super::Installation;

pub(super) const EXPIRES_SOON: (&str, &str) = ("CHARTER__REPLAY__LEASE", "1s");

/// Proofs are what takes long of a start; where they are not what is asked about, there are none.
pub(super) fn unproved() -> Home {
    Home::new().with("CHARTER__POLICIES__PROOFS", "off")
}

/// What is in a directory: names, contents, permissions and times of change.
fn all_of(directory: &Path) -> BTreeMap<String, (Vec<u8>, u32, i64)> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            let about = fs::metadata(&path).expect("there");
            let content = if about.is_dir() {
                open.push(path.clone());
                Vec::new()
            } else {
                fs::read(&path).expect("readable")
            };
            let name = path.display().to_string();
            found.insert(name, (content, about.mode(), about.mtime_nsec()));
        }
    }
    found
}

#[track_caller]
fn assert_same(
    before: &BTreeMap<String, (Vec<u8>, u32, i64)>,
    after: &BTreeMap<String, (Vec<u8>, u32, i64)>,
) {
    let names = |all: &BTreeMap<String, _>| all.keys().cloned().collect::<Vec<String>>();
    assert_eq!(names(before), names(after));
    for (name, content) in before {
        assert!(after[name] == *content, "{name} has changed");
    }
}

impl Installation {
    fn with(&self, command: &str, settings: &[(&str, &str)]) -> Outcome {
        let mut command = self.home.command(&[command, &self.config]);
        let output = command.envs(settings.iter().copied()).output();
        let output = output.expect("the binary runs");
        Outcome {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// `serve` does not start with these settings, and `check` says why with its words.
    #[track_caller]
    pub(super) fn assert_foretold(&self, settings: &[(&str, &str)]) {
        let served = self.with("serve", settings);
        assert_eq!(served.code, Some(2), "{settings:?}: {served:?}");
        let paragraph = served
            .err
            .split_once("charter: ")
            .expect("a paragraph")
            .1
            .trim_end();
        let checked = self.with("check", settings);
        assert_eq!(checked.code, Some(2), "{settings:?}: {checked:?}");
        assert!(
            checked.err.contains(paragraph),
            "{settings:?}\nserve says: {paragraph}\ncheck says: {}",
            checked.err
        );
    }
}

fn signal(service: &Charter, signal: &str) {
    let process = service.id().to_string();
    let status = Command::new("kill").args([signal, &process]).status();
    assert!(status.expect("kill runs").success());
}

/// Else every start on another machine, and every check, would wait for a holder that is gone.
#[test]
fn a_start_that_failed_gives_the_database_back() {
    let installation = Installation::in_home(unproved().with("CHARTER__POLICIES__TESTS", "off"));
    let failed = installation.with("serve", &[("CHARTER__DECISIONS__MASK", "context.sourceip")]);
    assert_eq!(failed.code, Some(2), "{failed:?}");
    let log = installation.home.data().join("charter.db-wal");
    assert!(!log.exists(), "the file alone is the database");
    let checked = installation.with("check", &[]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let all = checked.out + &checked.err;
    assert!(all.contains("held by nobody"), "{all}");
    assert!(
        !all.contains("has ended without releasing the lease"),
        "{all}"
    );
}

#[test]
fn missing_settings_are_reported_as_by_serve() {
    let home = unproved()
        .with("CHARTER__POLICIES__TESTS", "off")
        .with("CHARTER__DATABASE__START_TIMEOUT", "0s");
    let installation = Installation::in_home(home);
    let inside_a_file = format!(
        "{}/data",
        installation.config.trim_start_matches("--config=")
    );
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().map(|it| (it.to_string(), taken));
    let (taken, _held) = taken.expect("an address");
    for (name, value) in [
        ("CHARTER__LOG__LEVEL", "charter=loud"),
        ("CHARTER__LOG__LEVEL", "chartr=debug"),
        ("CHARTER__LOG__LEVEL", "charter[span]=info"),
        ("CHARTER__DATA_DIR", &inside_a_file),
        ("CHARTER__DECISIONS__DIR", &inside_a_file),
        ("CHARTER__DECISIONS__MASK", "secrets"),
        ("CHARTER__DECISIONS__MASK", "context.sourceip"),
        ("CHARTER__DECISIONS__MASK", "entities.Userr.is_active"),
        ("CHARTER__DECISIONS__MASK", "entities.User.emial_verified"),
        ("CHARTER__POLICIES__DIR", "nowhere"),
        ("CHARTER__POLICIES__SHADOW", "nowhere"),
        ("CHARTER__POLICIES__MANIFEST", "required"),
        ("CHARTER__MAIL__FROM", "nobody"),
        ("CHARTER__MAIL__FROM", "Charter <ада@example.com>"),
        ("CHARTER__MAIL__HELO", "127.0.0.1"),
        ("CHARTER__MAIL__HELO", "charter..example.com"),
        ("CHARTER__MAIL__HELO", "-charter.example.com"),
        ("CHARTER__SERVER__LISTEN", &taken),
        ("CHARTER__SERVER__OPS_LISTEN", &taken),
        ("CHARTER__DATABASE__URL", "sqlite:///nowhere/charter.db"),
        ("CHARTER__DATABASE__URL", "sqlite://file:memory"),
        (
            "CHARTER__DATABASE__URL",
            "postgres://charter:hunter22@127.0.0.1:1/none",
        ),
        ("CHARTER__REPLAY__STORE", "redis"),
    ] {
        installation.assert_foretold(&[(name, value)]);
    }
    installation.assert_foretold(&[
        ("CHARTER__POLICIES__SOLVER", "/nowhere/cvc5"),
        ("CHARTER__POLICIES__PROOFS", "auto"),
    ]);
}

#[test]
fn unknown_masked_fields_get_a_suggestion() {
    let installation = Installation::in_home(unproved().with("CHARTER__POLICIES__TESTS", "off"));
    for (masked, meant) in [
        ("context.sourceip", "context.source_ip"),
        ("entities.Userr.is_active", "entities.User.is_active"),
        (
            "entities.User.emial_verified",
            "entities.User.email_verified",
        ),
    ] {
        let checked = installation.with("check", &[("CHARTER__DECISIONS__MASK", masked)]);
        let told = format!("`{masked}` is nothing that the schema declares; is `{meant}` meant?");
        assert!(checked.err.contains(&told), "{}", checked.err);
    }
    let shadow = installation.with("check", &[("CHARTER__POLICIES__SHADOW", "nowhere")]);
    assert!(
        shadow.err.contains("the setting `policies.shadow`"),
        "{}",
        shadow.err
    );
    let all = "principal,context,context.now,entities,entities.Organization.plan_tier";
    let checked = installation.with("check", &[("CHARTER__DECISIONS__MASK", all)]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

#[test]
fn no_keys_a_wide_open_directory_and_the_keys_of_another_database_are_told() {
    let installation = Installation::in_home(unproved());
    installation.serve().stop();
    let others = Installation::new();
    let foreign = Installation {
        home: installation.home,
        config: others.config,
    };
    foreign.assert_foretold(&[]);
    let open = Installation::in_home(unproved());
    let wide = open.home.file("wide");
    fs::create_dir(&wide).expect("a directory");
    fs::set_permissions(&wide, fs::Permissions::from_mode(0o777)).expect("permissions");
    open.assert_foretold(&[("CHARTER__DATA_DIR", &wide.display().to_string())]);
    let mode = fs::metadata(&wide).expect("there").mode() & 0o777;
    assert_eq!(mode, 0o777, "it is left as it is");
    let bare = Home::new();
    let none = bare.file("none.toml");
    fs::write(&none, "").expect("a file");
    let bare = Installation {
        config: format!("--config={}", none.display()),
        home: bare,
    };
    bare.assert_foretold(&[]);
}

#[test]
fn options_of_sqlite_that_no_service_could_run_with_are_refused() {
    let installation = Installation::in_home(unproved());
    installation.run(&["migrate", "up"]).success();
    let file = installation.home.data().join("charter.db");
    // Also where nothing is yet.
    let new = Installation::in_home(unproved());
    for options in ["mode=ro", "mode=memory", "immutable=true", "cache=shared"] {
        let url = format!("sqlite://{}?{options}", file.display());
        installation.assert_foretold(&[("CHARTER__DATABASE__URL", &url)]);
        let url = format!("sqlite://{{data_dir}}/charter.db?{options}");
        let checked = new.with("check", &[("CHARTER__DATABASE__URL", &url)]);
        assert_eq!(checked.code, Some(2), "{checked:?}");
    }
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let checked = installation.with("check", &[("CHARTER__DATABASE__URL", &url)]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

#[test]
fn policies_pass_every_gate_or_are_told_with_what_is_wrong() {
    let installation = Installation::in_home(unproved());
    let broken = copy_of_shipped();
    let text = "permit (principal, action, resource)\nwhen { principal.is_active = true };\n";
    fs::write(broken.path().join("extra.cedar"), text).expect("a policy");
    let permissive = whole_copy_of_shipped();
    let text = "@id(\"all\")\npermit (principal, action, resource);\n";
    fs::write(permissive.path().join("all.cedar"), text).expect("a policy");
    for folder in [&broken, &permissive] {
        let dir = folder.path().display().to_string();
        installation.assert_foretold(&[("CHARTER__POLICIES__DIR", &dir)]);
    }
    let dir = permissive.path().display().to_string();
    let proved = installation.with(
        "check",
        &[
            ("CHARTER__POLICIES__DIR", &dir),
            ("CHARTER__POLICIES__TESTS", "off"),
            ("CHARTER__POLICIES__PROOFS", "required"),
            ("PATH", "/usr/bin:/bin"),
        ],
    );
    assert_eq!(proved.code, Some(2), "{proved:?}");
    assert!(proved.err.contains("proofs:"), "{}", proved.err);
}

#[test]
fn every_fault_is_named_at_once() {
    let installation = Installation::in_home(unproved());
    let settings = [
        ("CHARTER__POLICIES__DIR", "nowhere"),
        ("CHARTER__DECISIONS__MASK", "secrets"),
    ];
    let checked = installation.with("check", &settings);
    assert_eq!(checked.code, Some(2));
    assert!(checked.err.contains("2 faults:\n- "), "{}", checked.err);
    for told in ["`nowhere`", "`decisions.mask`"] {
        assert!(checked.err.contains(told), "{}", checked.err);
    }
    assert!(checked.out.contains("policies   fault "), "{}", checked.out);
    assert!(checked.out.contains("database   ok "), "{}", checked.out);
}

#[test]
fn a_new_installation_is_checked_and_nothing_is_made() {
    let installation = Installation::in_home(unproved());
    let out = installation.run(&["check"]).success();
    assert!(!installation.home.data().exists());
    let document = installation.json(&["check", "--json"]);
    assert!(!installation.home.data().exists());
    assert_eq!(document["ok"], true);
    let part = |name: &str| {
        let parts = document["parts"].as_array().expect("parts");
        let part = parts.iter().find(|part| part["name"] == name);
        part.unwrap_or_else(|| panic!("no {name} in {document}"))
            .clone()
    };
    let config = installation.config.trim_start_matches("--config=");
    assert_eq!(
        part("settings")["facts"]["files"],
        Value::from(vec![config])
    );
    let digest = part("policies")["facts"]["digest"].clone();
    let digest = digest.as_str().expect("a digest");
    assert!(out.contains(digest), "{out}");
    assert!(out.contains("a start creates it"), "{out}");
    let demo = unproved();
    let out = demo.run(&["check", "--demo"]).success();
    assert!(out.contains("keys.toml"), "{out}");
    assert!(!demo.data().exists());
}

#[test]
fn a_check_beside_a_service_changes_no_file_and_passes() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    drop(taken);
    let home = unproved()
        .with("CHARTER__SERVER__LISTEN", &address)
        .with(EXPIRES_SOON.0, EXPIRES_SOON.1);
    let installation = Installation::in_home(home);
    let service = installation.serve();
    let beside = installation.json(&["check", "--json"]);
    let part = |name: &str| {
        let parts = beside["parts"].as_array().expect("parts");
        let part = parts.iter().find(|part| part["name"] == name);
        part.expect("a part").clone()
    };
    let lease = part("service")["facts"]["lease"].to_string();
    let holder = format!("running service, process {} on", service.id());
    assert!(lease.contains(&holder), "{lease}");
    let note = part("listeners")["notes"][0].to_string();
    assert!(note.contains(&address), "{note}");
    assert!(!note.contains("free addresses"), "{note}");
    let acme = ["organization", "create", "--name=Acme", "--slug=acme"];
    installation.run(&acme).success();
    // What the service itself writes is none of the check's.
    signal(&service, "-STOP");
    let before = all_of(&installation.home.data());
    let log = installation.home.data().join("charter.db-wal");
    assert!(fs::metadata(log).expect("the log").len() > 0);
    let checked = installation.run(&["check"]);
    let after = all_of(&installation.home.data());
    signal(&service, "-CONT");
    assert_same(&before, &after);
    // One that does not move for a lease's time is taken for dead, and its port is still in use.
    assert_eq!(checked.code, Some(2), "{checked:?}");
    service.stop();
    let before = all_of(&installation.home.data());
    installation.run(&["check"]).success();
    assert_same(&before, &all_of(&installation.home.data()));
}

#[test]
fn the_state_of_a_killed_service_is_read_and_left() {
    let home = unproved().with(EXPIRES_SOON.0, EXPIRES_SOON.1);
    let installation = Installation::in_home(home);
    let service = installation.serve();
    let acme = ["organization", "create", "--name=Acme", "--slug=acme"];
    installation.run(&acme).success();
    service.kill();
    let before = all_of(&installation.home.data());
    let out = installation.run(&["check"]).success();
    assert!(
        out.contains("has ended without releasing the lease"),
        "{out}"
    );
    assert_same(&before, &all_of(&installation.home.data()));
    installation.serve().stop();
}

#[tokio::test]
async fn on_postgresql_pending_migrations_are_named_and_stay_pending() {
    let Some(database) = TestDatabase::empty_postgres().await else {
        return;
    };
    tokio::task::spawn_blocking(move || {
        let installation =
            Installation::in_home(Home::on(database).with("CHARTER__POLICIES__PROOFS", "off"));
        for _ in 0..2 {
            let document = installation.json(&["check", "--json"]);
            let parts = document["parts"].as_array().expect("parts");
            let part = parts.iter().find(|part| part["name"] == "database");
            let facts = &part.expect("a part")["facts"];
            let pending = facts["pending_migrations"].as_array().expect("names");
            assert_eq!(pending[0], "m20260901_000001_tenants");
            let url = facts["url"].as_str().expect("an address");
            assert!(url.starts_with("postgres"), "{url}");
        }
        installation.run(&["migrate", "up"]).success();
        let out = installation.run(&["check"]).success();
        assert!(!out.contains("pending"), "{out}");
    })
    .await
    .expect("no panic");
}
