//! No path of HTTP/2 loses its fragment, however its name is written and its frames are cut.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::Server;
use super::floods::{frame, goaway};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PRIORITY: u8 = 0x20;
const PROTOCOL_ERROR: u32 = 1;

async fn connect(address: SocketAddr) -> (OwnedReadHalf, OwnedWriteHalf) {
    let stream = TcpStream::connect(address).await.expect("it listens");
    let (reading, mut writing) = stream.into_split();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    writing.write_all(preface).await.expect("it reads");
    (reading, writing)
}

/// `:method GET` and `:scheme http` from the static table (RFC 7541), `:path` as given, `:authority a`.
fn get(path: &[u8]) -> Vec<u8> {
    [&[0x82, 0x86], path, b"\x01\x01a"].concat()
}

fn literal(first: &[u8], value: &str) -> Vec<u8> {
    let length = u8::try_from(value.len()).expect("a short value");
    [first, &[length], value.as_bytes()].concat()
}

fn request(stream: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, block)
}

/// The body of the next answer; the server's frames have no more than one for it.
async fn answer(reading: &mut OwnedReadHalf) -> Value {
    loop {
        let mut head = [0; 9];
        reading.read_exact(&mut head).await.expect("a frame");
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        reading.read_exact(&mut payload).await.expect("its payload");
        if head[3] == DATA {
            return serde_json::from_slice(&payload).expect("JSON");
        }
    }
}

#[tokio::test]
async fn a_fragment_is_refused_however_the_name_is_written() {
    let server = Server::start();
    let (mut reading, mut writing) = connect(server.address).await;
    let mut stream = 1;
    // The newest entry of the dynamic table is 62. What is 63 then, the third request inserted once more as 62.
    for (path, is_served) in [
        (literal(&[0x44], "/organizations/info"), true),
        (literal(&[0x0f, 47], "/organizations/info#x"), false),
        (literal(&[0x1f, 47], "/organizations/info#x"), false),
        (literal(&[0x7e], "/organizations/info#x"), false),
        (vec![0xbe], false),
        (vec![0xbf], true),
    ] {
        let sent = request(stream, &get(&path));
        writing.write_all(&sent).await.expect("it reads");
        let answer = answer(&mut reading).await;
        let (member, value) = if is_served {
            ("/target", "/organizations/info")
        } else {
            ("/error/code", "NON_CANONICAL_TARGET")
        };
        assert_eq!(answer.pointer(member), Some(&value.into()), "{path:?}");
        stream += 2;
    }
    server.stop().await;
}

#[tokio::test]
async fn frames_that_cannot_be_followed_end_the_connection() {
    let server = Server::start();
    let good = get(&literal(&[0x04], "/organizations/info"));
    let depends_on_itself = [&[0, 0, 0, 1, 16], &good[..]].concat();
    let malformed = [good.clone(), literal(b"\0\x0aconnection", "close")].concat();
    let mut large = good;
    for n in 0..400 {
        large.extend(literal(
            format!("\0\x08x-a{n:05}").as_bytes(),
            &"v".repeat(120),
        ));
        large.extend(literal(
            format!("\0\x08x-b{n:05}").as_bytes(),
            &"v".repeat(63),
        ));
    }
    let mut pieces = large.chunks(16_384);
    let first = pieces.next().expect("it is large");
    let mut too_large = frame(HEADERS, END_STREAM, 1, first);
    assert_eq!(pieces.len(), 5, "more the library does not take");
    while let Some(piece) = pieces.next() {
        let flags = if pieces.len() == 0 { END_HEADERS } else { 0 };
        too_large.extend(frame(CONTINUATION, flags, 1, piece));
    }
    for (what, sent) in [
        (
            "within a block that is reset for its priority",
            frame(HEADERS, END_STREAM | PRIORITY, 1, &depends_on_itself),
        ),
        (
            "within a block that is reset as malformed",
            frame(HEADERS, END_STREAM, 1, &malformed),
        ),
        ("after a block that is too large", too_large),
    ] {
        let (mut reading, mut writing) = connect(server.address).await;
        let fragment = get(&literal(&[0x04], "/organizations/info#x"));
        let sent = [sent, request(3, &fragment)].concat();
        writing.write_all(&sent).await.expect("it reads");
        assert_eq!(goaway(&mut reading).await, Some(PROTOCOL_ERROR), "{what}");
    }
    server.stop().await;
}
