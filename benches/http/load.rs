//! A closed-loop load generator: each connection sends its next request when the answer is whole.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What one run showed.
pub(crate) struct Measured {
    /// Answers a second.
    pub(crate) rate: f64,
    /// Half of the answers came within this time.
    pub(crate) p50: Duration,
    /// Ninety-nine in a hundred did.
    pub(crate) p99: Duration,
    /// Answers other than 200.
    pub(crate) unexpected: usize,
}

/// Sends every request once, spread over the connections.
pub(crate) fn run(host: &str, requests: &[Vec<u8>], connections: usize) -> Measured {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let requests: Arc<Vec<Vec<u8>>> = Arc::new(requests.to_vec());
        let started = Instant::now();
        let tasks: Vec<_> = (0..connections)
            .map(|lane| {
                tokio::spawn(lane_of(
                    host.to_owned(),
                    Arc::clone(&requests),
                    lane,
                    connections,
                ))
            })
            .collect();
        let mut times = Vec::with_capacity(requests.len());
        let mut unexpected = 0;
        for task in tasks {
            let (of_lane, odd) = task.await.expect("a lane");
            times.extend(of_lane);
            unexpected += odd;
        }
        let elapsed = started.elapsed();
        times.sort();
        Measured {
            rate: times.len() as f64 / elapsed.as_secs_f64(),
            p50: times[times.len() / 2],
            p99: times[times.len() * 99 / 100],
            unexpected,
        }
    })
}

async fn lane_of(
    host: String,
    requests: Arc<Vec<Vec<u8>>>,
    lane: usize,
    lanes: usize,
) -> (Vec<Duration>, usize) {
    let mut stream = TcpStream::connect(&host).await.expect("connected");
    stream.set_nodelay(true).expect("an option");
    let mut times = Vec::new();
    let mut unexpected = 0;
    let mut buffer = vec![0; 16 * 1024];
    for request in requests.iter().skip(lane).step_by(lanes) {
        let started = Instant::now();
        stream.write_all(request).await.expect("sent");
        let ok = read_answer(&mut stream, &mut buffer).await;
        times.push(started.elapsed());
        unexpected += usize::from(!ok);
    }
    (times, unexpected)
}

/// Reads one whole answer with a `content-length`; true if it was a 200.
async fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) -> bool {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await.expect("read");
        assert!(read > 0, "the server closed the connection");
        filled += read;
        let Some(end) = buffer[..filled]
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
        else {
            continue;
        };
        let head = std::str::from_utf8(&buffer[..end]).expect("an ascii head");
        let length: usize = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length:")
                    .map(|n| n.trim().parse().expect("a length"))
            })
            .expect("a content-length");
        if filled >= end + 4 + length {
            return head.starts_with("HTTP/1.1 200");
        }
    }
}
