//! Frames of HTTP/2 that cost the server more than their sender (RFC 9113 section 10.5): whoever sends too many is told
//! to go, and others are served meanwhile.

use std::net::SocketAddr;
use std::time::Duration;

use charter_http::edge::config::{EdgeConfig, FixedLimits};
use test_support::client::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::{Server, test_config};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ENHANCE_YOUR_CALM: u32 = 11;

/// More than any flood may send before it ends.
const TOO_MUCH: usize = 64 << 20;

/// A loaded machine delays heads of others; here that is no reason to close their connections.
fn patient() -> EdgeConfig {
    EdgeConfig {
        fixed: FixedLimits {
            head_timeout: Duration::from_hours(1),
            ..test_config().fixed
        },
        ..test_config()
    }
}

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload");
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `:method` and `:scheme http` from the static table (RFC 7541), `:path` and `:authority` as literals.
fn head(method: u8, path: &str) -> Vec<u8> {
    let length = u8::try_from(path.len()).expect("a short path");
    [&[method, 0x86, 0x04, length], path.as_bytes(), b"\x01\x01a"].concat()
}

const GET: u8 = 0x82;
const POST: u8 = 0x83;

struct Flood {
    reading: OwnedReadHalf,
    writing: OwnedWriteHalf,
}

impl Flood {
    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("it listens");
        let (reading, mut writing) = stream.into_split();
        let start = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            frame(SETTINGS, 0, 0, &[]),
        ];
        writing.write_all(&start.concat()).await.expect("it reads");
        Self { reading, writing }
    }

    /// Sends `first`, then `repeated` until the server ends the connection; the code of its GOAWAY.
    async fn until_goaway(
        mut self,
        first: Vec<u8>,
        mut repeated: impl FnMut() -> Vec<u8>,
    ) -> Option<u32> {
        let flooding = async {
            let mut sent = first.len();
            let mut wrote = self.writing.write_all(&first).await;
            while wrote.is_ok() {
                let bytes = repeated();
                sent += bytes.len();
                assert!(sent < TOO_MUCH, "the flood goes on");
                wrote = self.writing.write_all(&bytes).await;
            }
        };
        let listening = goaway(&mut self.reading);
        tokio::join!(flooding, listening).1
    }
}

/// The code of the GOAWAY that comes, if one does, before the connection ends.
pub(super) async fn goaway(reading: &mut OwnedReadHalf) -> Option<u32> {
    let mut code = None;
    let mut head = [0; 9];
    while reading.read_exact(&mut head).await.is_ok() {
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        if reading.read_exact(&mut payload).await.is_err() {
            break;
        }
        if head[3] == GOAWAY {
            let bytes = payload[4..8].try_into().expect("four bytes");
            code = Some(u32::from_be_bytes(bytes));
        }
    }
    code
}

/// Others are served as long as the flood goes on.
async fn meanwhile<T>(server: &Server, flood: impl Future<Output = T>) -> T {
    let others = async {
        loop {
            assert_eq!(get(server.address, "/organizations/info").await.status, 200);
        }
    };
    let ended = tokio::select! {
        ended = flood => ended,
        () = others => unreachable!("it never ends"),
    };
    assert_eq!(get(server.address, "/organizations/info").await.status, 200);
    ended
}

#[tokio::test]
async fn requests_that_are_reset_at_once_end_their_connection() {
    let server = Server::with(patient());
    let mut stream = 1;
    let reset = move || {
        let mut frames = Vec::new();
        for _ in 0..1_000 {
            let block = head(GET, "/slow");
            frames.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, &block));
            frames.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
            stream += 2;
        }
        frames
    };
    let flood = Flood::connect(server.address).await;
    let code = meanwhile(&server, flood.until_goaway(Vec::new(), reset)).await;
    assert_eq!(code, Some(ENHANCE_YOUR_CALM));
    server.stop().await;
}

/// Slowly, each request begins before it is reset. Then the number of requests ends the connection, of a client too
/// that ignores GOAWAY and answers no PING.
#[tokio::test]
async fn requests_that_are_reset_later_end_their_connection() {
    let server = Server::with(EdgeConfig {
        max_requests_per_connection: 100,
        ..patient()
    });
    let Flood {
        mut reading,
        mut writing,
    } = Flood::connect(server.address).await;
    let mut listening = std::pin::pin!(goaway(&mut reading));
    let mut stream = 1;
    let mut entered = 0;
    let ended = async {
        loop {
            let block = head(GET, "/gate");
            let request = frame(HEADERS, END_STREAM | END_HEADERS, stream, &block);
            // It fails once the server is gone.
            let _ = writing.write_all(&request).await;
            tokio::select! {
                () = server.gate.entered.notified() => entered += 1,
                code = &mut listening => break code,
            }
            let reset = frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes());
            let _ = writing.write_all(&reset).await;
            stream += 2;
        }
    };
    let code = meanwhile(&server, ended).await;
    assert_eq!(code, Some(0), "it is told to go, without a fault");
    assert!((1_000..=1_100).contains(&entered), "{entered} were begun");
    server.stop().await;
}

#[tokio::test]
async fn heads_without_end_end_their_connection() {
    let server = Server::with(patient());
    let field = [&[0_u8, 1, b'x', 1][..], b"y"].concat();
    for (what, payload) in [
        ("empty", Vec::new()),
        ("one field each", field.clone()),
        ("full of fields", field.repeat(16_384 / field.len())),
        (
            "one endless field",
            [
                &[0_u8, 1, b'x', 0x7F, 0xFF, 0xFF, 0x7F][..],
                &[b'y'; 16_000],
            ]
            .concat(),
        ),
    ] {
        let first = frame(HEADERS, END_STREAM, 1, &head(GET, "/organizations/info"));
        let more = frame(CONTINUATION, 0, 1, &payload);
        let flood = Flood::connect(server.address).await;
        let code = meanwhile(&server, flood.until_goaway(first, || more.clone())).await;
        assert!(code.is_some_and(|code| code != 0), "{what}: {code:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_body_of_empty_frames_ends_its_connection() {
    let server = Server::with(EdgeConfig {
        body: charter_http::edge::body_limits::BodyLimits {
            deadline: Duration::from_hours(1),
            ..test_config().body
        },
        request_deadline: Duration::from_hours(1),
        ..patient()
    });
    let first = frame(HEADERS, END_HEADERS, 1, &head(POST, "/gate"));
    let empty = frame(DATA, 0, 1, &[]).repeat(1_000);
    let flood = Flood::connect(server.address).await;
    let code = meanwhile(&server, flood.until_goaway(first, || empty.clone())).await;
    assert_eq!(code, Some(ENHANCE_YOUR_CALM));
    server.stop().await;
}

/// The server holds at most one answer to them; who does not read those is not read either, and let go.
#[tokio::test]
async fn frames_that_ask_for_an_answer_take_no_memory() {
    let server = Server::with(EdgeConfig {
        fixed: FixedLimits {
            write_stall_timeout: Duration::from_millis(300),
            ..patient().fixed
        },
        ..patient()
    });
    for repeated in [frame(PING, 0, 0, b"12345678"), frame(SETTINGS, 0, 0, &[])] {
        let repeated = repeated.repeat(1_000);
        let Flood {
            reading,
            mut writing,
        } = Flood::connect(server.address).await;
        let flooding = async {
            let mut sent = 0;
            while writing.write_all(&repeated).await.is_ok() {
                sent += repeated.len();
                assert!(sent < TOO_MUCH, "it is read without end");
            }
        };
        meanwhile(&server, flooding).await;
        drop(reading);
    }
    server.stop().await;
}

/// A client that reads the answers is served, and so is everybody else.
#[tokio::test]
async fn a_flood_that_is_answered_delays_nobody() {
    let server = Server::with(patient());
    for (repeated, answer) in [
        (frame(PING, 0, 0, b"12345678"), PING),
        (frame(SETTINGS, 0, 0, &[]), SETTINGS),
    ] {
        let repeated = repeated.repeat(100);
        let Flood {
            mut reading,
            mut writing,
        } = Flood::connect(server.address).await;
        let flooding = async { while writing.write_all(&repeated).await.is_ok() {} };
        let listening = async {
            let mut answers = 0;
            let mut head = [0; 9];
            while answers < 20_000 {
                reading.read_exact(&mut head).await.expect("a frame");
                let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
                reading.read_exact(&mut payload).await.expect("its payload");
                answers += usize::from(head[3] == answer && head[4] == 1);
            }
        };
        let flood = async {
            tokio::select! {
                () = flooding => panic!("it was let go"),
                () = listening => {}
            }
        };
        meanwhile(&server, flood).await;
    }
    server.stop().await;
}
