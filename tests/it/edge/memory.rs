//! What clients make the server hold: unread answers, half-sent bodies, connections.

use std::net::SocketAddr;
use std::time::Duration;

use charter_http::edge::body_limits::{BodyLimits, BodyMemory};
use charter_http::edge::config::{EdgeConfig, FixedLimits};
use h2::client::ResponseFuture;
use salvo::hyper::body::Bytes;
use salvo::hyper::http::{Request, Response};
use test_support::client::{Client, get};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::{Server, test_config};

/// An HTTP/2 client that lets the server send heads, and no byte of a body.
pub(crate) struct Unreading {
    sender: h2::client::SendRequest<Bytes>,
    driver: JoinHandle<Result<(), h2::Error>>,
}

impl Unreading {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("it listens");
        let (sender, connection) = h2::client::Builder::new()
            .initial_window_size(0)
            .handshake(stream)
            .await
            .expect("a handshake");
        #[expect(clippy::disallowed_methods, reason = "drives the test's connection")]
        let driver = tokio::spawn(connection);
        Self { sender, driver }
    }

    pub(crate) async fn ask(&mut self, method: &str, path: &str) -> Response<h2::RecvStream> {
        self.send(method, path).await.await.expect("a head")
    }

    async fn send(&mut self, method: &str, path: &str) -> ResponseFuture {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://a{path}"))
            .body(())
            .expect("a request");
        let mut ready = self.sender.clone().ready().await.expect("a free stream");
        ready.send_request(request, true).expect("it is sent").0
    }
}

fn short_of_memory() -> EdgeConfig {
    EdgeConfig {
        answer_memory: 4 << 20,
        ..test_config()
    }
}

#[tokio::test]
async fn unread_answers_take_no_more_memory_than_they_may() {
    let server = Server::with(short_of_memory());
    let mut client = Unreading::connect(server.address).await;
    let mut unread = Vec::new();
    for _ in 0..4 {
        let answer = client.ask("GET", "/mebibyte").await;
        assert_eq!(answer.status(), 200);
        unread.push(answer);
    }
    let refused = client.ask("GET", "/mebibyte").await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    // What was done is told, whatever it takes.
    assert_eq!(client.ask("POST", "/mebibyte").await.status(), 200);
    // Another client's list is refused, what is small is not.
    get(server.address, "/mebibyte")
        .await
        .assert_refused(503, "UNAVAILABLE");
    assert_eq!(get(server.address, "/things/1").await.status, 200);
    // What is given up is free again.
    drop((unread, refused));
    let answered = async {
        while get(server.address, "/mebibyte").await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    answered.await;
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn an_answer_that_was_read_takes_no_memory() {
    let server = Server::with(short_of_memory());
    for _ in 0..12 {
        let answer = get(server.address, "/mebibyte").await;
        assert_eq!((answer.status, answer.body.len()), (200, 1 << 20));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_never_reads_over_http2_is_let_go() {
    let server = Server::with(EdgeConfig {
        fixed: FixedLimits {
            write_stall_timeout: Duration::from_millis(300),
            head_timeout: Duration::from_mins(10),
            ..test_config().fixed
        },
        idle_timeout: Duration::from_mins(10),
        ..test_config()
    });
    let mut client = Unreading::connect(server.address).await;
    let answer = client.ask("GET", "/organizations/info").await;
    assert_eq!(answer.status(), 200);
    // Its own end of the connection sees that it is over.
    let _ = client.driver.await.expect("no panic");
    server.stop().await;
}

#[tokio::test]
async fn a_connection_has_a_bounded_number_of_streams() {
    let server = Server::with(EdgeConfig {
        max_streams: 3,
        ..test_config()
    });
    let mut client = Unreading::connect(server.address).await;
    // The first answer comes after the server's settings.
    let mut unread = vec![client.ask("GET", "/organizations/info").await];
    for _ in 0..2 {
        unread.push(client.ask("GET", "/organizations/info").await);
    }
    let waited = tokio::time::timeout(
        Duration::from_millis(200),
        client.send("GET", "/organizations/info"),
    )
    .await;
    match waited {
        Err(_elapsed) => {}
        Ok(future) => {
            let answered = tokio::time::timeout(Duration::from_millis(200), future).await;
            assert!(answered.is_err(), "a fourth stream was served");
        }
    }
    drop((unread, client));
    server.stop().await;
}

#[tokio::test]
async fn half_sent_bodies_take_no_more_memory_than_they_may() {
    let server = Server::with(EdgeConfig {
        body: BodyLimits {
            max_bytes: 1_000,
            deadline: Duration::from_mins(10),
            memory: BodyMemory::new(2_000),
        },
        request_deadline: Duration::from_mins(10),
        ..test_config()
    });
    let head = "PATCH /organizations/info HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
                expect: 100-continue\r\ncontent-length: 1000\r\n\r\n";
    let body = [b"{\"name\":\"", &[b'x'; 989][..], b"\"}"].concat();
    let (start, end) = body.split_at(900);
    let mut halves = Vec::new();
    for _ in 0..2 {
        let mut half = Client::connect(server.address).await;
        half.write(head).await;
        assert_eq!(half.answer().await.expect("go on").status, 100);
        half.write(start).await;
        halves.push(half);
    }
    // Until the server has read both halves there may be room.
    let refused = loop {
        let mut third = Client::connect(server.address).await;
        third.write([head.as_bytes(), &body].concat()).await;
        let mut answer = third.answer().await.expect("an answer");
        if answer.status == 100 {
            answer = third.answer().await.expect("an answer");
        }
        if answer.status != 200 {
            break answer;
        }
    };
    refused.assert_refused(503, "UNAVAILABLE");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("connection"), Some("close"));
    for mut half in halves {
        half.write(end).await;
        assert_eq!(half.answer().await.expect("an answer").status, 200);
    }
    server.stop().await;
}

#[tokio::test]
async fn one_client_network_has_its_share_of_the_connections() {
    let request = "GET /organizations/info HTTP/1.1\r\nhost: a\r\n\r\n";
    let server = Server::with(EdgeConfig {
        max_connections_per_peer: 2,
        ..test_config()
    });
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(server.address).await;
        client.write(request).await;
        assert_eq!(client.answer().await.expect("an answer").status, 200);
        clients.push(client);
    }
    let mut third = Client::connect(server.address).await;
    third.write(request).await;
    assert!(third.answer().await.is_none(), "a third was served");
    drop(clients.pop());
    let answered = async {
        loop {
            let mut next = Client::connect(server.address).await;
            next.write(request).await;
            if next.answer().await.is_some() {
                break;
            }
        }
    };
    answered.await;
    drop(clients);
    server.stop().await;

    let server = Server::with(EdgeConfig {
        max_connections_per_peer: 1,
        trusted_proxies: vec!["127.0.0.0/8".parse().expect("a network")],
        ..test_config()
    });
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = Client::connect(server.address).await;
        client.write(request).await;
        assert_eq!(client.answer().await.expect("an answer").status, 200);
        clients.push(client);
    }
    drop(clients);
    server.stop().await;
}
