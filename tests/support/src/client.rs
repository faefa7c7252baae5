//! A client that sends exactly the given bytes.

use std::net::SocketAddr;
use std::time::Duration;

use salvo::hyper::body::Bytes;
use salvo::hyper::http;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Longer than any deadline in the tests.
const WAIT_TIMEOUT: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The error's code, after checking what all error responses have in common.
    #[track_caller]
    pub fn code(&self) -> String {
        let error = &self.json()["error"];
        assert!(
            error["type"].is_string() && error["message"].is_string(),
            "{error}"
        );
        assert_eq!(error["request_id"].as_str(), self.header("x-request-id"));
        assert_eq!(self.header("x-correlation-id"), self.header("x-request-id"));
        assert_eq!(
            self.header("content-type"),
            Some("application/json; charset=utf-8")
        );
        assert_eq!(self.header("cache-control"), Some("no-store"));
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
        error["code"].as_str().expect("a code").to_owned()
    }

    #[track_caller]
    pub fn assert_refused(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status, self.code().as_str()),
            (status, code),
            "{self:?}"
        );
    }
}

pub struct Client(BufReader<TcpStream>);

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("it listens");
        stream.set_nodelay(true).expect("a TCP socket");
        Self::on(stream)
    }

    /// On a connection that may have sent something already.
    pub fn on(stream: TcpStream) -> Self {
        Self(BufReader::new(stream))
    }

    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        // The server may have closed the connection already; the response shows it.
        let _ = self.0.write_all(bytes.as_ref()).await;
        let _ = self.0.flush().await;
    }

    /// Whether the server still accepts a byte.
    pub async fn can_write(&mut self) -> bool {
        self.0.write_all(b"x").await.is_ok()
    }

    /// Sends each byte in a segment of its own, as far as loopback allows.
    pub async fn dribble(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write([*byte]).await;
            tokio::task::yield_now().await;
        }
    }

    pub async fn close_sending(&mut self) {
        self.0.get_mut().shutdown().await.expect("an open socket");
    }

    /// The next response, or `None` if the connection is closed.
    pub async fn answer(&mut self) -> Option<Answer> {
        self.answer_to("GET").await
    }

    pub async fn answer_to(&mut self, method: &str) -> Option<Answer> {
        tokio::time::timeout(WAIT_TIMEOUT, self.read(method))
            .await
            .expect("an answer in time")
    }

    /// Whether the server has closed the connection without sending another byte.
    pub async fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        let read = tokio::time::timeout(WAIT_TIMEOUT, self.0.read_to_end(&mut rest)).await;
        read.is_ok() && rest.is_empty()
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(self.0.read_u8().await.ok()?);
        }
        Some(
            String::from_utf8(line)
                .expect("a text line")
                .trim_end()
                .to_owned(),
        )
    }

    async fn read(&mut self, method: &str) -> Option<Answer> {
        let status: u16 = self.line().await?.get(9..12)?.parse().expect("a status");
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            headers.push((name.to_owned(), value.to_owned()));
        }
        let length = headers
            .iter()
            .find(|(name, _)| name == "content-length")
            .map_or(0, |(_, value)| value.parse().expect("a length"));
        let mut body = vec![0; if method == "HEAD" { 0 } else { length }];
        self.0.read_exact(&mut body).await.ok()?;
        Some(Answer {
            status,
            headers,
            body,
        })
    }
}

/// Sends one request on a connection of its own.
pub async fn send(address: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    let mut client = Client::connect(address).await;
    let is_head = request.as_ref().starts_with(b"HEAD ");
    client.write(request).await;
    let answer = client.answer_to(if is_head { "HEAD" } else { "GET" });
    answer.await.expect("an answer")
}

pub async fn get(address: SocketAddr, target: impl AsRef<[u8]>) -> Answer {
    send(
        address,
        [b"GET ", target.as_ref(), b" HTTP/1.1\r\nhost: a\r\n\r\n"].concat(),
    )
    .await
}

/// A PATCH of the organization.
pub async fn patch(address: SocketAddr, body: &[u8]) -> Answer {
    let head = format!(
        "PATCH /organizations/info HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    send(address, [head.as_bytes(), body].concat()).await
}

/// A GET over HTTP/2 with prior knowledge; or the reset of its stream.
pub async fn get_h2(address: SocketAddr, request: http::Request<()>) -> Option<Answer> {
    send_h2(address, request, &[]).await
}

/// A request over HTTP/2 whose body is sent in pieces every 50 ms until a response arrives.
pub async fn send_h2(
    address: SocketAddr,
    request: http::Request<()>,
    pieces: &[&[u8]],
) -> Option<Answer> {
    let stream = TcpStream::connect(address).await.expect("it listens");
    let (mut sender, connection) = h2::client::handshake(stream).await.expect("a handshake");
    #[expect(clippy::disallowed_methods, reason = "drives the test's connection")]
    let driver = tokio::spawn(connection);
    let exchange = async {
        let (mut response, mut body) = sender.send_request(request, pieces.is_empty()).ok()?;
        let mut early = None;
        for (index, piece) in pieces.iter().enumerate() {
            let last = index + 1 == pieces.len();
            if body.send_data(Bytes::copy_from_slice(piece), last).is_err() || last {
                break;
            }
            let waited = tokio::time::timeout(Duration::from_millis(50), &mut response).await;
            if let Ok(answered) = waited {
                early = Some(answered);
                break;
            }
        }
        let response = match early {
            Some(answered) => answered,
            None => response.await,
        };
        let (head, mut stream) = response.ok()?.into_parts();
        let mut body = Vec::new();
        while let Some(data) = stream.data().await {
            body.extend_from_slice(&data.ok()?);
        }
        let text = |value: &http::HeaderValue| value.to_str().expect("text").to_owned();
        Some(Answer {
            status: head.status.as_u16(),
            headers: head
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect(),
            body,
        })
    };
    let answer = tokio::time::timeout(WAIT_TIMEOUT, exchange)
        .await
        .expect("an answer in time");
    driver.abort();
    answer
}

/// The response body for a GET with a `:path` that client libraries refuse.
pub async fn get_h2_raw(address: SocketAddr, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let length = u8::try_from(path.len()).expect("a short path");
    // RFC 7541: `:method GET` and `:scheme http` indexed, `:path` and `:authority` literal.
    let block = [&[0x82, 0x86, 0x04, length], path.as_bytes(), b"\x01\x01a"].concat();
    let block_length = u8::try_from(block.len()).expect("a short block");
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    // HEADERS, END_STREAM and END_HEADERS, on stream 1.
    bytes.extend([0, 0, block_length, 1, 5, 0, 0, 0, 1]);
    bytes.extend(block);
    stream.write_all(&bytes).await.expect("it reads");
    let frames = async {
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.expect("a frame");
            let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
            stream.read_exact(&mut payload).await.expect("its payload");
            if head[3] == 0 {
                return payload;
            }
        }
    };
    tokio::time::timeout(WAIT_TIMEOUT, frames)
        .await
        .expect("an answer in time")
}
