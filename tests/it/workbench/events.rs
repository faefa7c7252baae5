//! A reader of server-sent events, byte by byte as they come.

use std::time::Duration;

use serde_json::Value;
use test_support::service::Service;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::TOKEN;

/// Longer than any job takes on a busy machine; only a failing test waits that long.
const WAIT_TIMEOUT: Duration = Duration::from_mins(3);

/// An answer that is still being read. Dropping it hangs up.
pub(super) struct Events {
    stream: TcpStream,
    /// What was read and not looked at.
    text: String,
}

#[derive(Debug)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) data: Value,
}

impl Events {
    /// Asks, and reads the head of the answer, which must be a stream.
    pub(super) async fn of(service: &Service, target: &str, body: &Value) -> Self {
        let events = Self::unless_busy(service, target, body).await;
        events.expect("its turn")
    }

    /// The same; `None` if other work is under way.
    pub(super) async fn unless_busy(service: &Service, target: &str, body: &Value) -> Option<Self> {
        let address = service.operator_side().address();
        let body = body.to_string();
        let request = format!(
            "POST {target} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream.write_all(request.as_bytes()).await.expect("written");
        let mut events = Self {
            stream,
            text: String::new(),
        };
        let head = events.until("\r\n\r\n").await;
        if head.starts_with("HTTP/1.1 429 ") {
            return None;
        }
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        assert!(head.contains("cache-control: no-store"), "{head}");
        assert!(head.contains("transfer-encoding: chunked"), "{head}");
        Some(events)
    }

    /// The next event: each comes as a chunk of its own.
    pub(super) async fn next(&mut self) -> Event {
        let length = self.until("\r\n").await;
        let length = usize::from_str_radix(length.trim_end(), 16).expect("a chunk's length");
        while self.text.len() < length + 2 {
            self.read().await;
        }
        let rest = self.text.split_off(length + 2);
        let chunk = std::mem::replace(&mut self.text, rest);
        let (name, data) = chunk.split_once("\ndata: ").expect("an event");
        let name = name.strip_prefix("event: ").expect("a name").to_owned();
        let data = serde_json::from_str(data.trim_end()).expect("JSON");
        Event { name, data }
    }

    /// The last event, and how many came before it.
    pub(super) async fn last(mut self) -> (Event, usize) {
        let mut before = 0;
        loop {
            let event = self.next().await;
            if event.name != "progress" {
                assert_eq!(self.until("\r\n").await, "0\r\n", "nothing follows");
                return (event, before);
            }
            assert!(event.data["done"].is_u64() && event.data["known"].is_u64());
            before += 1;
        }
    }

    async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.text.find(end) {
                let rest = self.text.split_off(at + end.len());
                return std::mem::replace(&mut self.text, rest);
            }
            self.read().await;
        }
    }

    async fn read(&mut self) {
        let mut bytes = vec![0; 65_536];
        let read = tokio::time::timeout(WAIT_TIMEOUT, self.stream.read(&mut bytes)).await;
        let read = read.expect("in time").expect("read");
        assert!(read > 0, "it ended early: {}", self.text);
        self.text
            .push_str(std::str::from_utf8(&bytes[..read]).expect("text"));
    }
}
