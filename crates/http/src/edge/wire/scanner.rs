//! Scans the bytes that a client sends, in one pass and constant memory.
//!
//! It follows heads and body framing of HTTP/1.1 (RFC 9112) just far enough to find each request line: bodies are
//! skipped by their length, HTTP/2 is left to [`super::http2_paths`]. The library refuses everything that the scanner
//! cannot follow, so it stops there.

use memchr::memchr;

use super::NO_LINE_FEED;
use crate::edge::target::is_never_in_a_uri;

/// How an HTTP/2 connection starts (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const CONTENT_LENGTH: &[u8] = b"content-length";
const TRANSFER_ENCODING: &[u8] = b"transfer-encoding";
const CHUNKED: &[u8] = b"chunked";

/// Replaces each byte that no URI may contain; [`super::super::target`] then refuses it.
const MARK: u8 = b'^';

/// The target with each such byte replaced; `None` if it has none.
pub(super) fn marked(target: &[u8]) -> Option<Vec<u8>> {
    let replaced = |byte| if is_never_in_a_uri(byte) { MARK } else { byte };
    let marked: Vec<u8> = target.iter().copied().map(replaced).collect();
    (marked != target).then_some(marked)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Only this many bytes of the HTTP/2 preface were read.
    Preface(usize),
    /// Between requests.
    Start,
    /// In a request line: before, in and after the target.
    Method,
    Target,
    Version,
    /// In a field name: the position, and whether it may still be one of the two lengths.
    Name {
        at: usize,
        may_be_length: bool,
        may_be_encoding: bool,
    },
    /// In a `content-length` value; `None` before its first digit.
    Length {
        value: Option<u64>,
        ended: bool,
    },
    /// In a `transfer-encoding` value: how many letters of `chunked` were read, and whether anything else was.
    Coding {
        at: usize,
        other: bool,
    },
    /// In any other value.
    Value,
    /// Remaining bytes of a body.
    Body(u64),
    /// In a chunk's size line.
    ChunkSize(u64),
    /// After the digits of a chunk's size, up to the end of the line.
    ChunkExtension(u64),
    /// Remaining bytes of a chunk's data and its line break.
    Chunk(u64),
    /// In a trailer line; whether it has anything but a line break.
    Trailer {
        empty: bool,
    },
    /// Scanning has ended.
    Opaque,
}

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about one connection"
)]
pub(super) struct Scanner {
    state: State,
    length: Option<u64>,
    chunked: bool,
    conflict: bool,
    other_coding: bool,
    /// Whether the previous byte was a carriage return.
    after_return: bool,
    http2: bool,
}

impl Scanner {
    pub(super) fn new() -> Self {
        Self {
            state: State::Preface(0),
            length: None,
            chunked: false,
            conflict: false,
            other_coding: false,
            after_return: false,
            http2: false,
        }
    }

    /// Whether a head has begun and is incomplete.
    pub(super) fn is_in_head(&self) -> bool {
        match self.state {
            State::Preface(seen) => seen > 0,
            State::Method
            | State::Target
            | State::Version
            | State::Name { .. }
            | State::Length { .. }
            | State::Coding { .. }
            | State::Value => true,
            _ => false,
        }
    }

    /// Whether a line feed here ends, or precedes the end of, a line of a head, a chunk's size or the trailers:
    /// the library requires a carriage return before each.
    fn is_in_lines(&self) -> bool {
        self.is_in_head()
            || matches!(
                self.state,
                State::Start
                    | State::Preface(0)
                    | State::ChunkSize(_)
                    | State::ChunkExtension(_)
                    | State::Trailer { .. }
            )
    }

    /// Whether a head had a transfer coding other than `chunked`; the response to it ends the connection.
    pub(super) const fn has_other_coding(&self) -> bool {
        self.other_coding
    }

    /// Whether the client has sent only complete requests so far.
    pub(super) fn is_between_requests(&self) -> bool {
        matches!(self.state, State::Start | State::Preface(0))
    }

    /// How many bytes of the HTTP/2 preface are still to come, if it may be one.
    pub(super) const fn preface_left(&self) -> Option<usize> {
        match self.state {
            State::Preface(seen) => Some(PREFACE.len() - seen),
            _ => None,
        }
    }

    /// Whether the connection began with the HTTP/2 preface.
    pub(super) fn is_http2(&self) -> bool {
        self.http2
    }

    /// Scans the next bytes in order and replaces forbidden ones in place. At a line that the library refuses,
    /// returns the number of bytes up to there.
    pub(super) fn scan(&mut self, mut bytes: &mut [u8]) -> Option<usize> {
        let all = bytes.len();
        while !bytes.is_empty() {
            let skipped = self.skip(bytes);
            if let Some(last) = skipped.checked_sub(1).and_then(|last| bytes.get(last)) {
                self.after_return = *last == b'\r';
            }
            let (first, rest) = bytes.get_mut(skipped..).and_then(<[u8]>::split_first_mut)?;
            let is_return = *first == b'\r';
            let was_in_head = self.is_in_head();
            let is_bare = *first == b'\n' && !self.after_return && self.is_in_lines();
            if is_bare {
                // Within a chunk's extension the library refuses only the line feed.
                if !matches!(self.state, State::ChunkExtension(_)) {
                    *first = NO_LINE_FEED;
                }
                self.state = State::Opaque;
            } else {
                self.step(first);
            }
            self.after_return = is_return;
            bytes = rest;
            let is_broken = was_in_head && matches!(self.state, State::Opaque);
            if is_bare || is_broken && !self.http2 && !self.conflict {
                return Some(all - bytes.len());
            }
        }
        None
    }

    /// How many bytes can be skipped.
    fn skip(&mut self, bytes: &[u8]) -> usize {
        let until_line_end = || memchr(b'\n', bytes).unwrap_or(bytes.len());
        match &mut self.state {
            State::Opaque => bytes.len(),
            // All but the last, which ends the state.
            State::Body(left) | State::Chunk(left) => {
                let skipped = left.saturating_sub(1).min(bytes.len() as u64);
                *left -= skipped;
                usize::try_from(skipped).unwrap_or(bytes.len())
            }
            State::Version | State::Value => until_line_end(),
            _ => 0,
        }
    }

    fn step(&mut self, byte: &mut u8) {
        self.state = match self.state {
            State::Preface(seen) => self.preface(seen, byte),
            State::Start => start(*byte),
            State::Method => match *byte {
                b' ' => State::Target,
                b'\n' => State::Opaque,
                _ => State::Method,
            },
            State::Target => match *byte {
                b' ' => State::Version,
                b'\n' => State::Opaque,
                b'\r' => State::Target,
                _ => {
                    if is_never_in_a_uri(*byte) {
                        *byte = MARK;
                    }
                    State::Target
                }
            },
            State::Version | State::Value if *byte == b'\n' => name(),
            State::Name {
                at,
                may_be_length,
                may_be_encoding,
            } => self.name(at, may_be_length, may_be_encoding, byte),
            State::Length { value, ended } => self.length(value, ended, *byte),
            State::Coding { at, other } => self.coding(at, other, *byte),
            State::Body(left) if left <= 1 => self.next_request(),
            State::Chunk(left) if left <= 1 => State::ChunkSize(0),
            State::ChunkSize(size) => chunk_size(size, *byte),
            State::ChunkExtension(size) => match (*byte, size) {
                (b'\n', 0) => State::Trailer { empty: true },
                // The data and its line break.
                (b'\n', _) => size.checked_add(2).map_or(State::Opaque, State::Chunk),
                _ => State::ChunkExtension(size),
            },
            State::Trailer { empty } => match *byte {
                b'\n' if empty => self.next_request(),
                b'\n' => State::Trailer { empty: true },
                b'\r' => State::Trailer { empty },
                _ => State::Trailer { empty: false },
            },
            state => state,
        };
    }

    fn preface(&mut self, seen: usize, byte: &mut u8) -> State {
        if PREFACE.get(seen) == Some(byte) {
            return if seen + 1 == PREFACE.len() {
                self.http2 = true;
                State::Opaque
            } else {
                State::Preface(seen + 1)
            };
        }
        // It was the start of an HTTP/1.1 request.
        self.state = State::Start;
        for &byte in PREFACE.iter().take(seen) {
            self.step(&mut { byte });
        }
        self.step(byte);
        self.state
    }

    fn name(&mut self, at: usize, length: bool, encoding: bool, byte: &mut u8) -> State {
        let lowercase = byte.to_ascii_lowercase();
        match *byte {
            b'\n' if at == 0 => self.end_of_head(),
            b'\n' => name(),
            b'\r' if at == 0 => name(),
            b':' if length && at == CONTENT_LENGTH.len() => State::Length {
                value: None,
                ended: false,
            },
            b':' if encoding && at == TRANSFER_ENCODING.len() => {
                self.chunked = true;
                State::Coding {
                    at: 0,
                    other: false,
                }
            }
            b':' => State::Value,
            _ => {
                let length = length && CONTENT_LENGTH.get(at) == Some(&lowercase);
                let encoding = encoding && TRANSFER_ENCODING.get(at) == Some(&lowercase);
                let has_length = self.chunked || self.length.is_some();
                let completes_second = length && at + 1 == CONTENT_LENGTH.len() && has_length
                    || encoding && at + 1 == TRANSFER_ENCODING.len() && self.length.is_some();
                if completes_second {
                    *byte = b'!';
                    self.conflict = true;
                }
                State::Name {
                    at: at.saturating_add(1),
                    may_be_length: length,
                    may_be_encoding: encoding,
                }
            }
        }
    }

    fn length(&mut self, value: Option<u64>, ended: bool, byte: u8) -> State {
        match (byte, value) {
            (b'0'..=b'9', _) if !ended => value
                .unwrap_or(0)
                .checked_mul(10)
                .and_then(|tens| tens.checked_add(u64::from(byte - b'0')))
                .map_or(State::Opaque, |value| State::Length {
                    value: Some(value),
                    ended,
                }),
            (b' ' | b'\t', None) => State::Length { value, ended },
            (b' ' | b'\t' | b'\r', Some(_)) => State::Length { value, ended: true },
            (b'\n', Some(_)) => {
                self.length = value;
                name()
            }
            _ => State::Opaque,
        }
    }

    fn coding(&mut self, at: usize, other: bool, byte: u8) -> State {
        let is_next = CHUNKED.get(at) == Some(&byte.to_ascii_lowercase());
        match byte {
            b'\n' => {
                self.other_coding |= other || at < CHUNKED.len();
                name()
            }
            b' ' | b'\t' | b'\r' if at == 0 || at == CHUNKED.len() => State::Coding { at, other },
            _ => State::Coding {
                at: at.saturating_add(usize::from(is_next)),
                other: other || !is_next,
            },
        }
    }

    fn end_of_head(&mut self) -> State {
        match (self.conflict, self.chunked, self.length) {
            // The response to it ends the connection.
            (true, ..) => State::Opaque,
            (_, true, _) => State::ChunkSize(0),
            (_, _, Some(length)) if length > 0 => State::Body(length),
            _ => self.next_request(),
        }
    }

    fn next_request(&mut self) -> State {
        self.length = None;
        self.chunked = false;
        State::Start
    }
}

/// The library ignores empty lines before a request.
fn start(byte: u8) -> State {
    match byte {
        b'\r' | b'\n' => State::Start,
        _ => State::Method,
    }
}

fn name() -> State {
    State::Name {
        at: 0,
        may_be_length: true,
        may_be_encoding: true,
    }
}

fn chunk_size(size: u64, byte: u8) -> State {
    let digit = match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        b'\r' | b' ' | b'\t' | b';' => return State::ChunkExtension(size),
        _ => return State::Opaque,
    };
    size.checked_mul(16)
        .and_then(|high| high.checked_add(u64::from(digit)))
        .map_or(State::Opaque, State::ChunkSize)
}

#[cfg(test)]
#[path = "scanner_tests.rs"]
mod tests;
