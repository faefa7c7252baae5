//! Framing: where one request ends and the next begins is never a matter of opinion.

use test_support::client::{Client, get, send};
use tokio::net::TcpStream;

use super::Server;

#[tokio::test]
async fn a_length_said_twice_is_refused_and_ends_the_connection() {
    let server = Server::start();
    let smuggled = "GET /organizations/info HTTP/1.1\r\nhost: a\r\n\r\n";
    for framing in [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "Transfer-Encoding: chunked\r\na: b\r\nContent-Length: 0",
        "CONTENT-LENGTH:0\r\nTRANSFER-ENCODING:chunked",
        // Equal ones are as bad as `5, 5` on one line.
        "content-length: 5\r\ncontent-length: 5",
        "content-length: 5\r\na: b\r\nContent-Length: 5",
        "content-length: 0\r\ncontent-length: 0\r\ncontent-length: 0",
    ] {
        let mut client = Client::connect(server.address).await;
        let request = format!(
            "PATCH /organizations/info HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n0\r\n\r\n{smuggled}"
        );
        client.write(request).await;
        client
            .answer()
            .await
            .expect("an answer")
            .assert_refused(400, "INVALID_REQUEST");
        assert!(
            client.is_closed().await,
            "`{framing}`: a second request was read"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn malformed_http_is_refused_in_the_one_shape() {
    let server = Server::start();
    for head in [
        "GET /organizations/info HTTP/1.0\r\nhost: a",
        "GET /organizations/info HTTP/1.2\r\nhost: a",
        "GET /organizations/info HTTP/2.0\r\nhost: a",
        "GET /organizations/info\r\nhost: a",
        "GET  /organizations/info HTTP/1.1\r\nhost: a",
        "GET /organizations info HTTP/1.1\r\nhost: a",
        "GET /organizations/info HTTP/1.1\r\nhost: a\r\n folded: b",
        "GET /organizations/info HTTP/1.1\r\nhost: a\r\nspace : b",
        "GET /organizations/info HTTP/1.1\r\nhost: a\r\nno colon",
        "GET /organizations/info HTTP/1.1\r\nhost: a\r\nb: \u{1}",
        "GET http://[ HTTP/1.1\r\nhost: a",
        "G<T /organizations/info HTTP/1.1\r\nhost: a",
        "PATCH /organizations/info HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2",
        "PATCH /organizations/info HTTP/1.1\r\nhost: a\r\ncontent-length: +3",
        "PATCH /organizations/info HTTP/1.1\r\nhost: a\r\ncontent-length: 3, 3",
        "PATCH /organizations/info HTTP/1.1\r\nhost: a\r\ncontent-length: -1",
        "GET /organizations/info HTTP/1.1\nhost: a",
        "GET /organizations/info HTTP/1.1\r\nhost: a\nb: c",
        "GET /organizations/info HTTP/1.1\r\nhost: a\r\nb: c\n",
        "GET /organizations/info HTTP/1.1\r\nhost: a\r\nb\n: c",
        "\nGET /organizations/info HTTP/1.1\r\nhost: a",
        "PATCH /organizations/info HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked",
    ] {
        let mut client = Client::connect(server.address).await;
        client.write(format!("{head}\r\n\r\n")).await;
        let answer = client
            .answer()
            .await
            .unwrap_or_else(|| panic!("no answer to `{head}`"));
        answer.assert_refused(400, "INVALID_REQUEST");
        assert!(
            client.is_closed().await,
            "`{head}` left the connection open"
        );
    }
    // After a good request on the same connection, too, and in the same segment.
    let mut client = Client::connect(server.address).await;
    client
        .write("GET /organizations/info HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/9.9\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.expect("the first").status, 200);
    client
        .answer()
        .await
        .expect("the second")
        .assert_refused(400, "INVALID_REQUEST");
    server.stop().await;
}

#[tokio::test]
async fn a_malformed_head_is_refused_before_its_end() {
    let server = Server::start();
    for sent in [
        "GET /organizations/info HTTP/1.1\r\nhost: a\r\n\n",
        "GET /organizations/info HTTP/1.1\nhost: a",
        "GET /organizations/info HTTP/1.1\r\nhost: a\n",
        "GET /a\n",
        "GET / HTTP/1.1\n",
        "\n",
        "GET /organizations/info\r\n",
        "GET\r\n",
        "PATCH /organizations/info HTTP/1.1\r\nhost: a\r\ncontent-length: +",
        "PATCH /organizations/info HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\n",
        "PATCH /organizations/info HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0;a\n\r\n",
    ] {
        for in_pieces in [false, true] {
            let mut client = Client::connect(server.address).await;
            if in_pieces {
                client.dribble(sent.as_bytes()).await;
            } else {
                client.write(sent).await;
            }
            let answer = client.answer().await;
            let answer = answer.unwrap_or_else(|| panic!("no answer to {sent:?}"));
            answer.assert_refused(400, "INVALID_REQUEST");
            assert!(client.is_closed().await, "{sent:?}");
        }
    }
    // Behind a request that is none of that.
    let mut client = Client::connect(server.address).await;
    let good = "GET /organizations/info HTTP/1.1\r\nhost: a\r\n\r\n";
    client
        .write(format!("{good}GET / HTTP/1.1\r\nhost: a\r\n\n"))
        .await;
    assert_eq!(client.answer().await.expect("the first").status, 200);
    let second = client.answer().await.expect("the second");
    second.assert_refused(400, "INVALID_REQUEST");
    server.stop().await;
}

#[tokio::test]
async fn another_transfer_coding_than_chunked_is_not_implemented() {
    let server = Server::start();
    for coding in [
        "gzip",
        "xchunked",
        "chunked, gzip",
        "gzip, chunked",
        "chunked, chunked",
        "identity",
        "chunked;q=1",
        "gzip\r\ntransfer-encoding: chunked",
        "",
    ] {
        let mut client = Client::connect(server.address).await;
        let head = "PATCH /organizations/info HTTP/1.1\r\nhost: a\r\ntransfer-encoding:";
        client
            .write(format!("{head} {coding}\r\n\r\n0\r\n\r\n"))
            .await;
        let answer = client.answer().await.expect("an answer");
        answer.assert_refused(501, "NOT_IMPLEMENTED");
        assert!(client.is_closed().await, "`{coding}`");
    }
    for coding in ["chunked", "CHUNKED", "\tChunked "] {
        let request = format!(
            "PATCH /organizations/info HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
             transfer-encoding:{coding}\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
        );
        assert_eq!(
            send(server.address, request).await.status,
            200,
            "`{coding}`"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn a_broken_chunk_is_a_bad_request() {
    let server = Server::start();
    for body in [
        "x\r\n",
        "5\r\n{}",
        "2\r\n{}xx",
        "-1\r\n",
        "ffffffffffffffff1\r\n",
        "2\n{}\n0\n\n",
    ] {
        let mut client = Client::connect(server.address).await;
        let request = format!(
            "PATCH /organizations/info HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
             transfer-encoding: chunked\r\n\r\n{body}"
        );
        client.write(request).await;
        client.close_sending().await;
        if let Some(answer) = client.answer().await {
            answer.assert_refused(400, "INVALID_REQUEST");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_client_may_stop_sending_and_wait_for_the_answer() {
    let server = Server::start();
    let mut client = Client::connect(server.address).await;
    client
        .write("GET /organizations/info HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    client.close_sending().await;
    assert_eq!(client.answer().await.expect("an answer").status, 200);
    assert!(client.is_closed().await);
    server.stop().await;
}

#[tokio::test]
async fn stopping_lets_idle_connections_go_at_once() {
    let server = Server::start();
    let mut client = Client::connect(server.address).await;
    client
        .write("GET /organizations/info HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.expect("an answer").status, 200);
    let address = server.address;
    server.stop().await;
    assert!(client.is_closed().await);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn stopping_finishes_what_is_under_way_and_refuses_what_is_new() {
    let mut server = Server::start();
    let mut client = Client::connect(server.address).await;
    client.write("GET /gate HTTP/1.1\r\nhost: a\r\n\r\n").await;
    server.gate.entered.notified().await;
    server.begin_to_stop();
    // The listener closes within a turn of the server's task; nothing else tells us when.
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    server.gate.opened.notify_one();
    let answer = client.answer().await.expect("an answer");
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (200, &b"through"[..])
    );
    server.stop().await;
}

#[tokio::test]
async fn a_half_typed_preface_is_an_ordinary_request() {
    let server = Server::start();
    let answer = send(
        server.address,
        "PRI /organizations/info HTTP/1.1\r\nhost: a\r\n\r\n",
    )
    .await;
    answer.assert_refused(405, "METHOD_NOT_ALLOWED");
    assert_eq!(get(server.address, "/organizations/info").await.status, 200);
    server.stop().await;
}
