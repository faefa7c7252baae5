//! What the service writes is its owner's alone, whatever the umask, and it does not start where
//! others could have put something.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;
use test_support::process::{Charter, Home};
use test_support::service::{Anonymous, Persona as _};
use test_support::signed_client::Client;

fn mode(path: &Path) -> u32 {
    let found = fs::symlink_metadata(path).expect("it is there");
    found.permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
}

/// Everything below a directory, itself included, each with its permissions, by name.
fn walk(path: &Path, found: &mut Vec<(String, u32)>) {
    found.push((path.display().to_string(), mode(path)));
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a directory") {
            walk(&entry.expect("an entry").path(), found);
        }
    }
}

#[track_caller]
fn assert_private(data: &Path, expected: &[&str]) {
    let mut found = Vec::new();
    walk(data, &mut found);
    for (name, mode) in &found {
        let own = if Path::new(name).is_dir() {
            0o700
        } else {
            0o600
        };
        assert_eq!(*mode, own, "{name} has {mode:o}");
    }
    for name in expected {
        assert!(
            found.iter().any(|(path, _)| path.contains(name)),
            "no {name}: {found:#?}"
        );
    }
}

/// Reads, writes, and a mail.
async fn be_busy(charter: &Charter) {
    let mut client = Client::http1(charter.main);
    let body = r#"{"name": "Busy"}"#;
    let writer = charter.writer();
    for request in [
        writer.sign("GET", "/organizations/info", ""),
        writer.sign("PATCH", "/organizations/info", body),
        writer.sign("GET", "/accounts", ""),
    ] {
        client.send(&request).await;
    }
    let registered = json!({
        "orgName": "Busy", "orgSlug": "busy",
        "ownerEmail": "owner@busy.example", "ownerPassword": "correct horse battery staple",
    });
    let anonymous = Anonymous::at(charter.main);
    anonymous.post("/api/auth/register", registered).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_a_busy_service_leaves_is_its_owners_alone() {
    for umask in ["000", "022", "077", "177", "777"] {
        let home = Home::new().with_umask(umask);
        let charter = home.serve();
        be_busy(&charter).await;
        let written = [
            "charter.db",
            "charter.db-wal",
            "charter.db-shm",
            "audit-heads.jsonl",
            "decision-head.json",
            "decisions/decisions-",
            "replay/state.json",
            ".journal",
            "demo.env",
            "keys.toml",
        ];
        assert_private(&home.data(), &written);
        charter.stop();
        assert_private(&home.data(), &written[..1]);
    }
}

#[test]
fn readable_files_are_made_private_and_reported() {
    let home = Home::new();
    home.serve().stop();
    let data = home.data();
    let loose = [
        "charter.db",
        "audit-heads.jsonl",
        "demo.env",
        "decisions",
        "replay/state.json",
    ];
    for name in loose {
        set_mode(&data.join(name), 0o755);
    }
    set_mode(&data, 0o755);
    let charter = home.serve();
    for name in loose {
        let path = data.join(name);
        let own = if path.is_dir() || name != "demo.env" {
            0o700
        } else {
            0o600
        };
        assert_eq!(mode(&path) & 0o077, 0, "{name}");
        assert!(mode(&path) <= own, "{name}");
        let told = format!("{}\"", path.display());
        assert!(home.log().contains(&told), "{name}: {}", home.log());
    }
    assert_eq!(mode(&data), 0o700);
    charter.stop();
}

#[test]
fn a_directory_that_others_can_write_is_refused() {
    for mode in [0o770, 0o702, 0o777] {
        let home = Home::new();
        fs::create_dir(home.data()).expect("a directory");
        set_mode(&home.data(), mode);
        let refused = home.refused();
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(
            refused.err.contains("can be written by others"),
            "{refused:?}"
        );
        assert!(refused.err.contains("chmod go-w"), "{refused:?}");
    }
    // Whoever can rename the directory can put another in its place.
    let home = Home::new();
    let parent = home.file("parent");
    fs::create_dir(&parent).expect("a directory");
    set_mode(&parent, 0o777);
    let inside = parent.join("data").display().to_string();
    let home = home.with("CHARTER__DATA_DIR", &inside);
    let refused = home.refused();
    assert!(
        refused.err.contains("can be written by others"),
        "{refused:?}"
    );
}

#[test]
fn a_lock_file_of_somebody_else_does_not_stop_the_start() {
    let home = Home::new();
    home.serve().stop();
    for directory in ["decisions", "replay"] {
        let lock = home.data().join(directory).join("lock");
        fs::remove_file(&lock).ok();
        fs::write(&lock, "").expect("a file");
        // Only root can give a file away.
        if std::os::unix::fs::chown(&lock, Some(65_534), None).is_err() {
            return;
        }
        set_mode(&lock, 0o644);
    }
    let locks: Vec<_> = ["decisions", "replay"]
        .iter()
        .map(|directory| {
            let lock = fs::File::open(home.data().join(directory).join("lock")).expect("a file");
            lock.lock().expect("somebody holds it");
            lock
        })
        .collect();
    let charter = home.serve();
    // Two of ours still keep apart.
    let second = home.refused();
    assert!(second.err.contains("another"), "{second:?}");
    drop(locks);
    charter.stop();
}

#[test]
fn a_serving_process_leaves_no_core_dump() {
    let home = Home::new();
    let charter = home.serve();
    let limits = fs::read_to_string(format!("/proc/{}/limits", charter.id())).expect("its limits");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let core: Vec<_> = core.expect("a limit").split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"]);
    // Not even to a program that core_pattern names: the process is not dumpable, so its files in
    // /proc are root's, whoever runs it.
    charter.stop();
}
