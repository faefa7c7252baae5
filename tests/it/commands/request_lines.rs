//! The line of a request in the log: who, what and why; no secret, no query.

use serde_json::Value;
use test_support::client::{Answer, send};
use test_support::process::Home;
use test_support::signed_client::Signed;

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A home with these requests in its log.
fn logging(requests: &str) -> Home {
    Home::new()
        .with("CHARTER__LOG__FORMAT", "json")
        .with("CHARTER__LOG__REQUESTS", requests)
        .with("CHARTER__SERVER__SHUTDOWN_DRAIN", "0s")
}

/// With a trace of its client's.
fn traced(request: &Signed) -> String {
    let text = String::from_utf8(request.bytes()).expect("text");
    let parent = format!("\r\ntraceparent: 00-{TRACE_ID}-00f067aa0ba902b7-01\r\n\r\n");
    text.replacen("\r\n\r\n", &parent, 1)
}

fn lines(home: &Home) -> Vec<Value> {
    home.log()
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &Value| line["target"] == "charter::requests")
        .collect()
}

/// The one line of this answer.
#[track_caller]
fn line_of(lines: &[Value], answer: &Answer) -> Value {
    let id = answer.header("x-request-id").expect("an id");
    let found: Vec<_> = lines
        .iter()
        .filter(|line| line["request_id"] == id)
        .collect();
    assert_eq!(found.len(), 1, "{answer:?}");
    found[0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_line_of_a_request_says_who_asked_and_why_it_was_refused() {
    let home = logging("all");
    let charter = home.serve();
    let get = charter.reader().sign("GET", "/organizations/info", "");
    let read = send(charter.main, traced(&get)).await;
    assert_eq!(read.status, 200);
    let patch = charter
        .reader()
        .sign("PATCH", "/organizations/info", r#"{"name":"x"}"#);
    let denied = send(charter.main, traced(&patch)).await;
    denied.assert_refused(403, "NOT_PERMITTED");
    let replayed = send(charter.main, get.bytes()).await;
    replayed.assert_refused(401, "REPLAYED_NONCE");
    let mut forged = charter.reader().sign("GET", "/accounts?page=7654321", "");
    let honest = forged.signature.clone();
    forged.signature = charter.reader().sign("GET", "/accounts", "").signature;
    let forged_answer = send(charter.main, forged.bytes()).await;
    forged_answer.assert_refused(401, "INVALID_SIGNATURE");
    let reader = charter.reader();
    charter.stop();

    let lines = lines(&home);
    let line = line_of(&lines, &read);
    assert_eq!(
        (line["status"].as_u64(), &line["code"]),
        (Some(200), &Value::Null)
    );
    let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
    assert!(text(&line, "organization").starts_with("org-"), "{line}");
    assert!(text(&line, "principal").starts_with("sa-"), "{line}");
    assert!(text(&line, "key").starts_with("key-"), "{line}");
    assert!(text(&line, "decision").starts_with("dec-"), "{line}");
    assert_eq!(text(&line, "trace_id"), TRACE_ID);
    assert_eq!(text(&line, "route"), "/organizations/info");

    let refused = line_of(&lines, &denied);
    assert_eq!(text(&refused, "code"), "NOT_PERMITTED");
    assert_eq!(
        refused["decision"],
        denied.json()["error"]["decision_id"],
        "{refused}"
    );
    for field in ["organization", "principal", "key", "trace_id"] {
        assert_eq!(refused[field], line[field], "{field}");
    }

    // Whoever signed it is known; nothing was decided.
    let refused = line_of(&lines, &replayed);
    assert_eq!(text(&refused, "code"), "REPLAYED_NONCE");
    for field in ["organization", "principal", "key"] {
        assert_eq!(refused[field], line[field], "{field}");
    }
    assert_eq!(
        (&refused["decision"], &refused["trace_id"]),
        (&Value::Null, &Value::Null)
    );

    // Nobody is known; the key is the client's claim.
    let refused = line_of(&lines, &forged_answer);
    assert_eq!(text(&refused, "code"), "INVALID_SIGNATURE");
    assert_eq!(text(&refused, "claimed_key"), reader.access_key);
    for field in ["organization", "principal", "key"] {
        assert_eq!(refused[field], Value::Null, "{field}");
    }
    let log = home.log();
    for secret in [
        reader.secret_key.as_str(),
        &honest,
        &forged.signature,
        "7654321",
    ] {
        assert!(!log.contains(secret), "`{secret}` in {log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_requests_that_are_asked_for_have_a_line() {
    for (requests, expected) in [("none", [0, 0]), ("failed", [0, 1]), ("all", [1, 1])] {
        let home = logging(requests);
        let charter = home.serve();
        let bytes = charter
            .reader()
            .sign("GET", "/organizations/info", "")
            .bytes();
        let good = send(charter.main, bytes).await;
        let bad = send(charter.main, "GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n").await;
        charter.stop();
        let lines = lines(&home);
        let count = |answer: &Answer| {
            let id = answer.header("x-request-id").expect("an id");
            lines.iter().filter(|line| line["request_id"] == id).count()
        };
        assert_eq!([count(&good), count(&bad)], expected, "{requests}");
    }
}
