//! Marks bytes that no URI may contain, `#` included, in the `:path` of HTTP/2 requests, as the scanner does in
//! request lines: the library would drop a fragment without telling anybody.
//!
//! It reads the frames (RFC 9113 section 4.1) just far enough to find header blocks, and the blocks (RFC 7541
//! section 6) just far enough to find a literal `:path`. A marked one replaces it, so that the library's dynamic
//! table has the mark as well: later references to it are refused, too, and no second table is needed. What cannot
//! be followed is the library's to refuse.

use httlib_huffman::DecoderSpeed;

use super::scanner::marked;

const HEAD: usize = 9;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
/// The limit of the library, which is the protocol's default (RFC 9113 section 4.2).
const MAX_FRAME: usize = 16_384;
/// Limits a header block with its frames. The library refuses a head of more than 64 KiB.
const MAX_BLOCK: usize = 80 * 1024;

const PATH: &[u8] = b":path";
/// `:path` in the static table (RFC 7541 appendix A).
const PATH_INDEXES: std::ops::RangeInclusive<usize> = 4..=5;

/// Follows the frames that a client sends after the preface.
#[derive(Debug, Default)]
pub(super) struct Http2Paths {
    /// Received and not yet released: part of a frame's head, or of a header block.
    held: Vec<u8>,
    /// How many bytes of `held` are complete frames.
    complete: usize,
    /// Bytes of the current frame that are still to come, and of no interest.
    passing: usize,
    /// Whether following has ended.
    opaque: bool,
}

impl Http2Paths {
    /// Whether a header block has begun and is incomplete.
    pub(super) const fn is_in_head(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether so many next bytes are of no interest.
    pub(super) const fn passes(&mut self, bytes: usize) -> bool {
        let passes = self.held.is_empty() && (self.opaque || self.passing >= bytes);
        if passes {
            self.passing = self.passing.saturating_sub(bytes);
        }
        passes
    }

    /// Appends what the library may read now to `ready`.
    pub(super) fn follow(&mut self, bytes: &[u8], ready: &mut Vec<u8>) {
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(bytes);
        let mut rest = held.as_slice();
        while !rest.is_empty() {
            let released = if self.opaque {
                rest.len()
            } else if self.passing > 0 {
                let released = self.passing.min(rest.len());
                self.passing -= released;
                released
            } else {
                match self.frame(rest) {
                    Next::Pass(length) => {
                        self.passing = length;
                        continue;
                    }
                    Next::Opaque => {
                        self.opaque = true;
                        continue;
                    }
                    Next::Wait => break,
                    Next::Block(length) => {
                        self.complete = 0;
                        let frames = rest.get(..length).unwrap_or_default();
                        if let Some(marked) = Block::read(frames).and_then(|it| it.marked()) {
                            ready.extend(marked);
                            rest = rest.get(length..).unwrap_or_default();
                            continue;
                        }
                        length
                    }
                }
            };
            let (now, later) = rest.split_at_checked(released).unwrap_or((rest, &[]));
            ready.extend_from_slice(now);
            rest = later;
        }
        let followed = held.len() - rest.len();
        held.drain(..followed);
        self.held = held;
    }

    /// What is left when the client sends no more.
    pub(super) fn end(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// What to do with a frame, or with the header block that begins here.
    fn frame(&mut self, bytes: &[u8]) -> Next {
        loop {
            let Some(frame) = bytes.get(self.complete..).and_then(Frame::head) else {
                return Next::Wait;
            };
            match (self.complete, frame.kind) {
                (0, HEADERS) | (1.., CONTINUATION) => {}
                (0, _) => return Next::Pass(HEAD + frame.length),
                _ => return Next::Opaque,
            }
            let end = self.complete + HEAD + frame.length;
            if frame.length > MAX_FRAME || end > MAX_BLOCK {
                return Next::Opaque;
            }
            if end > bytes.len() {
                return Next::Wait;
            }
            self.complete = end;
            if frame.flags & END_HEADERS != 0 {
                return Next::Block(end);
            }
        }
    }
}

enum Next {
    /// So many bytes are of no interest.
    Pass(usize),
    /// So many bytes are a header block.
    Block(usize),
    Wait,
    Opaque,
}

#[derive(Debug, Clone, Copy)]
struct Frame<'a> {
    kind: u8,
    flags: u8,
    /// Of the payload.
    length: usize,
    stream: &'a [u8],
}

impl<'a> Frame<'a> {
    fn head(bytes: &'a [u8]) -> Option<Self> {
        let [high, middle, low, kind, flags] = *bytes.first_chunk()?;
        Some(Self {
            kind,
            flags,
            length: usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low),
            stream: bytes.get(5..HEAD)?,
        })
    }

    /// The first frame of `bytes`, its payload, and the rest.
    fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8], &'a [u8])> {
        let frame = Self::head(bytes)?;
        let (payload, rest) = bytes.get(HEAD..)?.split_at_checked(frame.length)?;
        Some((frame, payload, rest))
    }

    fn write(kind: u8, flags: u8, stream: &[u8], payload: &[u8], to: &mut Vec<u8>) {
        let [.., high, middle, low] = payload.len().to_be_bytes();
        to.extend([high, middle, low, kind, flags]);
        to.extend_from_slice(stream);
        to.extend_from_slice(payload);
    }
}

/// A complete header block.
struct Block<'a> {
    first: Frame<'a>,
    /// The fields of priority, if it has them.
    priority: &'a [u8],
    fields: Vec<u8>,
}

impl<'a> Block<'a> {
    /// Of the frames of one; `None` if the library refuses it.
    fn read(frames: &'a [u8]) -> Option<Self> {
        let (first, payload, mut rest) = Frame::read(frames)?;
        let (padding, payload) = match first.flags & PADDED {
            0 => (0, payload),
            _ => payload.split_first().map(|(it, rest)| (*it, rest))?,
        };
        let prioritized = usize::from(first.flags & PRIORITY != 0) * 5;
        let (priority, payload) = payload.split_at_checked(prioritized)?;
        let end = payload.len().checked_sub(padding.into())?;
        let mut fields = payload.get(..end)?.to_vec();
        while !rest.is_empty() {
            let (_, payload, next) = Frame::read(rest)?;
            fields.extend_from_slice(payload);
            rest = next;
        }
        Some(Self {
            first,
            priority,
            fields,
        })
    }

    /// Its frames with the marked path; `None` if there is nothing to mark.
    fn marked(&self) -> Option<Vec<u8>> {
        let fields = mark_paths(&self.fields)?;
        let payload = [self.priority, &fields].concat();
        let flags = self.first.flags & !(PADDED | END_HEADERS);
        let mut frames = Vec::new();
        let mut pieces = payload.chunks(MAX_FRAME).peekable();
        let mut kind = (HEADERS, flags);
        while let Some(piece) = pieces.next() {
            let last = if pieces.peek().is_none() {
                END_HEADERS
            } else {
                0
            };
            Frame::write(kind.0, kind.1 | last, self.first.stream, piece, &mut frames);
            kind = (CONTINUATION, 0);
        }
        Some(frames)
    }
}

/// A header block with each literal `:path` marked; `None` if there is nothing to mark.
fn mark_paths(block: &[u8]) -> Option<Vec<u8>> {
    let mut marked_block = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(field) = block.get(at..).filter(|rest| !rest.is_empty()) {
        let (value, length) = path(field)?;
        if let Some(value) = value.and_then(|value| marked(&value)) {
            marked_block.extend_from_slice(block.get(copied..at)?);
            // With or without indexing, or never indexed, as it was; the name is written out.
            let indexing = match field.first()? {
                first if first & 0x40 != 0 => 0x40,
                first => first & 0x10,
            };
            marked_block.push(indexing);
            write_string(PATH, &mut marked_block);
            write_string(&value, &mut marked_block);
            copied = at + length;
        }
        at += length;
    }
    if copied == 0 {
        return None;
    }
    marked_block.extend_from_slice(block.get(copied..)?);
    Some(marked_block)
}

/// The value of the next field, if it is a literal `:path`, and the field's length. `None` if it cannot be read.
fn path(field: &[u8]) -> Option<(Option<Vec<u8>>, usize)> {
    let first = *field.first()?;
    let prefix = match first {
        // Indexed, and a change of the table's size: without a value.
        _ if first & 0x80 != 0 => return Some((None, integer(field, 7)?.1)),
        _ if first & 0x40 != 0 => 6,
        _ if first & 0x20 != 0 => return Some((None, integer(field, 5)?.1)),
        _ => 4,
    };
    let (index, mut length) = integer(field, prefix)?;
    let is_path = if index == 0 {
        let name = Text::read(field.get(length..)?)?;
        length += name.length;
        name.decoded()? == PATH
    } else {
        PATH_INDEXES.contains(&index)
    };
    let value = Text::read(field.get(length..)?)?;
    length += value.length;
    Some((if is_path { value.decoded() } else { None }, length))
}

/// A string (RFC 7541 section 5.2).
struct Text<'a> {
    is_huffman: bool,
    bytes: &'a [u8],
    /// With its own length before it.
    length: usize,
}

impl<'a> Text<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (length, before) = integer(bytes, 7)?;
        let end = before.checked_add(length)?;
        Some(Self {
            is_huffman: bytes.first()? & 0x80 != 0,
            bytes: bytes.get(before..end)?,
            length: end,
        })
    }

    fn decoded(&self) -> Option<Vec<u8>> {
        if !self.is_huffman {
            return Some(self.bytes.to_vec());
        }
        let mut decoded = Vec::with_capacity(self.bytes.len() * 2);
        httlib_huffman::decode(self.bytes, &mut decoded, DecoderSpeed::FiveBits).ok()?;
        Some(decoded)
    }
}

/// An integer (RFC 7541 section 5.1) below 2²⁸, and how many bytes it takes.
fn integer(bytes: &[u8], prefix: u32) -> Option<(usize, usize)> {
    let most = (1 << prefix) - 1;
    let (first, rest) = bytes.split_first()?;
    let mut value = usize::from(*first) & most;
    if value < most {
        return Some((value, 1));
    }
    for (at, byte) in rest.iter().take(4).enumerate() {
        value += usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, at + 2));
        }
    }
    None
}

/// Without Huffman coding.
fn write_string(text: &[u8], to: &mut Vec<u8>) {
    let most = 0x7f;
    match u8::try_from(text.len()) {
        Ok(length) if length < most => to.push(length),
        _ => {
            to.push(most);
            let mut left = text.len() - usize::from(most);
            while left > 0x7f {
                to.push(0x80 | u8::try_from(left & 0x7f).unwrap_or_default());
                left >>= 7;
            }
            to.push(u8::try_from(left).unwrap_or_default());
        }
    }
    to.extend_from_slice(text);
}

#[cfg(test)]
#[path = "http2_paths_tests.rs"]
mod tests;
