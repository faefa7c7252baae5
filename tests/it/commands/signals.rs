//! Signals while the service starts: nothing but a request to stop ends it, and that one does so cleanly.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use test_support::process::Home;

fn send(signal: &str, process: u32) {
    let status = Command::new("kill")
        .args([signal, &process.to_string()])
        .status()
        .expect("kill runs");
    assert!(status.success(), "{signal}");
}

#[test]
fn a_signal_during_the_start_ends_it_only_if_it_asks_for_that_and_cleanly() {
    for stop in ["-TERM", "-INT"] {
        // A database that takes the connection and never answers: the start is under way.
        let database = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!(
            "postgres://nobody@{}/nothing",
            database.local_addr().expect("an address")
        );
        let home = Home::new()
            .with("CHARTER__DATABASE__URL", &url)
            .with("CHARTER__DATABASE__ACQUIRE_TIMEOUT", "60s");
        let child = home
            .command(&["serve", "--demo"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("charter starts");
        let connection = database.accept().expect("it asks for its database");
        for signal in ["-HUP", "-USR1", "-USR2", stop] {
            send(signal, child.id());
        }
        let output = child.wait_with_output().expect("its end");
        drop(connection);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{stop}: {told}");
        assert!(told.contains("before the start was complete"), "{told}");
        assert!(output.stdout.is_empty(), "it never listened");
    }
}
