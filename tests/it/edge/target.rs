//! One spelling for each resource, one host for each request.

use salvo::hyper::http::Request;
use test_support::client::{Client, get, get_h2, get_h2_raw, send};

use super::Server;

const NON_CANONICAL: &[&str] = &[
    "/organizations/info/",
    "//organizations/info",
    "/organizations//info",
    "/organizations/./info",
    "/organizations/x/../info",
    "/organizations/%69nfo",
    "/organizations/%2e/info",
    "/organizations%2Finfo",
    "/organizations%2finfo",
    "/organizations%5Cinfo",
    "/things/%00",
    "/things/%c3%a9",
    "/things/%FF",
    "/things/%",
    "/things/%2",
    "/organizations/info;v=1",
    "/organizations/info?",
    "/nowhere/",
    "/nowhere?",
    "*",
];

#[tokio::test]
async fn only_the_canonical_spelling_is_taken() {
    let server = Server::start();
    for target in NON_CANONICAL {
        get(server.address, target)
            .await
            .assert_refused(400, "NON_CANONICAL_TARGET");
    }
    for target in [
        "/organizations/info#",
        "/organizations/info#fragment",
        "/organizations/info?echo=1#fragment",
        "/organizations/info?#",
        "/organizations/in\"fo",
        "/organizations/info?echo=\"",
        "/organizations/info?echo={}",
        "/organizations/info?echo=^",
        "/organizations/info?echo=<",
        "/organizations/info?echo=\\",
        "/things/é",
        "/organizations/info?echo=é",
        "/organizations/info?echo=\u{7f}",
    ] {
        get(server.address, target)
            .await
            .assert_refused(400, "NON_CANONICAL_TARGET");
    }
    for bytes in [
        &b"/things/\xFF"[..],
        b"/things/\x01",
        b"/organizations/info?echo=\x80",
    ] {
        get(server.address, bytes)
            .await
            .assert_refused(400, "NON_CANONICAL_TARGET");
    }
    for target in [
        "/organizations/info",
        "/organizations/info?echo=",
        "/organizations/info?echo=a/b?c",
        "/organizations/info?echo=%61",
        "/things/a:b@c!",
        "/things/%C3%A9%20",
        "http://a/organizations/info",
    ] {
        let answer = get(server.address, target).await;
        assert_eq!(answer.status, 200, "`{target}` was refused: {answer:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn only_the_canonical_spelling_is_taken_over_http2() {
    let server = Server::start();
    for target in NON_CANONICAL
        .iter()
        .filter(|target| target.starts_with('/'))
    {
        // A path that starts with two slashes is no URI for this client.
        let Ok(request) = Request::get(format!("http://a{target}")).body(()) else {
            continue;
        };
        let answer = get_h2(server.address, request).await.expect("an answer");
        answer.assert_refused(400, "NON_CANONICAL_TARGET");
    }
    for target in ["/organizations/info", "/organizations/info?echo=%61"] {
        let request = Request::get(format!("http://a{target}"))
            .body(())
            .expect("a request");
        let answer = get_h2(server.address, request).await.expect("an answer");
        assert_eq!(
            (answer.status, answer.json()["target"].as_str()),
            (200, Some(target))
        );
    }
    let answer = get_h2(
        server.address,
        Request::get("http://a/nowhere")
            .body(())
            .expect("a request"),
    );
    answer
        .await
        .expect("an answer")
        .assert_refused(404, "NOT_FOUND");
    server.stop().await;
}

/// The client's library sends none of them.
#[tokio::test]
async fn illegal_targets_are_refused_over_http2() {
    let server = Server::start();
    for path in [
        "/organizations/info#",
        "/organizations/info#x",
        "/organizations/info?echo=1#x",
        "/organizations/info?#x",
        "/things/a\"b",
        "/things/a^b",
        "/things/a{",
        "/things/a<",
        "/things/a b",
        "/things/\u{e9}",
    ] {
        let answer: serde_json::Value =
            serde_json::from_slice(&get_h2_raw(server.address, path).await).expect("JSON");
        assert_eq!(answer["error"]["code"], "NON_CANONICAL_TARGET", "`{path}`");
    }
    let answer: serde_json::Value =
        serde_json::from_slice(&get_h2_raw(server.address, "/organizations/info?echo=1").await)
            .expect("JSON");
    assert_eq!(answer["target"], "/organizations/info?echo=1");
    server.stop().await;
}

#[tokio::test]
async fn the_target_reaches_the_handler_as_sent() {
    let server = Server::start();
    let answer = get(server.address, "/organizations/info?echo=%7e+%2B").await;
    assert_eq!(answer.json()["target"], "/organizations/info?echo=%7e+%2B");
    assert_eq!(answer.json()["echo"], "~ +");
    get(server.address, "/organizations/info?echo=1&echo=2")
        .await
        .assert_refused(400, "BAD_PARAMETER");
    get(server.address, "/organizations/info?echo=%zz")
        .await
        .assert_refused(400, "BAD_PARAMETER");
    server.stop().await;
}

#[tokio::test]
async fn there_is_exactly_one_host() {
    let server = Server::start();
    for head in [
        "GET /organizations/info HTTP/1.1",
        "GET /organizations/info HTTP/1.1\r\nhost:",
        "GET /organizations/info HTTP/1.1\r\nhost: a\r\nhost: a",
        "GET /organizations/info HTTP/1.1\r\nhost: a\r\nhost: b",
        "GET /organizations/info HTTP/1.1\r\nhost: a, b",
        "GET /organizations/info HTTP/1.1\r\nhost: u@a",
        "GET /organizations/info HTTP/1.1\r\nhost: a/b",
        "GET /organizations/info HTTP/1.1\r\nhost: a:port",
        "GET /organizations/info HTTP/1.1\r\nhost: \u{e9}",
        "GET http://b/organizations/info HTTP/1.1\r\nhost: a",
        "GET http://a/organizations/info HTTP/1.1",
        "GET http://u@a/organizations/info HTTP/1.1\r\nhost: a",
    ] {
        let answer = send(server.address, format!("{head}\r\n\r\n")).await;
        answer.assert_refused(400, "BAD_HOST");
    }
    for host in ["a", "a.example:8080", "127.0.0.1", "[::1]:80"] {
        let head = format!("GET /organizations/info HTTP/1.1\r\nhost: {host}\r\n\r\n");
        assert_eq!(
            send(server.address, head).await.status,
            200,
            "`{host}` was refused"
        );
    }
    for (host, status) in [(None, 200), (Some("a"), 200), (Some("b"), 400)] {
        let mut request = Request::get("http://a/organizations/info");
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let answer = get_h2(server.address, request.body(()).expect("a request")).await;
        assert_eq!(answer.expect("an answer").status, status, "{host:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_bad_target_is_found_however_it_arrives() {
    let server = Server::start();
    let mut client = Client::connect(server.address).await;
    client
        .dribble(b"GET /organizations/info#x HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    client
        .answer()
        .await
        .expect("an answer")
        .assert_refused(400, "NON_CANONICAL_TARGET");

    // Four in one write, on the same connection; the second has a body that looks like a request.
    let trap = "{\"name\":\"GET /#x HTTP/1.1\"}";
    let pipelined = format!(
        "GET /organizations/info HTTP/1.1\r\nhost: a\r\n\r\n\
         PATCH /organizations/info HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n9\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n\
         GET /organizations/info#x HTTP/1.1\r\nhost: a\r\n\r\n\
         GET /organizations/info HTTP/1.1\r\nhost: a\r\n\r\n",
        &trap[..9],
        trap.len() - 9,
        &trap[9..]
    );
    client.write(pipelined).await;
    assert_eq!(client.answer().await.expect("the first").status, 200);
    let second = client.answer().await.expect("the second");
    assert_eq!(second.json()["name"], "GET /#x HTTP/1.1");
    client
        .answer()
        .await
        .expect("the third")
        .assert_refused(400, "NON_CANONICAL_TARGET");
    assert_eq!(client.answer().await.expect("the fourth").status, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_query_has_at_most_sixteen_parameters_on_every_route() {
    let server = Server::start();
    let query = |piece: &str, count: usize| vec![piece; count].join("&");
    for route in ["/organizations/info", "/things/1", "/nowhere", "/panic"] {
        for piece in ["a=1", "a=%zz", "a", ""] {
            let target = format!("{route}?{}", query(piece, 17));
            get(server.address, &target)
                .await
                .assert_refused(400, "BAD_PARAMETER");
        }
    }
    let many = format!("/nowhere?{}", query("x=1", 2_000));
    get(server.address, many)
        .await
        .assert_refused(400, "BAD_PARAMETER");
    get(server.address, format!("/nowhere?{}", query("x=1", 16)))
        .await
        .assert_refused(404, "NOT_FOUND");
    let request = Request::get(format!("http://a/nowhere?{}", query("x=1", 17)));
    let answer = get_h2(server.address, request.body(()).expect("a request")).await;
    answer
        .expect("an answer")
        .assert_refused(400, "BAD_PARAMETER");
    server.stop().await;
}
