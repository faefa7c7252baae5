//! Sizes and times: what is too large, too slow or too much is cut off, with an answer where one
//! can still be given.

use std::time::{Duration, Instant};

use charter_http::edge::config::{EdgeConfig, FixedLimits};
use salvo::hyper::http::Request;
use test_support::client::{Client, get, get_h2, patch, send, send_h2};

use super::{Server, test_config};

#[expect(clippy::disallowed_methods, reason = "measures the server's deadlines")]
fn now() -> Instant {
    Instant::now()
}

fn body_of(length: usize) -> Vec<u8> {
    format!("{{\"name\":\"{}\"}}", "x".repeat(length - 11)).into_bytes()
}

fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut request = b"PATCH /organizations/info HTTP/1.1\r\nhost: a\r\n\
        content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        .to_vec();
    for chunk in body.chunks(size) {
        request.extend(format!("{:x}\r\n", chunk.len()).bytes());
        request.extend(chunk);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\nx-trailer: 1\r\n\r\n");
    request
}

#[tokio::test]
async fn a_body_may_have_exactly_its_limit() {
    let server = Server::start();
    for (length, status) in [(999, 200), (1_000, 200), (1_001, 413), (100_000, 413)] {
        let body = body_of(length);
        assert_eq!(
            patch(server.address, &body).await.status,
            status,
            "{length}"
        );
        for size in [1, 7, 4_096] {
            let answer = send(server.address, chunked(&body, size)).await;
            assert_eq!(answer.status, status, "{length} in chunks of {size}");
        }
    }
    patch(server.address, &body_of(1_001))
        .await
        .assert_refused(413, "PAYLOAD_TOO_LARGE");
    server.stop().await;
}

#[tokio::test]
async fn a_declared_length_over_the_limit_is_not_waited_for() {
    let server = Server::start();
    let mut client = Client::connect(server.address).await;
    client
        .write(
            "PATCH /organizations/info HTTP/1.1\r\nhost: a\r\ncontent-length: 10000000000\r\n\
             expect: 100-continue\r\n\r\n",
        )
        .await;
    client
        .answer()
        .await
        .expect("an answer")
        .assert_refused(413, "PAYLOAD_TOO_LARGE");
    assert!(client.is_closed().await);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_goes_on_sending_still_reads_its_refusal() {
    let server = Server::start();
    for _ in 0..20 {
        let mut client = Client::connect(server.address).await;
        let mut request = b"PATCH /organizations/info HTTP/1.1\r\nhost: a\r\n\
            content-length: 2000000\r\n\r\n"
            .to_vec();
        request.resize(request.len() + 2_000_000, b'x');
        client.write(request).await;
        client
            .answer()
            .await
            .expect("an answer")
            .assert_refused(413, "PAYLOAD_TOO_LARGE");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_slow_body_is_cut_at_its_total_deadline() {
    let server = Server::start();
    let mut client = Client::connect(server.address).await;
    let started = now();
    client
        .write(
            "PATCH /organizations/info HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
             content-length: 900\r\n\r\n",
        )
        .await;
    // Each gap is short; the total is not.
    let answer = loop {
        client.write("x").await;
        let waited = tokio::time::timeout(Duration::from_millis(50), client.answer()).await;
        if let Ok(answer) = waited {
            break answer.expect("an answer");
        }
    };
    answer.assert_refused(400, "INVALID_REQUEST");
    let message = "the body did not arrive within 0.4 seconds";
    assert_eq!(answer.json()["error"]["message"], message);
    assert_eq!(answer.header("connection"), Some("close"));
    // The same of one that stalls.
    let stalled = "PATCH /organizations/info HTTP/1.1\r\nhost: a\r\ncontent-length: 900\r\n\r\nx";
    let stalled = send(server.address, stalled).await;
    stalled.assert_refused(400, "INVALID_REQUEST");
    assert_eq!(stalled.json()["error"]["message"], message);
    assert!(started.elapsed() >= test_config().body.deadline);
    assert!(started.elapsed() < Duration::from_secs(8));
    server.stop().await;
}

#[tokio::test]
async fn a_slow_head_is_cut_at_its_deadline() {
    let server = Server::start();
    for begun in [
        "",
        "G",
        "GET / HTTP/1.1\r\nhost: a\r\n",
        "PRI * HTTP/2.0\r\n",
    ] {
        let mut client = Client::connect(server.address).await;
        let started = now();
        client.write(begun).await;
        assert!(client.is_closed().await, "`{begun}`");
        assert!(
            started.elapsed() >= test_config().fixed.head_timeout / 2,
            "`{begun}`"
        );
        assert!(started.elapsed() < Duration::from_secs(8), "`{begun}`");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_idle_connection_outlives_the_heads_deadline() {
    let server = Server::with(EdgeConfig {
        idle_timeout: Duration::from_secs(3),
        ..test_config()
    });
    let mut client = Client::connect(server.address).await;
    let request = "GET /organizations/info HTTP/1.1\r\nhost: a\r\n\r\n";
    client.write(request).await;
    assert_eq!(client.answer().await.expect("an answer").status, 200);
    // The rule under test is about time passing on a silent connection.
    tokio::time::sleep(test_config().fixed.head_timeout * 2).await;
    client.write(request).await;
    assert_eq!(client.answer().await.expect("an answer").status, 200);
    let started = now();
    assert!(client.is_closed().await);
    assert!(
        started.elapsed() >= Duration::from_secs(2),
        "it was closed early"
    );
    server.stop().await;
}

#[tokio::test]
async fn heads_have_limits() {
    let server = Server::start();
    let head = |size: usize| {
        let start = "GET /organizations/info HTTP/1.1\r\nhost: a\r\nx-pad: ";
        format!("{start}{}\r\n\r\n", "x".repeat(size - start.len() - 4))
    };
    assert_eq!(send(server.address, head(16 * 1024)).await.status, 200);
    send(server.address, head(16 * 1024 + 1))
        .await
        .assert_refused(400, "INVALID_REQUEST");
    send(server.address, head(1024 * 1024))
        .await
        .assert_refused(400, "INVALID_REQUEST");

    let fields = |count: usize| {
        let fields: Vec<_> = (1..count)
            .map(|index| format!("x-{index}: 1\r\n"))
            .collect();
        format!(
            "GET /organizations/info HTTP/1.1\r\nhost: a\r\n{}\r\n",
            fields.concat()
        )
    };
    assert_eq!(send(server.address, fields(64)).await.status, 200);
    send(server.address, fields(65))
        .await
        .assert_refused(400, "INVALID_REQUEST");

    let target = |size: usize| format!("/things/{}", "x".repeat(size - 8));
    assert_eq!(get(server.address, target(8 * 1024)).await.status, 200);
    get(server.address, target(8 * 1024 + 1))
        .await
        .assert_refused(400, "NON_CANONICAL_TARGET");
    server.stop().await;
}

/// Over HTTP/2 with the same answer; a client that reads the settings sends no longer ones than the library takes.
#[tokio::test]
async fn heads_have_the_same_limits_over_http2() {
    let server = Server::start();
    // `GET /organizations/info HTTP/1.1`, `host: a`, and the end.
    let before = "GET /organizations/info HTTP/1.1\r\nhost: a\r\nx-pad: \r\n\r\n".len();
    let padded = |size: usize| {
        let pad = "x".repeat(size - before);
        let request = Request::get("http://a/organizations/info").header("x-pad", pad);
        get_h2(server.address, request.body(()).expect("a request"))
    };
    let fields = |count: usize| {
        // The host is one, as over HTTP/1.1.
        let request = (1..count).fold(
            Request::get("http://a/organizations/info"),
            |request, index| request.header(format!("x-{index}"), "1"),
        );
        get_h2(server.address, request.body(()).expect("a request"))
    };
    for (answer, status) in [
        (padded(16 * 1024).await, 200),
        (padded(16 * 1024 + 1).await, 400),
        (padded(40 * 1024).await, 400),
        (fields(64).await, 200),
        (fields(65).await, 400),
        (fields(150).await, 400),
    ] {
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 400 {
            answer.assert_refused(400, "INVALID_REQUEST");
            assert_eq!(
                answer.json()["error"]["message"],
                "the request head is too large"
            );
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered() {
    let server = Server::with(EdgeConfig {
        request_deadline: Duration::from_millis(200),
        ..test_config()
    });
    let answer = get(server.address, "/slow").await;
    answer.assert_refused(503, "UNAVAILABLE");
    assert_eq!(answer.header("retry-after"), Some("1"));
    server.stop().await;
}

#[tokio::test]
async fn bodies_have_the_same_limits_over_http2() {
    let server = Server::start();
    let request = |length: Option<&str>| {
        let mut request = Request::patch("http://a/organizations/info")
            .header("content-type", "application/json");
        if let Some(length) = length {
            request = request.header("content-length", length);
        }
        request.body(()).expect("a request")
    };
    for (length, status) in [(1_000, 200), (1_001, 413)] {
        let body = body_of(length);
        let (start, end) = body.split_at(500);
        let answer = send_h2(server.address, request(None), &[start, end]).await;
        assert_eq!(answer.expect("an answer").status, status, "{length}");
    }
    let declared = send_h2(server.address, request(Some("10000000000")), &[b"{", b"}"]).await;
    let declared = declared.expect("an answer");
    declared.assert_refused(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(declared.header("connection"), None);
    let slow = send_h2(server.address, request(None), &[&b" "[..]; 100]).await;
    slow.expect("an answer")
        .assert_refused(400, "INVALID_REQUEST");
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_let_go() {
    let server = Server::with(EdgeConfig {
        fixed: FixedLimits {
            write_stall_timeout: Duration::from_millis(300),
            head_timeout: Duration::from_mins(1),
            ..test_config().fixed
        },
        ..test_config()
    });
    let mut client = Client::connect(server.address).await;
    client.write("GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await;
    // Nothing is read here, so that the server is gone shows in what can be written.
    let gone = async {
        while client.can_write().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone)
        .await
        .expect("the server waits for its client to read");
    server.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_free_place() {
    let server = Server::with(EdgeConfig {
        max_connections: 1,
        fixed: FixedLimits {
            head_timeout: Duration::from_secs(5),
            ..test_config().fixed
        },
        ..test_config()
    });
    let request = "GET /organizations/info HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut first = Client::connect(server.address).await;
    first.write(request).await;
    assert_eq!(first.answer().await.expect("an answer").status, 200);
    let mut second = Client::connect(server.address).await;
    second.write(request).await;
    let waited = tokio::time::timeout(Duration::from_millis(200), second.answer()).await;
    assert!(waited.is_err(), "two connections were served at once");
    drop(first);
    assert_eq!(second.answer().await.expect("an answer").status, 200);
    server.stop().await;
}
