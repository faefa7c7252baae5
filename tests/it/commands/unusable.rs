//! Databases and disks that cannot be used: commands name the cause and what to do about it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use test_support::process::{Home, Outcome};
use test_support::services::{TestDatabase, left_out};

use super::Installation;

/// A user that owns none of the tests' files.
const NOBODY: u32 = 65_534;

fn outcome(mut command: Command) -> Outcome {
    let output = command.output().expect("the binary runs");
    Outcome {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

/// The command in a mount namespace of its own, after this script; `$0` is the data directory.
fn with_mount(installation: &Installation, script: &str, arguments: &[&str]) -> Outcome {
    let wanted = installation.home.command(arguments);
    let mut command = Command::new("unshare");
    let script = format!("{script} && exec \"$@\"");
    command.args(["-rm", "sh", "-c", &script]);
    command.arg(installation.home.data());
    command.arg(wanted.get_program()).args(wanted.get_args());
    for (name, value) in wanted.get_envs() {
        command.env(name, value.expect("a value"));
    }
    outcome(command)
}

#[test]
fn a_full_and_a_read_only_disk_are_told_by_check_and_serve() {
    let possible = Command::new("unshare").args(["-rm", "true"]).output();
    if !possible.is_ok_and(|possible| possible.status.success()) {
        return left_out("unshare, with the right to make namespaces");
    }
    let installation = Installation::in_home(Home::new().with("CHARTER__POLICIES__PROOFS", "off"));
    fs::create_dir(installation.home.data()).expect("a directory");
    let config = installation.config.as_str();
    let full = "mount -t tmpfs -o size=256k,mode=700 tmpfs \"$0\" && { cat /dev/zero > \"$0/ballast\" 2> /dev/null; true; }";
    let read_only = "mount -t tmpfs -o ro,mode=700 tmpfs \"$0\"";
    for (script, cause) in [
        (full, "No space left on device"),
        (read_only, "Read-only file system"),
    ] {
        let checked = with_mount(&installation, script, &["check", config]);
        assert_eq!(checked.code, Some(2), "{checked:?}");
        let told = format!(
            "`{}` cannot be used: {cause}",
            installation.home.data().display()
        );
        assert!(checked.err.contains(&told), "{checked:?}");
        let served = with_mount(&installation, script, &["serve", config]);
        assert_eq!(served.code, Some(2), "{served:?}");
        assert!(served.err.contains(cause), "{served:?}");
        // Neither is over in a moment.
        assert!(
            !served.err.contains("waiting for the database"),
            "{served:?}"
        );
        assert!(!served.err.contains("reachable"), "{served:?}");
        let migrate = ["migrate", config, "up"];
        let migrated = with_mount(&installation, script, &migrate);
        assert_eq!(migrated.code, Some(2), "{migrated:?}");
        assert!(migrated.err.contains(cause), "{migrated:?}");
    }
    // The log of decisions has a disk of its own.
    let home = Home::new().with("CHARTER__POLICIES__PROOFS", "off");
    let decisions = installation.home.data().display().to_string();
    let apart = Installation::in_home(home.with("CHARTER__DECISIONS__DIR", &decisions));
    let script = full.replace("$0", &decisions);
    fs::create_dir(apart.home.data()).expect("a directory");
    let checked = with_mount(&apart, &script, &["check", &apart.config]);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    let told = format!("`{decisions}` cannot be written: No space left on device");
    assert!(checked.err.contains(&told), "{checked:?}");
}

fn open_to_all(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

/// What root has created before the first start, for example.
#[test]
fn a_database_of_another_user_is_told_with_its_owner() {
    let installation = Installation::migrated();
    let database = installation.home.data().join("charter.db");
    let mut command = installation.home.command(&["serve", &installation.config]);
    if rustix::process::geteuid().is_root() {
        chown(installation.home.data(), Some(NOBODY), Some(NOBODY)).expect("given away");
        open_to_all(&installation.home.file(""), 0o755);
        open_to_all(&installation.home.file("charter.toml"), 0o644);
        command.uid(NOBODY).gid(NOBODY);
    } else {
        open_to_all(&database, 0o000);
    }
    let refused = outcome(command);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let told = format!("`{}`: Permission denied", database.display());
    assert!(refused.err.contains(&told), "{refused:?}");
    let owner = rustix::process::geteuid().as_raw();
    let told = format!("belongs to the user {owner}");
    assert!(refused.err.contains(&told), "{refused:?}");
    assert!(
        !refused.err.contains("waiting for the database"),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_the_connection_is_told_with_what_to_correct() {
    let Some(database) = TestDatabase::empty_postgres().await else {
        return;
    };
    let (server, query) = database.url().split_once('?').expect("a query");
    let (server, _) = server.rsplit_once('/').expect("a name");
    let url = format!("{server}/none-such?{query}");
    let home = Home::new().with("CHARTER__DATABASE__URL", &url);
    let installation = Installation::in_home(home);
    let refused = installation.run(&["organization", "list"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let told = "its server refuses the connection: database \"none-such\" does not exist; create the database, or \
                correct `database.url`";
    assert!(refused.err.contains(told), "{refused:?}");
    drop(database);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_another_process_has_locked_is_told() {
    use sea_orm::{ConnectionTrait as _, TransactionTrait as _};

    let installation = Installation::migrated();
    let other = test_support::services::connect(&installation.home.database_url()).await;
    let held = other.begin().await.expect("a transaction");
    let write = "UPDATE organizations SET name = name";
    held.execute_unprepared(write).await.expect("the lock");
    let create = ["organization", "create", "--name=Acme", "--slug=acme"];
    let refused = tokio::task::block_in_place(|| installation.run(&create));
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let told = "database is locked; another process holds its lock";
    assert!(refused.err.contains(told), "{refused:?}");
    held.rollback().await.expect("let go");
}

#[test]
fn keys_that_every_user_can_read_are_noted() {
    let installation = Installation::in_home(Home::new().with("CHARTER__POLICIES__PROOFS", "off"));
    let file = installation.home.file("charter.toml");
    for (mode, is_noted) in [(0o600, false), (0o640, false), (0o644, true)] {
        open_to_all(&file, mode);
        let out = installation.run(&["check"]).success();
        let told = format!("can read the keys in `{}`", file.display());
        assert_eq!(out.contains(&told), is_noted, "{mode:o}: {out}");
    }
}
