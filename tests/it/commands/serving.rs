//! A service as its supervisor has it: signals, a log that nobody reads, too few files.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, Stdio};

use charter_domain::timestamp;
use test_support::client::{Client, get, send};
use test_support::process::Home;
use test_support::signed_client;

use crate::edge::memory::Unreading;

/// A running process and where it listens.
struct Running {
    child: Child,
    main: SocketAddr,
    operations: SocketAddr,
    _output: BufReader<ChildStdout>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("charter starts");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        output.read_line(&mut line).expect("its first line");
        let mut addresses = line.split("http://").skip(1).map(|rest| {
            let end = rest.find([',', '\n']).unwrap_or(rest.len());
            rest[..end].parse().expect("an address")
        });
        Self {
            main: addresses.next().expect("the clients' address"),
            operations: addresses.next().expect("the operators' address"),
            child,
            _output: output,
        }
    }

    fn signal(&self, signal: &str) {
        let process = self.child.id().to_string();
        let status = Command::new("kill").args([signal, &process]).status();
        assert!(status.expect("kill runs").success());
    }

    fn exit_code(mut self) -> Option<i32> {
        self.child.wait().expect("its end").code()
    }
}

async fn metric(operations: SocketAddr, name: &str) -> f64 {
    let body = get(operations, "/metrics").await.body;
    let text = String::from_utf8(body).expect("text");
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.expect("a value").parse().expect("a number")
}

#[tokio::test]
async fn every_write_of_the_process_is_counted_and_timed() {
    let home = Home::new().with("CHARTER__POLICIES__PROOFS", "off");
    let running = Running::start(home.command(&["serve", "--demo"]));
    let counted = metric(running.operations, "charter_audit_events_total").await;
    let timed = metric(running.operations, "charter_store_write_seconds_count").await;
    let verified = home.verify_audit().success();
    let written = format!("events: {counted},");
    assert!(verified.contains(&written), "{written} {verified}");
    assert!(counted > 0.0 && timed > 0.0, "{timed}");
    running.signal("-TERM");
    assert_eq!(running.exit_code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_nobody_reads_holds_up_neither_requests_nor_the_stop() {
    let home = Home::new()
        .with("CHARTER__LOG__LEVEL", "trace")
        .with("CHARTER__LOG__FORMAT", "json");
    let mut command = home.command(&["serve", "--demo"]);
    // Its other end is held and never read.
    command.stderr(Stdio::piped());
    let running = Running::start(command);
    while metric(running.operations, "charter_log_lines_dropped_total").await == 0.0 {
        let mut client = Client::connect(running.main).await;
        let requests = "GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n".repeat(200);
        client.write(&requests).await;
        for _ in 0..200 {
            assert_eq!(client.answer().await.expect("an answer").status, 404);
        }
    }
    for address in [running.main, running.operations] {
        assert_eq!(get(address, "/healthz").await.status, 200);
        assert_eq!(get(address, "/readyz").await.status, 200);
    }
    running.signal("-TERM");
    assert_eq!(running.exit_code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_stops_it_is_not_ready_and_a_second_signal_ends_it() {
    let home = Home::new().with("CHARTER__SERVER__SHUTDOWN_DRAIN", "10m");
    let mut command = home.command(&["serve", "--demo"]);
    command.stderr(Stdio::null());
    let running = Running::start(command);
    let mut kept = Client::connect(running.main).await;
    kept.write("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(kept.answer().await.expect("an answer").status, 200);
    running.signal("-INT");
    // Signals are heard a moment later.
    while get(running.operations, "/readyz").await.status == 200 {}
    let readiness = get(running.operations, "/readyz").await;
    assert_eq!(readiness.status, 503);
    assert_eq!(readiness.json()["stop"]["status"], "unavailable");
    let bare = get(running.main, "/readyz").await;
    assert_eq!(bare.status, 503);
    assert_eq!(bare.header("retry-after"), Some("1"));
    assert_eq!(get(running.main, "/healthz").await.status, 200);
    running.signal("-INT");
    assert_eq!(running.exit_code(), Some(130));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_too_few_files_there_are_fewer_connections() {
    let home = Home::new();
    let of_home = home.command(&["serve", "--demo"]);
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n 400 && exec \"$0\" serve --demo"])
        .arg(of_home.get_program())
        .env_clear()
        .envs(
            of_home
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stdin(Stdio::null())
        .stderr(std::fs::File::create(home.file("log")).expect("a log file"));
    let running = Running::start(command);
    assert_eq!(get(running.main, "/healthz").await.status, 200);
    running.signal("-TERM");
    assert_eq!(running.exit_code(), Some(0));
    let log = home.log();
    let told = log.lines().find(|line| line.contains("max_connections"));
    let told: serde_json::Value = serde_json::from_str(told.expect("a line")).expect("JSON");
    assert_eq!(
        (
            told["level"].as_str(),
            told["open_files"].as_u64(),
            told["connections"].as_u64()
        ),
        (Some("WARN"), Some(400), Some(200))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn constant_responses_take_no_memory() {
    let home = Home::new()
        .with("CHARTER__SERVER__ANSWER_MEMORY", "1048576")
        .with("CHARTER__SERVER__SHUTDOWN_DRAIN", "0s");
    let charter = home.serve();
    let mut client = Unreading::connect(charter.main).await;
    let mut unread = Vec::new();
    for target in ["/docs/swagger-ui-bundle.js", "/openapi.json", "/docs"] {
        for _ in 0..20 {
            let answer = client.ask("GET", target).await;
            assert_eq!(answer.status(), 200, "{target}");
            unread.push(answer);
        }
    }
    drop((unread, client));
    charter.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_in_bodies_are_limited() {
    let home = Home::new().with("CHARTER__SERVER__SHUTDOWN_DRAIN", "0s");
    let charter = home.serve();
    for route in ["login", "register", "forgot-password", "reset-password"] {
        let request = |length: usize| {
            let body = format!("{{\"x\":\"{}\"}}", "x".repeat(length - 8));
            format!(
                "POST /api/auth/{route} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
                 content-length: {length}\r\n\r\n{body}"
            )
        };
        let answer = send(charter.main, request(4 * 1024)).await;
        assert_eq!(answer.status, 400, "{route}");
        send(charter.main, request(4 * 1024 + 1))
            .await
            .assert_refused(413, "PAYLOAD_TOO_LARGE");
    }
    charter.stop();
}

#[test]
fn no_request_waits_while_a_huge_page_is_zeroed() {
    let home = Home::new().with("CHARTER__SERVER__SHUTDOWN_DRAIN", "0s");
    let charter = home.serve();
    let status = std::fs::read_to_string(format!("/proc/{}/status", charter.id()));
    let status = status.expect("a live process");
    let huge = status
        .lines()
        .find_map(|it| it.strip_prefix("THP_enabled:"));
    assert_eq!(huge.map(str::trim), Some("0"));
    charter.stop();
}

#[test]
fn the_demo_names_the_program_as_it_was_called() {
    for (called, cargo, named) in [
        ("./bin/charter", None, "./bin/charter"),
        ("my tools/charter", None, "'my tools/charter'"),
        (
            "target/release/charter",
            Some("cargo"),
            "cargo run --release --",
        ),
    ] {
        let home = Home::new();
        let mut command = home.command(&["serve", "--demo"]);
        command
            .arg0(called)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command.envs(cargo.map(|cargo| ("CARGO", cargo)));
        let mut child = command.spawn().expect("charter starts");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let mut lines = output.lines().map_while(Result::ok);
        let line = lines.find(|line| line.ends_with(" request GET /organizations/info"));
        child.kill().expect("it runs");
        child.wait().expect("its end");
        assert_eq!(
            line,
            Some(format!("  {named} request GET /organizations/info"))
        );
    }
}

/// Nothing is refused because of it, so the alert on a disk that refuses is not for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_vanishes_counts_as_a_missed_file() {
    let home = Home::new();
    let charter = home.serve();
    let request = charter.reader().sign("GET", "/organizations/info", "");
    let mut client = signed_client::Client::http1(charter.main);
    assert_eq!(client.send(&request).await.status, 200);
    for entry in std::fs::read_dir(home.data().join("replay")).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|it| it == "journal") {
            std::fs::remove_file(path).expect("removed");
        }
    }
    while get(charter.operations, "/readyz").await.json()["replay_guard"]["status"] == "ok" {}
    let missed = "charter_log_files_missed_total{file=\"replay\"}";
    assert!(metric(charter.operations, missed).await > 0.0);
    let errors = metric(charter.operations, "charter_replay_journal_errors_total").await;
    assert!(errors < 1.0, "{errors}");
    charter.stop();
    // Of all dates nothing is known.
    std::fs::remove_dir_all(home.data().join("replay")).expect("removed");
    home.serve().stop();
    let log = home.log();
    let line = log.lines().find(|line| line.contains("refused until then"));
    let line: serde_json::Value = serde_json::from_str(line.expect("a line")).expect("JSON");
    let until = line["until"].as_str().expect("a time");
    assert!(timestamp::parse(until).is_ok(), "{until}");
}
