//! `charter proxy` signs what programs on this machine send, and nothing for anybody else.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use test_support::client::{Answer, Client, send};

use crate::signed_server::{ACCESS_KEY, ANSWER, SECRET_KEY, SignedServer};

struct Proxy {
    process: Child,
    address: SocketAddr,
}

impl Proxy {
    fn start(base_url: &str, arguments: &[&str]) -> Self {
        let mut process = command(base_url, arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut line = String::new();
        let out = process.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut line).expect("a line");
        assert!(
            line.contains(base_url) && line.contains(ACCESS_KEY),
            "{line}"
        );
        let address = line.split("http://").nth(1).and_then(|rest| {
            let (address, _) = rest.split_once(' ')?;
            address.parse().ok()
        });
        let address = address.unwrap_or_else(|| panic!("no address in `{line}`"));
        Self { process, address }
    }

    /// Sends `head` (request line and headers, without a host) and a body.
    async fn send(&self, head: &str, body: &str) -> Answer {
        let (line, headers) = head.split_once("\r\n").unwrap_or((head, ""));
        let address = self.address;
        let request = format!(
            "{line} HTTP/1.1\r\nhost: {address}\r\n{headers}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        send(address, request).await
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}

fn command(base_url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_charter"));
    command
        .args(["proxy", "--listen", "127.0.0.1:0"])
        .args(arguments)
        .env_clear()
        .env("CHARTER_BASE_URL", base_url)
        .env("CHARTER_ACCESS_KEY", ACCESS_KEY)
        .env("CHARTER_SECRET_KEY", SECRET_KEY);
    command
}

#[tokio::test]
async fn requests_are_signed_and_otherwise_unchanged() {
    let server = SignedServer::start();
    let proxy = Proxy::start(&server.base_url, &[]);
    for (line, body) in [
        ("GET /organizations/info", ""),
        ("GET /service-accounts?page=1&order_by=%2dname", ""),
        ("GET /organizations/info?a=//./../%69nfo/;b", ""),
        ("PATCH /organizations/info", "{\"name\":\"Ação Ltda ☂\"}"),
        ("POST /rotate", " {}\n"),
        ("DELETE /service-accounts/sa-0", ""),
    ] {
        // What it would sign itself, and what concerns this connection alone, goes no further.
        let headers = "authorization: Bearer of-somebody\r\nx-nonce: chosen-nonce\r\nx-hop: 1\r\n\
                       connection: x-hop\r\nx-request-id: r-7\r\nif-match: \"1\"\r\n";
        for _ in 0..2 {
            let answer = proxy.send(&format!("{line}\r\n{headers}"), body).await;
            assert_eq!(answer.status, 200, "{line}");
            assert_eq!(String::from_utf8_lossy(&answer.body), ANSWER);
        }
        let received = server.received();
        assert_eq!(received.len(), 2, "{line}");
        for request in received {
            assert_eq!(request.fault, None);
            assert_eq!(format!("{} {}", request.method, request.target), line);
            assert_eq!(request.body, body.as_bytes());
            assert_eq!(request.header("x-request-id"), Ok("r-7"));
            assert_eq!(request.header("if-match"), Ok("\"1\""));
            assert!(request.header("x-hop").is_err());
        }
    }
}

#[tokio::test]
async fn pages_other_hosts_and_large_bodies_never_reach_the_server() {
    let server = SignedServer::start();
    let proxy = Proxy::start(&server.base_url, &["--body-limit", "8"]);
    let page = proxy
        .send("GET /a\r\norigin: https://shop.example\r\n", "")
        .await;
    page.assert_refused(403, "ORIGIN_NOT_ALLOWED");
    let rebound = "GET /a HTTP/1.1\r\nhost: shop.example\r\n\r\n";
    let rebound = send(proxy.address, rebound.to_owned()).await;
    rebound.assert_refused(400, "BAD_HOST");
    let large = proxy.send("POST /a", "123456789").await;
    large.assert_refused(413, "PAYLOAD_TOO_LARGE");
    let mut chunked = Client::connect(proxy.address).await;
    let head = "POST /a HTTP/1.1\r\nhost: localhost:";
    let port = proxy.address.port();
    let chunks = "transfer-encoding: chunked\r\n\r\n9\r\n123456789\r\n0\r\n\r\n";
    chunked.write(format!("{head}{port}\r\n{chunks}")).await;
    let large = chunked.answer().await.expect("an answer");
    large.assert_refused(413, "PAYLOAD_TOO_LARGE");
    assert!(server.received().is_empty());
    let right = proxy.send("POST /a", "12345678").await;
    assert_eq!(right.status, 200);
}

#[tokio::test]
async fn what_the_server_refuses_in_a_head_is_not_repaired() {
    let server = SignedServer::start();
    let proxy = Proxy::start(&server.base_url, &[]);
    let host = format!("host: {}\r\n", proxy.address);
    for (request, status, code) in [
        (
            "GET /a#frag HTTP/1.1\r\nHOST\r\n",
            400,
            "NON_CANONICAL_TARGET",
        ),
        (
            "PATCH /a?page=1#&quantity=x HTTP/1.1\r\nHOST\r\n",
            400,
            "NON_CANONICAL_TARGET",
        ),
        (
            "GET /a\"<> HTTP/1.1\r\nHOST\r\n",
            400,
            "NON_CANONICAL_TARGET",
        ),
        (
            "GET //a/./../%69nfo HTTP/1.1\r\nHOST\r\n",
            400,
            "NON_CANONICAL_TARGET",
        ),
        (
            "PATCH /a HTTP/1.1\r\nHOSTtransfer-encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
            501,
            "NOT_IMPLEMENTED",
        ),
        (
            "PATCH /a HTTP/1.1\r\nHOSTtransfer-encoding: xchunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
            501,
            "NOT_IMPLEMENTED",
        ),
        (
            "PATCH /a HTTP/1.1\r\nHOSTcontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            "INVALID_REQUEST",
        ),
        (
            "PATCH /a HTTP/1.1\r\nHOSTcontent-length: 1\r\ncontent-length: 1\r\n\r\nx",
            400,
            "INVALID_REQUEST",
        ),
        ("GET /a HTTP/1.1\nHOST\r\n", 400, "INVALID_REQUEST"),
        (
            "GET /a HTTP/1.1\r\nHOSTa: b\nc: d\r\n\r\n",
            400,
            "INVALID_REQUEST",
        ),
        ("GET /a HTTP/1.0\r\nHOST\r\n", 400, "INVALID_REQUEST"),
    ] {
        let answer = send(proxy.address, request.replace("HOST", &host)).await;
        answer.assert_refused(status, code);
        assert_eq!(answer.header("connection"), Some("close"), "{request}");
        assert!(server.received().is_empty(), "{request}");
    }
    let named = proxy.send("GET /a/\r\nx-request-id: r-7\r\n", "").await;
    assert_eq!(named.header("x-request-id"), Some("r-7"));
    assert_eq!(named.json()["error"]["request_id"], "r-7");
}

#[tokio::test]
async fn a_declared_length_over_the_limit_is_not_waited_for() {
    let server = SignedServer::start();
    let proxy = Proxy::start(&server.base_url, &[]);
    let address = proxy.address;
    let mut client = Client::connect(address).await;
    client
        .write(format!(
            "PATCH /a HTTP/1.1\r\nhost: {address}\r\ncontent-length: 10000000000\r\n\r\n"
        ))
        .await;
    let refused = client.answer().await.expect("an answer");
    refused.assert_refused(413, "PAYLOAD_TOO_LARGE");
    assert!(client.is_closed().await);
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn no_server_is_said_and_a_refusal_is_passed_on() {
    let proxy = Proxy::start("http://127.0.0.1:1", &[]);
    proxy
        .send("GET /a", "")
        .await
        .assert_refused(502, "UNAVAILABLE");
    let server = SignedServer::start();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("secret");
    std::fs::write(&file, "another-secret\n").expect("written");
    let file = file.display().to_string();
    let proxy = Proxy::start(&server.base_url, &["--secret-key-file", &file]);
    let refused = proxy.send("GET /a", "").await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.json()["error"]["code"], "INVALID_SIGNATURE");
}

#[test]
fn it_stops_when_told_and_starts_on_loopback_alone() {
    let server = SignedServer::start();
    let mut proxy = Proxy::start(&server.base_url, &[]);
    let arguments = format!("/proc/{}/cmdline", proxy.process.id());
    let arguments = std::fs::read_to_string(arguments).expect("arguments");
    assert!(arguments.contains("proxy") && !arguments.contains(SECRET_KEY));
    let process = proxy.process.id().to_string();
    let told = Command::new("kill").args(["-TERM", &process]).status();
    assert!(told.expect("kill").success());
    assert_eq!(proxy.process.wait().expect("it ends").code(), Some(0));

    for (arguments, said) in [
        (&["--listen", "0.0.0.0:0"][..], "loopback"),
        (&["--listen", "[::]:0"], "loopback"),
        (&["--base-url", "http://127.0.0.1:1/path"], "base URL"),
        (&["--secret-key-file", "/nowhere/at/all"], "/nowhere/at/all"),
        (&["--secret-key-file", "/dev/null"], "it is empty"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_charter"));
        let output = command
            .arg("proxy")
            .args(arguments)
            .env_clear()
            .env("CHARTER_ACCESS_KEY", ACCESS_KEY)
            .env("CHARTER_SECRET_KEY", SECRET_KEY)
            .output()
            .expect("the binary runs");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            words.contains(said) && !words.contains(SECRET_KEY),
            "{words}"
        );
    }
}

#[test]
fn it_does_not_start_without_a_secret() {
    for secret in [Some(""), None, Some("sk_live_a\n"), Some("sk_live a")] {
        let mut command = command("http://127.0.0.1:1", &[]);
        command.env_remove("CHARTER_SECRET_KEY");
        if let Some(secret) = secret {
            command.env("CHARTER_SECRET_KEY", secret);
        }
        let output = command.output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(2));
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(words.contains("CHARTER_SECRET_KEY"), "{words}");
    }
}
