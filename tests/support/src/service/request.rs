//! Builds requests: signed first, then modified, and sent any number of times.

use std::fmt::Write as _;
use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use charter_domain::clock::Clock as _;
use charter_domain::timestamp;
use salvo::hyper::http;
use serde_json::Value;

use super::TestClock;
use crate::client::{Answer, send, send_h2};

type Headers = Vec<(String, String)>;

/// The credentials of a request.
#[derive(Clone)]
pub struct Signature {
    pub access_key: String,
    pub secret_key: String,
    pub clock: Arc<TestClock>,
}

/// A request that is not signed yet.
#[must_use = "a request is sent by awaiting it"]
pub struct Request {
    address: SocketAddr,
    method: String,
    target: String,
    body: Vec<u8>,
    headers: Headers,
    signature: Option<Signature>,
    date: Option<String>,
    nonce: Option<String>,
    over_h2: bool,
}

/// A request as it is sent.
#[derive(Clone)]
pub struct Written {
    address: SocketAddr,
    method: String,
    target: String,
    headers: Headers,
    body: Vec<u8>,
    over_h2: bool,
}

impl Request {
    pub fn new(
        address: SocketAddr,
        signature: Option<Signature>,
        method: &str,
        target: &str,
    ) -> Self {
        Self {
            address,
            method: method.to_owned(),
            target: target.to_owned(),
            body: Vec::new(),
            headers: Vec::new(),
            signature,
            date: None,
            nonce: None,
            over_h2: false,
        }
    }

    pub fn json(self, body: &Value) -> Self {
        self.body(body.to_string())
    }

    /// A body with the content type of JSON.
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        self.typed("application/json", body)
    }

    pub fn typed(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    /// Adds a header, which the signature does not cover.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets `x-date`; by default it is the service's time.
    pub fn dated(mut self, date: &str) -> Self {
        self.date = Some(date.to_owned());
        self
    }

    /// Sets `x-nonce`; by default it is a new one.
    pub fn nonce(mut self, nonce: &str) -> Self {
        self.nonce = Some(nonce.to_owned());
        self
    }

    /// Sends it over HTTP/2 instead of HTTP/1.1.
    pub fn over_h2(mut self) -> Self {
        self.over_h2 = true;
        self
    }

    /// Signs it; later changes are not covered by the signature.
    pub fn write(self) -> Written {
        let mut headers = self.headers;
        if let Some(signature) = &self.signature {
            let now = timestamp::format(signature.clock.now());
            let request = signing::Request {
                method: &self.method,
                target: &self.target,
                body: &self.body,
                date: self.date.as_deref().unwrap_or(&now),
                nonce: &self.nonce.unwrap_or_else(new_nonce),
            };
            let key = signing::Key::new(&signature.secret_key);
            let signed = request.sign(&signature.access_key, &key).expect("signable");
            let pairs = signed.pairs();
            headers.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        Written {
            address: self.address,
            method: self.method,
            target: self.target,
            headers,
            body: self.body,
            over_h2: self.over_h2,
        }
    }
}

impl IntoFuture for Request {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.write().send().await })
    }
}

impl Written {
    /// Replaces a header after signing.
    pub fn instead(mut self, name: &str, value: &str) -> Self {
        let header = self.headers.iter_mut().find(|(other, _)| other == name);
        value.clone_into(&mut header.expect("the header is there").1);
        self
    }

    /// Removes a header after signing.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self
    }

    /// Adds a header after signing.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Changes the target after signing.
    pub fn to(mut self, target: &str) -> Self {
        target.clone_into(&mut self.target);
        self
    }

    /// Changes the method after signing.
    pub fn by(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    /// Changes the body after signing.
    pub fn carrying(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it over HTTP/2 instead of HTTP/1.1.
    pub fn over_h2(mut self) -> Self {
        self.over_h2 = true;
        self
    }

    pub fn header(&self, name: &str) -> &str {
        let header = self.headers.iter().find(|(other, _)| other == name);
        &header.expect("the header is there").1
    }

    /// Request line and headers of HTTP/1.1 with the blank line, for a body of this length.
    pub fn head(&self, content_length: usize) -> String {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nhost: {}\r\n",
            self.method, self.target, self.address
        );
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if content_length > 0 || self.method != "GET" {
            let _ = write!(head, "content-length: {content_length}\r\n");
        }
        head + "\r\n"
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends it on a connection of its own.
    pub async fn send(&self) -> Answer {
        if self.over_h2 {
            return self.send_h2().await;
        }
        let bytes = [self.head(self.body.len()).as_bytes(), &self.body].concat();
        send(self.address, bytes).await
    }

    async fn send_h2(&self) -> Answer {
        let uri = format!("http://{}{}", self.address, self.target);
        let mut request = http::Request::builder().method(&*self.method).uri(uri);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(()).expect("a request");
        let body: &[&[u8]] = &[&self.body];
        let pieces = if self.body.is_empty() { &[] } else { body };
        send_h2(self.address, request, pieces)
            .await
            .expect("an answer")
    }
}

/// Sends all requests concurrently; returns the responses in the order of the requests.
pub async fn all_at_once(requests: impl IntoIterator<Item = Written>) -> Vec<Answer> {
    let requests: Vec<_> = requests.into_iter().collect();
    futures_util::future::join_all(requests.iter().map(Written::send)).await
}

/// A nonce that this process has not used.
pub fn new_nonce() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("nonce-{:08}", COUNT.fetch_add(1, Ordering::Relaxed))
}
