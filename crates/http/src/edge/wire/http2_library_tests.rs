//! Compares what the library reads with and without the marks: it must read the same requests, but for them.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use h2::server;
use proptest::prelude::*;
use salvo::http::HeaderMap;
use salvo::hyper::body::Bytes;
use tokio::io::AsyncWriteExt;

use super::*;
use crate::edge::wire::header_fields::{PATH, write_string};

type Requests = Vec<(String, HeaderMap)>;

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(it) => it,
        Poll::Pending => panic!("it would wait"),
    }
}

/// The requests that the library reads, of pieces that come one by one.
fn read<'a>(pieces: impl IntoIterator<Item = &'a Vec<u8>>) -> Requests {
    let (mut client, server) = tokio::io::duplex(1 << 20);
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    now(client.write_all(preface)).expect("room");
    let mut builder = server::Builder::new();
    builder.max_header_list_size(64 * 1024);
    let mut connection = now(builder.handshake::<_, Bytes>(server)).expect("a preface");
    let mut context = Context::from_waker(Waker::noop());
    let (mut requests, mut responders) = (Vec::new(), Vec::new());
    for piece in pieces {
        // It fails once the connection has ended.
        let _ = now(client.write_all(piece));
        while let Poll::Ready(Some(Ok((request, responder)))) = connection.poll_accept(&mut context)
        {
            let path = request.uri().path_and_query().expect("a path").to_string();
            requests.push((path, request.headers().clone()));
            responders.push(responder);
        }
    }
    requests
}

#[derive(Debug, Clone)]
enum Name {
    Written(&'static [u8], bool),
    Static(u8),
    /// An entry that was inserted so many entries ago, and one of a path.
    Dynamic(usize),
    DynamicPath(usize),
}

#[derive(Debug, Clone)]
struct Field {
    indexing: u8,
    name: Name,
    value: &'static [u8],
    is_huffman: bool,
}

#[derive(Debug, Clone)]
struct Request {
    resize: Option<u16>,
    path: Field,
    others: Vec<Field>,
    /// Of an entry, as a whole.
    reference: Option<usize>,
    priority: Option<u8>,
    cuts: Vec<prop::sample::Index>,
}

fn field(
    names: impl Strategy<Value = Name>,
    values: &'static [&'static [u8]],
) -> impl Strategy<Value = Field> {
    let indexing = prop::sample::select(&[0_u8, 0x10, 0x40, 0x40][..]);
    let values = prop::sample::select(values);
    (indexing, names, values, any::<bool>()).prop_map(|(indexing, name, value, is_huffman)| Field {
        indexing,
        name,
        value,
        is_huffman,
    })
}

fn request() -> impl Strategy<Value = Request> {
    let path = prop_oneof![
        any::<bool>().prop_map(|is_huffman| Name::Written(PATH, is_huffman)),
        (4_u8..=5).prop_map(Name::Static),
        (0..6_usize).prop_map(Name::DynamicPath),
    ];
    let other = prop_oneof![
        any::<bool>().prop_map(|is_huffman| Name::Written(b"x-note", is_huffman)),
        Just(Name::Static(19)),
        (0..12_usize).prop_map(Name::Dynamic),
        Just(Name::Written(b"", false)),
    ];
    let long: &[u8] = &[b'"'; 700];
    let values: &'static [&'static [u8]] =
        Box::leak(Box::new([&b"\"/a\"b\""[..], b"/a\"b", b"v", b"", long]));
    (
        prop::option::weighted(0.2, 0..5_000_u16),
        field(path, &[b"/a\"b", b"/a", b"/c\"?d=e"]),
        prop::collection::vec(field(other, values), 0..8),
        prop::option::weighted(0.2, 0..12_usize),
        prop::option::weighted(0.2, 0..8_u8),
        prop::collection::vec(any::<prop::sample::Index>(), 0..3),
    )
        .prop_map(
            |(resize, path, others, reference, priority, cuts)| Request {
                resize,
                path,
                others,
                reference,
                priority,
                cuts,
            },
        )
}

/// Writes requests as a client does that forgets no entry.
#[derive(Default)]
struct Client {
    /// Newest last; whether each is a path.
    entries: Vec<bool>,
    stream: u8,
}

impl Client {
    fn request(&mut self, request: &Request) -> Vec<u8> {
        let mut block = Vec::new();
        if let Some(size) = request.resize {
            integer(0x20, 5, size.into(), &mut block);
        }
        block.extend([0x82, 0x86, 0x01, 1, b'a']);
        self.field(&request.path, &mut block);
        // A second path makes a request malformed. What the library does then depends on the frames, which marks
        // change.
        let may_be_malformed = request.cuts.is_empty();
        for field in &request.others {
            match field.name {
                Name::Dynamic(ago) if !may_be_malformed && self.is_path(ago) => {}
                _ => self.field(field, &mut block),
            }
        }
        if let Some(ago) = request.reference
            && (may_be_malformed || !self.is_path(ago))
        {
            integer(0x80, 7, self.index(ago), &mut block);
        }
        self.stream += 2;
        self.frames(request, &block)
    }

    fn index(&self, ago: usize) -> usize {
        62 + ago % self.entries.len().max(1)
    }

    fn is_path(&self, ago: usize) -> bool {
        let at = self.index(ago) - 62;
        self.entries.iter().rev().nth(at) == Some(&true)
    }

    fn field(&mut self, field: &Field, block: &mut Vec<u8>) {
        let prefix = if field.indexing == 0x40 { 6 } else { 4 };
        let paths = self.entries.iter().rev().enumerate();
        let paths: Vec<_> = paths
            .filter(|(_, is_path)| **is_path)
            .map(|(ago, _)| ago)
            .collect();
        let (index, is_path) = match field.name {
            Name::Written(name, is_huffman) => {
                block.push(field.indexing);
                string(name, is_huffman, block);
                (None, name == PATH)
            }
            Name::Static(index) => (Some(index.into()), index < 6),
            Name::DynamicPath(nth) => {
                let ago = paths.get(nth % paths.len().max(1));
                (Some(ago.map_or(4, |ago| 62 + ago)), true)
            }
            Name::Dynamic(ago) => (Some(self.index(ago)), self.is_path(ago)),
        };
        if let Some(index) = index {
            integer(field.indexing, prefix, index, block);
        }
        string(field.value, field.is_huffman, block);
        if field.indexing == 0x40 {
            self.entries.push(is_path);
        }
    }

    fn frames(&self, request: &Request, block: &[u8]) -> Vec<u8> {
        let mut cuts: Vec<_> = request
            .cuts
            .iter()
            .map(|cut| cut.index(block.len()))
            .collect();
        cuts.extend([0, block.len()]);
        cuts.sort_unstable();
        let (mut frames, last) = (Vec::new(), cuts.len() - 2);
        for (at, ends) in cuts.windows(2).enumerate() {
            let mut payload = block[ends[0]..ends[1]].to_vec();
            let mut flags = if at == last { END_HEADERS } else { 0 };
            if at == 0 {
                flags |= 1;
                if let Some(stream) = request.priority {
                    flags |= PRIORITY;
                    payload = [&[0, 0, 0, stream, 9][..], &payload].concat();
                }
            }
            let kind = if at == 0 { HEADERS } else { CONTINUATION };
            Frame::write(
                kind,
                flags,
                &[0, 0, 0, self.stream - 1],
                &payload,
                &mut frames,
            );
        }
        frames
    }
}

fn integer(first: u8, prefix: u32, value: usize, to: &mut Vec<u8>) {
    let most = (1_usize << prefix) - 1;
    let small = |value: usize| u8::try_from(value).expect("small");
    if value < most {
        return to.push(first | small(value));
    }
    to.push(first | small(most));
    let mut left = value - most;
    while left > 0x7f {
        to.push(0x80 | small(left & 0x7f));
        left >>= 7;
    }
    to.push(small(left));
}

fn string(text: &[u8], is_huffman: bool, to: &mut Vec<u8>) {
    if !is_huffman {
        return write_string(text, to);
    }
    let mut coded = Vec::new();
    httlib_huffman::encode(text, &mut coded).expect("bytes");
    integer(0x80, 7, coded.len(), to);
    to.extend(coded);
}

fn compare(requests: &[Request]) -> (Requests, Requests) {
    let mut client = Client::default();
    let sent: Vec<_> = requests.iter().map(|it| client.request(it)).collect();
    let mut paths = Http2Paths::default();
    let marked: Vec<_> = sent
        .iter()
        .map(|piece| {
            let mut ready = Vec::new();
            paths.follow(piece, &mut ready);
            ready
        })
        .collect();
    let mut expected = read(&sent);
    for (path, _) in &mut expected {
        *path = path.replace('"', "^");
    }
    (read(&marked), expected)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_library_reads_the_same_but_for_marks(requests in prop::collection::vec(request(), 1..8)) {
        let (marked, expected) = compare(&requests);
        prop_assert!(expected.starts_with(&marked), "{marked:?} of {expected:?}");
        let is_ordinary = requests.iter().zip((1..).step_by(2)).all(|(request, stream)| {
            let has_name = |field: &Field| !matches!(field.name, Name::Written(b"", _));
            request.priority != Some(stream) && request.others.iter().all(has_name)
        });
        if is_ordinary {
            prop_assert_eq!(marked, expected);
        }
    }
}
