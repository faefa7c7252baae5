//! How many requests a connection may have, and who gives way when there are too many connections.

use std::time::Duration;

use charter_http::edge::config::{EdgeConfig, FixedLimits};
use salvo::hyper::http::Request;
use test_support::client::{Client, get};
use test_support::service::Service;
use test_support::services::TestDatabase;
use tokio::net::TcpStream;

use super::{Server, test_config};

const REQUEST: &str = "GET /organizations/info HTTP/1.1\r\nhost: a\r\n\r\n";

fn at_most(max_requests_per_connection: u64) -> EdgeConfig {
    EdgeConfig {
        max_requests_per_connection,
        ..patient()
    }
}

/// No deadline ends a connection here.
fn patient() -> EdgeConfig {
    EdgeConfig {
        fixed: FixedLimits {
            head_timeout: Duration::from_hours(1),
            ..test_config().fixed
        },
        idle_timeout: Duration::from_hours(1),
        ..test_config()
    }
}

#[tokio::test]
async fn the_last_answer_of_a_connection_says_so() {
    let server = Server::with(at_most(3));
    for _ in 0..2 {
        let mut client = Client::connect(server.address).await;
        for last in [false, false, true] {
            client.write(REQUEST).await;
            let answer = client.answer().await.expect("an answer");
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("connection"), last.then_some("close"));
        }
        assert!(client.is_closed().await);
    }
    server.stop().await;
}

#[tokio::test]
async fn refused_requests_count_and_pipelined_ones_are_cut_at_the_last() {
    let server = Server::with(at_most(3));
    let mut client = Client::connect(server.address).await;
    let pipelined = format!(
        "GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n\
         GET /organizations/info/ HTTP/1.1\r\nhost: a\r\n\r\n{REQUEST}{REQUEST}"
    );
    client.write(pipelined).await;
    for (status, last) in [(404, None), (400, None), (200, Some("close"))] {
        let answer = client.answer().await.expect("an answer");
        assert_eq!((answer.status, answer.header("connection")), (status, last));
    }
    assert!(client.is_closed().await, "the fourth was served");
    server.stop().await;
}

#[tokio::test]
async fn over_http2_the_last_request_brings_goaway() {
    let server = Server::with(at_most(3));
    let (mut sender, driver) = connect_h2(&server).await;
    for _ in 0..3 {
        sender = sender.ready().await.expect("no GOAWAY yet");
        let (answer, _) = sender.send_request(request(), true).expect("it is sent");
        assert_eq!(answer.await.expect("an answer").status(), 200);
    }
    // GOAWAY follows the last one.
    while std::future::poll_fn(|context| sender.poll_ready(context))
        .await
        .is_ok()
    {
        tokio::task::yield_now().await;
    }
    drop(sender);
    driver.await.expect("no panic").expect("a clean end");
    assert_eq!(get(server.address, "/organizations/info").await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn over_http2_requests_under_way_are_answered_after_the_last() {
    let server = Server::with(at_most(2));
    let (mut sender, driver) = connect_h2(&server).await;
    let mut answers = Vec::new();
    // All are sent before the client can have heard of the end.
    for _ in 0..6 {
        let (answer, _) = sender.send_request(request(), true).expect("it is sent");
        answers.push(answer);
    }
    for answer in answers {
        assert_eq!(answer.await.expect("an answer").status(), 200);
    }
    drop(sender);
    driver.await.expect("no panic").expect("a clean end");
    server.stop().await;
}

#[tokio::test]
async fn a_crowd_that_says_nothing_gives_way() {
    let mut server = Server::with(EdgeConfig {
        max_connections: 16,
        reserved_connections: 4,
        ..patient()
    });
    // Neither a running request nor one that waits for its next is closed for those who say nothing.
    let mut running = Client::connect(server.address).await;
    running.write("GET /gate HTTP/1.1\r\nhost: a\r\n\r\n").await;
    server.gate.entered.notified().await;
    let mut kept = Client::connect(server.address).await;
    kept.write(REQUEST).await;
    assert_eq!(kept.answer().await.expect("an answer").status, 200);
    let mut crowd = Vec::new();
    for index in 0..100 {
        let mut silent = Client::connect(server.address).await;
        silent.write(&REQUEST[..index % 20]).await;
        crowd.push(silent);
    }
    assert_eq!(get(server.address, "/organizations/info").await.status, 200);
    kept.write(REQUEST).await;
    assert_eq!(kept.answer().await.expect("an answer").status, 200);
    server.gate.opened.notify_one();
    assert_eq!(running.answer().await.expect("an answer").status, 200);
    drop(crowd);
    server.begin_to_stop();
    drop((kept, running));
    server.stop().await;
}

#[tokio::test]
async fn a_crowd_that_keeps_its_connections_gives_way() {
    let server = Server::with(EdgeConfig {
        max_connections: 16,
        reserved_connections: 4,
        ..patient()
    });
    let mut crowd = Vec::new();
    for _ in 0..40 {
        let mut kept = Client::connect(server.address).await;
        kept.write(REQUEST).await;
        assert_eq!(kept.answer().await.expect("an answer").status, 200);
        crowd.push(kept);
    }
    assert!(crowd[0].is_closed().await, "the oldest");
    server.stop().await;
}

/// Nobody gets past a full client port, but operators do on theirs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_answered_while_a_crowd_holds_both_listeners() {
    let service = Service::with_server(TestDatabase::sqlite(), "max_connections = 16").await;
    let mut crowd = Vec::new();
    for address in [service.address(), service.operations_address()] {
        for index in 0..300 {
            let mut silent = Client::connect(address).await;
            silent.write(&REQUEST[..index % 20]).await;
            crowd.push(silent);
        }
    }
    for target in ["/healthz", "/readyz", "/metrics"] {
        for _ in 0..20 {
            let answer = get(service.operations_address(), target).await;
            assert_eq!(answer.status, 200, "{target}");
        }
    }
    drop(crowd);
    service.stop().await;
}

fn request() -> Request<()> {
    Request::get("http://a/organizations/info")
        .body(())
        .expect("a request")
}

pub(super) async fn connect_h2(
    server: &Server,
) -> (
    h2::client::SendRequest<salvo::hyper::body::Bytes>,
    tokio::task::JoinHandle<Result<(), h2::Error>>,
) {
    let stream = TcpStream::connect(server.address)
        .await
        .expect("it listens");
    let (sender, connection) = h2::client::handshake(stream).await.expect("a handshake");
    #[expect(clippy::disallowed_methods, reason = "drives the test's connection")]
    let driver = tokio::spawn(connection);
    (sender, driver)
}
