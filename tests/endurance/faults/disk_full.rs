//! A small disk fills up, and has room again, in a mount namespace of its own: a tmpfs, which needs no privileges where
//! the system lets users make namespaces, and an ext4 on a loop device, where a sync means something.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use test_support::client::get;
use test_support::process::Home;
use test_support::services::left_out;
use test_support::services::private_postgres::PrivatePostgres;

use super::history::{History, recover};
use super::running::with_settings;

const TEST: &str = "faults::disk_full::on_a_small_disk";
/// Says to the child that its temporary directory is the small disk, and which database is on it.
const CHILD: &str = "CHARTER_TEST_SMALL_DISK";
const TMPFS: &str = "mount -t tmpfs -o size=24m tmpfs \"$TMPDIR\" && exec \"$@\"";
/// Without room that only root may use.
const EXT4: &str =
    "mkfs.ext4 -q -F -m 0 \"$IMAGE\" && mount -o loop \"$IMAGE\" \"$TMPDIR\" && exec \"$@\"";

/// Takes all room but so many bytes.
fn fill(ballast: &mut File, room: u64) {
    let block = [0; 4096];
    while ballast.write_all(&block).is_ok() {}
    let length = ballast.metadata().expect("a file").len();
    ballast
        .set_len(length.saturating_sub(room))
        .expect("shortened");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by another test, in a namespace of its own"]
async fn on_a_small_disk() {
    #[expect(
        clippy::disallowed_methods,
        reason = "a parent and its child process have no other way to talk"
    )]
    let Ok(database) = std::env::var(CHILD) else {
        return;
    };
    // Its server is on the small disk, too.
    let server = if database == "postgres" {
        PrivatePostgres::start(None).map(PrivatePostgres::durable)
    } else {
        None
    };
    let mut home = with_settings(Home::new());
    if let Some(server) = &server {
        home = home.with("CHARTER__DATABASE__URL", &server.own_url());
    }
    let mut history = History::default();
    for (round, room) in [0, 4, 16, 64, 0, 8, 32, 128].into_iter().enumerate() {
        let charter = home.serve();
        let load = history.go_on(&charter).await;
        load.wait_for(12).await;
        let mut ballast = File::create(home.file("ballast")).expect("a file");
        fill(&mut ballast, room * 1024);
        let before = load.refused();
        load.wait_until(|| load.refused() > before + 20).await;
        // Found by a look, of which there is one each two seconds.
        while get(charter.operations, "/readyz").await.json()["disk"]["status"] != "degraded" {
            tokio::task::yield_now().await;
        }
        if round % 4 == 3 {
            // Killed while it is full, and started when it is not.
            charter.kill();
            history.add(load.ended().await);
            drop(std::fs::remove_file(home.file("ballast")));
            if let Some(server) = &server {
                ballast.set_len(0).expect("room");
                server.recover();
            }
        } else {
            ballast.set_len(0).expect("room");
            // It may have ended itself.
            server.iter().for_each(PrivatePostgres::recover);
            recover(&charter, &load).await;
            load.stop();
            history.add(load.ended().await);
            charter.stop();
        }
        history.verify(&home, round % 4 != 3).await;
        println!("round {round}: {} writes", history.acknowledged());
    }
    let charter = home.serve();
    let load = history.go_on(&charter).await;
    load.wait_for(1).await;
    println!("{} writes acknowledged, all there", history.acknowledged());
}

/// Whether a namespace can be made with these arguments.
fn may_unshare(namespaces: &str, command: &[&str]) -> bool {
    let mut unshare = Command::new("unshare");
    let possible = unshare.arg(namespaces).args(command).output();
    possible.is_ok_and(|possible| possible.status.success())
}

fn run_on(disk: &str, namespaces: &str, image: &Path, database: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let output = Command::new("unshare")
        .args([namespaces, "sh", "-c", disk, "sh"])
        .arg(std::env::current_exe().expect("this binary"))
        .args(["--exact", TEST, "--ignored", "--nocapture"])
        .env("TMPDIR", directory.path())
        .env("IMAGE", image)
        .env(CHILD, database)
        .output()
        .expect("a child");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complaint}");
    assert!(said.contains("all there"), "{said}");
    println!("{said}");
}

#[test]
fn a_full_disk_loses_nothing() {
    if !may_unshare("-rm", &["true"]) {
        return left_out("unshare, with the right to make namespaces");
    }
    run_on(TMPFS, "-rm", Path::new(""), "sqlite");
}

/// With an image of so many MiB.
fn on_ext4(mebibytes: u64, database: &str) {
    let image = tempfile::NamedTempFile::new().expect("a file");
    let length = mebibytes * 1024 * 1024;
    image.as_file().set_len(length).expect("its length");
    let path = image.path().display().to_string();
    let trial = "mkfs.ext4 -q -F \"$1\" && mount -o loop \"$1\" /mnt";
    // Containers are seldom allowed to, whatever else they have.
    if !may_unshare("-m", &["sh", "-c", trial, "sh", &path]) {
        eprintln!("LEFT OUT: no loop device can be mounted here, a full ext4 was not tested");
        return;
    }
    run_on(EXT4, "-m", image.path(), database);
}

#[test]
#[ignore = "minutes: eight times full"]
fn a_full_ext4_loses_nothing_in_full() {
    on_ext4(32, "sqlite");
}

#[test]
#[ignore = "minutes: eight times full"]
fn a_full_ext4_with_postgres_loses_nothing_in_full() {
    on_ext4(192, "postgres");
}
