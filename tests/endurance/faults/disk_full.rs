//! A disk of some MiB fills up, and has room again: a tmpfs in a mount namespace of its own, which
//! needs no privileges where the system lets users make namespaces.

use std::fs::File;
use std::io::Write as _;
use std::process::Command;

use test_support::client::get;
use test_support::process::Home;
use test_support::services::left_out;

use super::history::{History, recover};
use super::running::with_settings;

const TEST: &str = "faults::disk_full::on_a_small_disk";
/// Says to the child that its temporary directory is the small disk.
const CHILD: &str = "CHARTER_TEST_SMALL_DISK";

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
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let home = with_settings(Home::new());
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
        } else {
            ballast.set_len(0).expect("room");
            recover(&charter, &load).await;
            load.stop();
            history.add(load.ended().await);
            charter.stop();
        }
        history.verify(&home, round % 4 != 3).await;
    }
    let charter = home.serve();
    let load = history.go_on(&charter).await;
    load.wait_for(1).await;
    println!("{} writes acknowledged, all there", history.acknowledged());
}

#[test]
fn a_full_disk_loses_nothing() {
    let possible = Command::new("unshare").args(["-rm", "true"]).output();
    if !possible.is_ok_and(|possible| possible.status.success()) {
        return left_out("unshare, with the right to make namespaces");
    }
    let disk = tempfile::tempdir().expect("a directory");
    let script = "mount -t tmpfs -o size=24m tmpfs \"$TMPDIR\" && exec \"$@\"";
    let output = Command::new("unshare")
        .args(["-rm", "sh", "-c", script, "sh"])
        .arg(std::env::current_exe().expect("this binary"))
        .args(["--exact", TEST, "--ignored", "--nocapture"])
        .env("TMPDIR", disk.path())
        .env(CHILD, "1")
        .output()
        .expect("a child");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complaint}");
    assert!(said.contains("all there"), "{said}");
}
