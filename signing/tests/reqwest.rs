//! The middleware signs what is sent, each attempt anew, and only for its server.

#![cfg(test)]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use async_trait::async_trait;
use http_types::Extensions;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use signing::reqwest::{NotSigned, Signer};
use signing::{Authorization, Key, StringToSign, content_matches};

const SECRET: &str = "sk_live_test";
const ACCESS_KEY: &str = "sa_a1b2c3_d4e5f6_demo";

/// A request as it came over the wire.
struct Received {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name}"))
    }

    /// Whether the signature is one over what was received.
    #[track_caller]
    fn assert_signed(&self) {
        let authorization = Authorization::parse(self.header("authorization")).expect("HMAC");
        assert_eq!(authorization.access_key(), ACCESS_KEY);
        let hash = self.header("x-content-sha256");
        let (date, nonce) = (self.header("x-date"), self.header("x-nonce"));
        let signed = StringToSign::new(&self.method, &self.target, date, nonce, hash);
        let signed = signed.expect("well-formed");
        assert!(
            signed
                .verify(&Key::new(SECRET), authorization.signature())
                .is_ok()
        );
        assert!(content_matches(&self.body, hash));
    }
}

/// Answers so many requests with these status codes, and returns them.
fn serve(statuses: &'static [u16]) -> (SocketAddr, JoinHandle<Vec<Received>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let served = std::thread::spawn(move || {
        let answer = |status: &u16| {
            let (stream, _) = listener.accept().expect("a connection");
            let mut reader = BufReader::new(stream);
            let mut line = String::new();
            reader.read_line(&mut line).expect("a request line");
            let mut parts = line.split(' ').map(ToOwned::to_owned);
            let (method, target) = (parts.next().expect("one"), parts.next().expect("one"));
            let mut headers = BTreeMap::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a header");
                let Some((name, value)) = line.trim_end().split_once(": ") else {
                    break;
                };
                headers.insert(name.to_lowercase(), value.to_owned());
            }
            let length = headers
                .get("content-length")
                .map_or(0, |it| it.parse().expect("a number"));
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            let text =
                format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            reader
                .into_inner()
                .write_all(text.as_bytes())
                .expect("sent");
            Received {
                method,
                target,
                headers,
                body,
            }
        };
        statuses.iter().map(answer).collect()
    });
    (address, served)
}

/// Tries again as long as the answer is a 503.
struct Retries;

#[async_trait]
impl Middleware for Retries {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        loop {
            let attempt = request.try_clone().expect("a body of bytes");
            let answer = next.clone().run(attempt, extensions).await?;
            if answer.status() != 503 {
                return Ok(answer);
            }
        }
    }
}

fn client(server: SocketAddr) -> ClientWithMiddleware {
    let base = format!("http://{server}").parse().expect("a URL");
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    ClientBuilder::new(http.build().expect("a client"))
        .with(Retries)
        .with(Signer::new(&base, ACCESS_KEY, Key::new(SECRET)))
        .build()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work)
}

#[test]
fn each_attempt_is_signed_over_the_bytes_that_are_sent() {
    let (server, requests) = serve(&[503, 503, 200]);
    let url = format!("http://{server}/organizations/a b?x=é&y=/%2F");
    let sent = client(server).patch(url).body("{\"name\": \"Zoë\"}").send();
    assert_eq!(run(sent).expect("an answer").status(), 200);
    let received = requests.join().expect("served");
    for request in &received {
        request.assert_signed();
        assert_eq!(request.target, "/organizations/a%20b?x=%C3%A9&y=/%2F");
        assert_eq!(request.body, "{\"name\": \"Zoë\"}".as_bytes());
    }
    let mut nonces: Vec<&str> = received.iter().map(|it| it.header("x-nonce")).collect();
    nonces.sort_unstable();
    nonces.dedup();
    assert_eq!(nonces.len(), 3);
}

#[test]
fn a_request_without_a_body_signs_the_hash_of_nothing() {
    let (server, requests) = serve(&[204]);
    let sent = client(server).get(format!("http://{server}")).send();
    assert_eq!(run(sent).expect("an answer").status(), 204);
    let received = requests.join().expect("served");
    received[0].assert_signed();
    assert_eq!(received[0].target, "/");
}

#[test]
fn another_server_gets_no_signature() {
    let (server, requests) = serve(&[200]);
    let elsewhere = "http://127.0.0.1:1".parse().expect("a URL");
    let client = ClientBuilder::new(reqwest::Client::new())
        .with(Signer::new(&elsewhere, ACCESS_KEY, Key::new(SECRET)))
        .build();
    run(client.get(format!("http://{server}/x")).send()).expect("an answer");
    let received = requests.join().expect("served");
    for name in ["authorization", "x-date", "x-nonce", "x-content-sha256"] {
        assert!(!received[0].headers.contains_key(name), "{name}");
    }
}

#[test]
fn a_request_that_cannot_be_signed_is_not_sent() {
    let base = "http://127.0.0.1:1".parse().expect("a URL");
    let signer = Signer::new(&base, "no key", Key::new(SECRET));
    let mut request = reqwest::Request::new(reqwest::Method::GET, base);
    let refused = signer.sign(&mut request).expect_err("a bad access key");
    assert!(matches!(refused, NotSigned::Malformed(_)), "{refused}");
    assert!(request.headers().is_empty());
    let base = "http://127.0.0.1:1".parse().expect("a URL");
    let signer = Signer::new(&base, ACCESS_KEY, Key::new(SECRET));
    *request.body_mut() = Some(reqwest::Body::wrap(reqwest::Body::from("streamed")));
    assert_eq!(signer.sign(&mut request), Err(NotSigned::StreamedBody));
    assert!(!format!("{signer:?}").contains(SECRET));
}
