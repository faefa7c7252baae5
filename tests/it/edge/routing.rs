//! Routing, request ids, and the shape of answers that no handler gave.

use salvo::hyper::http::Request;
use test_support::client::{Client, get, get_h2, patch, send};

use super::Server;

#[tokio::test]
async fn unknown_paths_are_404_in_json() {
    let server = Server::start();
    for target in [
        "/",
        "/nowhere",
        "/organizations",
        "/organizations/info/more",
        "/things",
    ] {
        let answer = get(server.address, target).await;
        answer.assert_refused(404, "NOT_FOUND");
        assert_eq!(
            answer.json()["error"]["message"],
            "there is no such resource"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_method_is_a_405_that_says_which_are_right() {
    let server = Server::start();
    for method in ["POST", "DELETE", "PUT", "OPTIONS", "TRACE", "BREW", "get"] {
        let request = format!("{method} /organizations/info HTTP/1.1\r\nhost: a\r\n\r\n");
        let answer = send(server.address, request).await;
        answer.assert_refused(405, "METHOD_NOT_ALLOWED");
        let mut allowed: Vec<_> = answer
            .header("allow")
            .expect("an allow header")
            .split(", ")
            .collect();
        allowed.sort_unstable();
        assert_eq!(allowed, ["GET", "PATCH"], "{method}");
    }
    server.stop().await;
}

#[tokio::test]
async fn head_has_no_body_and_leaves_the_connection_usable() {
    let server = Server::start();
    let mut client = Client::connect(server.address).await;
    client
        .write("HEAD /organizations/info HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    let answer = client.answer_to("HEAD").await.expect("an answer");
    assert_eq!(answer.status, 405);
    assert!(answer.header("allow").is_some() && answer.header("x-request-id").is_some());
    client
        .write("GET /organizations/info HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.expect("an answer").status, 200);
    server.stop().await;
}

#[tokio::test]
async fn every_answer_carries_one_request_id() {
    let server = Server::start();
    for (sent, expected) in [
        ("x-request-id: Abc-1_2.3", Some("Abc-1_2.3")),
        ("x-correlation-id: c", Some("c")),
        ("x-correlation-id: c\r\nx-request-id: r", Some("r")),
        ("x-correlation-id: c\r\nx-request-id: r r", Some("c")),
        ("x-request-id: <b>", None),
        ("a: b", None),
    ] {
        for target in ["/organizations/info", "/nowhere", "/bad//target", "/panic"] {
            let request = format!("GET {target} HTTP/1.1\r\nhost: a\r\n{sent}\r\n\r\n");
            let answer = send(server.address, request).await;
            let id = answer.header("x-request-id").expect("an id").to_owned();
            assert_eq!(answer.header("x-correlation-id"), Some(id.as_str()));
            match expected {
                Some(expected) => assert_eq!(id, expected),
                None => assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())),
            }
            if answer.status == 200 {
                assert_eq!(answer.json()["request_id"], id.as_str());
                assert_eq!(answer.header("cache-control"), Some("no-store"));
            } else {
                answer.code();
            }
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_panic_is_an_answer_that_tells_nothing() {
    let server = Server::start();
    let mut client = Client::connect(server.address).await;
    for _ in 0..2 {
        client.write("GET /panic HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let answer = client.answer().await.expect("an answer");
        answer.assert_refused(500, "INTERNAL_ERROR");
        assert!(!String::from_utf8_lossy(&answer.body).contains("secret"));
    }
    let request = Request::get("http://a/panic").body(()).expect("a request");
    let answer = get_h2(server.address, request).await.expect("an answer");
    answer.assert_refused(500, "INTERNAL_ERROR");
    server.stop().await;
}

#[tokio::test]
async fn no_error_is_html() {
    let server = Server::start();
    get(server.address, "/html")
        .await
        .assert_refused(500, "INTERNAL_ERROR");
    server.stop().await;
}

#[tokio::test]
async fn a_known_version_is_not_sent_again() {
    let server = Server::start();
    let tag = get(server.address, "/organizations/info").await;
    let tag = tag.header("etag").expect("a tag").to_owned();
    let request =
        format!("GET /organizations/info HTTP/1.1\r\nhost: a\r\nif-none-match: {tag}\r\n\r\n");
    let answer = send(server.address, request).await;
    assert_eq!((answer.status, answer.body.len()), (304, 0));
    assert_eq!(answer.header("etag"), Some(tag.as_str()));
    server.stop().await;
}

#[tokio::test]
async fn bodies_are_read_strictly() {
    let server = Server::start();
    for (body, status, code) in [
        (&b""[..], 400, "MALFORMED_JSON"),
        (b"{", 400, "MALFORMED_JSON"),
        (b"{\"name\":\"a\",\"name\":\"b\"}", 400, "MALFORMED_JSON"),
        (b"[]", 400, "WRONG_TYPE"),
        (b"{\"name\":1}", 400, "WRONG_TYPE"),
        (b"{\"name\":null}", 400, "WRONG_TYPE"),
        (b"{\"nmae\":\"a\"}", 400, "UNKNOWN_FIELD"),
        (b"{\"slug\":\"a\"}", 422, "VALIDATION_FAILED"),
    ] {
        patch(server.address, body)
            .await
            .assert_refused(status, code);
    }
    let answer = patch(server.address, b"{\"slug\":null}").await;
    assert_eq!(answer.json()["error"]["details"][0]["field"], "/slug");
    let answer = patch(server.address, b" {\"name\":\"a\"} ").await;
    assert_eq!(
        (answer.status, answer.json()["name"].as_str()),
        (200, Some("a"))
    );
    server.stop().await;
}

#[tokio::test]
async fn only_a_trusted_proxy_names_the_client() {
    let request = "GET /organizations/info HTTP/1.1\r\nhost: a\r\n\
                   x-forwarded-for: 192.0.2.66\r\nx-forwarded-for: 198.51.100.1\r\n\r\n";
    let server = Server::start();
    assert_eq!(
        send(server.address, request).await.json()["client_ip"],
        "127.0.0.1"
    );
    server.stop().await;
    let server = Server::with(charter_http::edge::config::EdgeConfig {
        trusted_proxies: vec!["127.0.0.0/8".parse().expect("a network")],
        ..super::test_config()
    });
    assert_eq!(
        send(server.address, request).await.json()["client_ip"],
        "198.51.100.1"
    );
    server.stop().await;
}
