//! Builds signed requests part by part, and sends them over HTTP/1.1 and HTTP/2.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use charter_domain::clock::{Clock as _, SystemClock};
use charter_domain::timestamp;
use salvo::hyper::body::Bytes;
use salvo::hyper::http;
use serde_json::Value;
use signing::{Key, Request};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Longer than any response takes.
pub const WAIT_TIMEOUT: Duration = Duration::from_mins(1);

#[derive(Clone)]
pub struct Credentials {
    pub access_key: String,
    pub secret_key: String,
    key: Key,
}

impl Credentials {
    pub fn new(access_key: &str, secret_key: &str) -> Self {
        Self {
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
            key: Key::new(secret_key),
        }
    }

    /// Signs with the current time and a new nonce.
    pub fn sign(&self, method: &str, target: &str, body: &str) -> Signed {
        let date = timestamp::format(SystemClock::start().now());
        self.sign_with(method, target, body, &date, &nonce())
    }

    pub fn sign_with(
        &self,
        method: &str,
        target: &str,
        body: &str,
        date: &str,
        nonce: &str,
    ) -> Signed {
        let request = Request {
            method,
            target,
            body: body.as_bytes(),
            date,
            nonce,
        };
        let headers = request
            .sign(&self.access_key, &self.key)
            .expect("a form that can be signed");
        let (_, signature) = headers
            .authorization
            .split_once(':')
            .expect("a key and a signature");
        Signed {
            method: method.to_owned(),
            target: target.to_owned(),
            access_key: self.access_key.clone(),
            signature: signature.to_owned(),
            date: headers.date,
            nonce: headers.nonce,
            content_sha256: headers.content_sha256,
            body: body.to_owned(),
        }
    }
}

/// A nonce that no other test uses.
pub fn nonce() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemClock::start().now().timestamp_micros();
    format!("{:x}-{now:x}-{count:x}", std::process::id())
}

/// A signed request in parts, each of which can be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub method: String,
    pub target: String,
    pub access_key: String,
    pub signature: String,
    pub date: String,
    pub nonce: String,
    pub content_sha256: String,
    pub body: String,
}

impl Signed {
    fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            (
                "authorization",
                format!("HMAC {}:{}", self.access_key, self.signature),
            ),
            ("x-date", self.date.clone()),
            ("x-nonce", self.nonce.clone()),
            ("x-content-sha256", self.content_sha256.clone()),
        ];
        if !self.body.is_empty() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        headers
    }

    /// Request line and headers of HTTP/1.1, with `length` as the body's length.
    pub fn head_announcing(&self, length: u64) -> String {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nhost: charter.test\r\n",
            self.method, self.target
        );
        for (name, value) in self.headers() {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if length > 0 {
            let _ = write!(head, "content-length: {length}\r\n");
        }
        head + "\r\n"
    }

    /// In the format of HTTP/1.1.
    pub fn bytes(&self) -> Vec<u8> {
        let length = self.body.len().try_into().expect("a length");
        (self.head_announcing(length) + &self.body).into_bytes()
    }

    fn h2(&self) -> Option<http::Request<()>> {
        let mut request = http::Request::builder()
            .method(self.method.as_str())
            .uri(format!("http://charter.test{}", self.target));
        for (name, value) in self.headers() {
            request = request.header(name, value);
        }
        request.body(()).ok()
    }
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The error's code.
    pub fn code(&self) -> String {
        let json = self.json();
        json["error"]["code"]
            .as_str()
            .unwrap_or_else(|| panic!("no error: {json}"))
            .to_owned()
    }

    #[track_caller]
    pub fn assert_refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code().as_str()), (status, code));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

/// A client with one connection, which is replaced if the server has closed it.
pub struct Client {
    address: SocketAddr,
    protocol: Protocol,
    connection: Option<Connection>,
}

enum Connection {
    Http1(Http1),
    Http2(
        h2::client::SendRequest<Bytes>,
        #[expect(dead_code, reason = "drives it")] JoinSet<()>,
    ),
}

impl Client {
    pub const fn new(address: SocketAddr, protocol: Protocol) -> Self {
        Self {
            address,
            protocol,
            connection: None,
        }
    }

    pub const fn http1(address: SocketAddr) -> Self {
        Self::new(address, Protocol::Http1)
    }

    /// Sends a request, which must be answered.
    pub async fn send(&mut self, request: &Signed) -> Answer {
        let answer = self.try_send(request).await;
        answer.unwrap_or_else(|| panic!("no answer to {request:?}"))
    }

    /// Sends a request; `None` without a response. The next request then uses a new connection.
    pub async fn try_send(&mut self, request: &Signed) -> Option<Answer> {
        let exchange = async {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => Connection::open(self.address, self.protocol).await?,
            };
            let (answer, goes_on) = connection.exchange(request).await?;
            if goes_on {
                self.connection = Some(connection);
            }
            Some(answer)
        };
        tokio::time::timeout(WAIT_TIMEOUT, exchange)
            .await
            .expect("an answer in time")
    }
}

impl Connection {
    async fn open(address: SocketAddr, protocol: Protocol) -> Option<Self> {
        if protocol == Protocol::Http1 {
            return Http1::open(address).await.map(Self::Http1);
        }
        let stream = TcpStream::connect(address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (sender, connection) = h2::client::handshake(stream).await.ok()?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // Errors show in the requests.
            let _ = connection.await;
        });
        Some(Self::Http2(sender, driver))
    }

    async fn exchange(&mut self, request: &Signed) -> Option<(Answer, bool)> {
        match self {
            Self::Http1(connection) => {
                connection.write(&request.bytes()).await?;
                connection.answer_to(&request.method).await
            }
            Self::Http2(sender, _) => {
                let ready = sender.clone().ready().await.ok()?;
                *sender = ready;
                let empty = request.body.is_empty();
                let (response, mut stream) = sender.send_request(request.h2()?, empty).ok()?;
                if !empty {
                    // The response may arrive before the body is sent.
                    let _ = stream.send_data(request.body.clone().into(), true);
                }
                let (head, mut incoming) = response.await.ok()?.into_parts();
                let mut body = Vec::new();
                while let Some(data) = incoming.data().await {
                    let data = data.ok()?;
                    let _ = incoming.flow_control().release_capacity(data.len());
                    body.extend_from_slice(&data);
                }
                let status = head.status.as_u16();
                Some((Answer { status, body }, true))
            }
        }
    }
}

/// An HTTP/1.1 connection.
pub struct Http1(BufReader<TcpStream>);

impl Http1 {
    pub async fn open(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        Some(Self(BufReader::new(stream)))
    }

    /// `None` if the server has closed the connection.
    pub async fn write(&mut self, bytes: &[u8]) -> Option<()> {
        self.0.write_all(bytes).await.ok()
    }

    /// The next response, and whether the connection stays open.
    pub async fn answer(&mut self) -> Option<(Answer, bool)> {
        self.answer_to("GET").await
    }

    async fn answer_to(&mut self, method: &str) -> Option<(Answer, bool)> {
        let mut line = String::new();
        self.0.read_line(&mut line).await.ok()?;
        let status = line.get(9..12)?.parse().ok()?;
        let (mut length, mut goes_on) = (0, true);
        loop {
            line.clear();
            self.0.read_line(&mut line).await.ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            match name {
                "content-length" => length = value.parse().ok()?,
                "connection" => goes_on = value != "close",
                _ => {}
            }
        }
        let mut body = vec![0; if method == "HEAD" { 0 } else { length }];
        self.0.read_exact(&mut body).await.ok()?;
        Some((Answer { status, body }, goes_on && status >= 200))
    }
}
