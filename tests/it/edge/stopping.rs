//! The way out: clients are told, what is under way is answered, and who says nothing holds nobody up.

use std::io::Write as _;
use std::time::Duration;

use charter_http::edge::config::{EdgeConfig, FixedLimits};
use salvo::hyper::http::Request;
use test_support::client::Client;
use tokio::net::TcpStream;

use super::{Server, test_config};

const REQUEST: &str = "GET /organizations/info HTTP/1.1\r\nhost: a\r\n\r\n";

/// Nothing but the rules of the stop ends a connection here.
fn patient() -> EdgeConfig {
    EdgeConfig {
        fixed: FixedLimits {
            head_timeout: Duration::from_hours(1),
            ..test_config().fixed
        },
        idle_timeout: Duration::from_hours(1),
        graceful_timeout: Duration::from_hours(1),
        ..test_config()
    }
}

async fn kept(server: &Server) -> Client {
    let mut client = Client::connect(server.address).await;
    client.write(REQUEST).await;
    let answer = client.answer().await.expect("an answer");
    assert_eq!((answer.status, answer.header("connection")), (200, None));
    client
}

#[tokio::test]
async fn while_it_stops_clients_are_served_and_told_to_close() {
    let mut server = Server::with(EdgeConfig {
        drain: Duration::from_hours(1),
        ..patient()
    });
    let mut first = kept(&server).await;
    let mut second = kept(&server).await;
    server.begin_to_stop();
    // It may take a moment until the server has heard of it.
    let told = loop {
        let mut new = Client::connect(server.address).await;
        new.write(REQUEST).await;
        let answer = new.answer().await.expect("an answer");
        assert_eq!(answer.status, 200);
        if answer.header("connection").is_some() {
            break answer;
        }
    };
    assert_eq!(told.header("connection"), Some("close"));
    for client in [&mut first, &mut second] {
        client.write(REQUEST).await;
        let answer = client.answer().await.expect("an answer");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(client.is_closed().await);
    }
    // Nobody is connected any more; a balancer that has not noticed still sends clients.
    let mut late = Client::connect(server.address).await;
    late.write(REQUEST).await;
    let answer = late.answer().await.expect("an answer");
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn connections_that_the_system_has_taken_are_served_to_the_end() {
    let mut server = Server::with(patient());
    let mut clients: Vec<_> = (0..64)
        .map(|_| std::net::TcpStream::connect(server.address).expect("it listens"))
        .collect();
    // Before the server, which runs on this thread, has accepted any.
    for client in &mut clients {
        client.write_all(REQUEST.as_bytes()).expect("it is sent");
    }
    server.begin_to_stop();
    for client in clients {
        client.set_nonblocking(true).expect("it can be");
        let stream = TcpStream::from_std(client).expect("a socket");
        let answer = Client::on(stream).answer().await.expect("an answer");
        assert_eq!(answer.status, 200);
    }
    server.stop().await;
}

#[tokio::test]
async fn over_http2_clients_are_told_by_goaway_and_what_is_under_way_is_answered() {
    let mut server = Server::with(EdgeConfig {
        drain: Duration::from_hours(1),
        ..patient()
    });
    let stream = TcpStream::connect(server.address)
        .await
        .expect("it listens");
    let (mut sender, connection) = h2::client::handshake(stream).await.expect("a handshake");
    #[expect(clippy::disallowed_methods, reason = "drives the test's connection")]
    let driver = tokio::spawn(connection);
    let request = |path: &str| {
        let uri = format!("http://a{path}");
        Request::get(uri).body(()).expect("a request")
    };
    let (answer, _) = sender
        .send_request(request("/gate"), true)
        .expect("it is sent");
    server.gate.entered.notified().await;
    server.begin_to_stop();
    // GOAWAY: from here on no request can be made.
    let refused = async {
        while std::future::poll_fn(|context| sender.poll_ready(context))
            .await
            .is_ok()
        {
            tokio::task::yield_now().await;
        }
    };
    refused.await;
    server.gate.opened.notify_one();
    assert_eq!(answer.await.expect("an answer").status(), 200);
    drop(sender);
    let _ = driver.await.expect("no panic");
}

#[tokio::test]
async fn silent_connections_do_not_hold_the_stop() {
    let server = Server::with(EdgeConfig {
        drain: Duration::ZERO,
        ..patient()
    });
    let silent = Client::connect(server.address).await;
    let mut half_a_head = Client::connect(server.address).await;
    half_a_head.write("GET /organizations/info HT").await;
    let mut half_a_preface = Client::connect(server.address).await;
    half_a_preface.write("PRI * HTTP/2.0\r\n").await;
    let mut mute = Client::connect(server.address).await;
    // An HTTP/2 client that never answers the last PING.
    mute.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await;
    let idle = kept(&server).await;
    server.stop().await;
    drop((silent, half_a_head, half_a_preface, mute, idle));
}
