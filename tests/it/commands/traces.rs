//! Spans for an OpenTelemetry collector.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;

use test_support::client::send;
use test_support::process::Home;

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A collector that takes what it is sent and hands it on.
fn collector() -> (SocketAddr, mpsc::Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (taken, received) = mpsc::channel();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let connection = connection.expect("a connection");
            while let Some(request) = take(&connection) {
                if taken.send(request).is_err() {
                    return;
                }
            }
        }
    });
    (address, received)
}

/// The next request's head and body, answered.
fn take(mut connection: &TcpStream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(connection);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().expect("a length"))
    });
    let mut body = vec![0; length.expect("a length")];
    reader.read_exact(&mut body).ok()?;
    connection
        .write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n",
        )
        .ok()?;
    Some((head, body))
}

fn exporting_to(address: SocketAddr) -> Home {
    Home::new()
        .with(
            "CHARTER__TELEMETRY__OTLP_ENDPOINT",
            &format!("http://{address}"),
        )
        .with("CHARTER__SERVER__SHUTDOWN_DRAIN", "0s")
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_a_span_of_the_trace_that_its_client_names() {
    let (address, received) = collector();
    let home = exporting_to(address);
    let charter = home.serve();
    let manager = charter.manager();
    let change = manager.sign("POST", "/accounts", r#"{"name":"Spans"}"#);
    let made = send(charter.main, change.bytes()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let account = made.json()["id"].as_str().expect("an id").to_owned();
    let one = manager.sign("GET", &format!("/accounts/{account}"), "");
    assert_eq!(send(charter.main, one.bytes()).await.status, 200);
    let request = manager.sign("GET", "/accounts?page=7654321", "").bytes();
    let request = String::from_utf8(request).expect("text");
    let parent = format!("\r\ntraceparent: 00-{TRACE_ID}-00f067aa0ba902b7-01\r\n\r\n");
    let answer = send(charter.main, request.replacen("\r\n\r\n", &parent, 1)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let secret = charter.manager().secret_key;
    charter.stop();

    // All that was exported, since it has ended.
    let exported: Vec<_> = received.try_iter().collect();
    assert!(
        exported
            .iter()
            .all(|(head, _)| head.starts_with("POST /v1/traces "))
    );
    let spans: Vec<u8> = exported.into_iter().flat_map(|(_, body)| body).collect();
    let id: Vec<u8> = (0..16)
        .map(|at| u8::from_str_radix(&TRACE_ID[2 * at..2 * at + 2], 16).expect("hex"))
        .collect();
    assert!(contains(&spans, &id), "the client's trace");
    for text in [
        "GET /accounts",
        "charter.organization",
        "charter.principal",
        "service.version",
    ] {
        assert!(contains(&spans, text.as_bytes()), "`{text}`");
    }
    let stages = [
        "authenticate",
        "read body",
        "claim nonce",
        "load",
        "decide",
        "write",
    ];
    for stage in stages {
        // Field 5 of a span, with its length.
        let name = [
            &[0x2a, u8::try_from(stage.len()).expect("short")],
            stage.as_bytes(),
        ]
        .concat();
        assert!(contains(&spans, &name), "`{stage}`");
    }
    for text in ["7654321", secret.as_str()] {
        assert!(!contains(&spans, text.as_bytes()), "`{text}`");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_collector_holds_up_neither_requests_nor_the_stop() {
    // Connections are made, and nobody answers on them.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let home = exporting_to(silent.local_addr().expect("an address"));
    let charter = home.serve();
    for _ in 0..20 {
        let request = charter.reader().sign("GET", "/organizations/info", "");
        assert_eq!(send(charter.main, request.bytes()).await.status, 200);
    }
    charter.stop();
}
