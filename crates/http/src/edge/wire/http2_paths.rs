//! Marks bytes that no URI may contain, `#` included, in the `:path` of HTTP/2 requests, as the scanner does in
//! request lines: the library would drop a fragment without telling anybody.
//!
//! It reads the frames (RFC 9113 section 4.1) just far enough to find header blocks. A marked path replaces the one
//! that was sent, so that the library's dynamic table has the mark as well: later references to it are refused, too.
//! What cannot be followed ends the connection: the library might follow it.

use super::header_fields::HeaderFields;

const HEAD: usize = 9;
const HEADERS: u8 = 1;
const PUSH_PROMISE: u8 = 5;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
/// The limit of the library, which is the protocol's default (RFC 9113 section 4.2).
const MAX_FRAME: usize = 16_384;
/// Limits a header block with its frames. The library answers a head of more than 64 KiB with 431.
const MAX_BLOCK: usize = 80 * 1024;

/// A frame that belongs to no stream and no header block: the library tells the client `GOAWAY` with
/// `PROTOCOL_ERROR`, whatever it waits for.
const REFUSED: [u8; HEAD] = [0, 0, 0, CONTINUATION, END_HEADERS, 0, 0, 0, 0];

/// Follows the frames that a client sends after the preface.
#[derive(Debug, Default)]
pub(super) struct Http2Paths {
    /// Received and not yet released: part of a frame's head, or of a header block.
    held: Vec<u8>,
    /// How many bytes of `held` are complete frames.
    complete: usize,
    /// Bytes of the current frame that are still to come, and of no interest.
    passing: usize,
    fields: HeaderFields,
    /// Whether following has ended: the library gets nothing more.
    refused: bool,
}

impl Http2Paths {
    /// Whether a header block has begun and is incomplete.
    pub(super) const fn is_in_head(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether so many next bytes are of no interest.
    pub(super) const fn passes(&mut self, bytes: usize) -> bool {
        let passes = self.held.is_empty() && self.passing >= bytes;
        if passes {
            self.passing = self.passing.saturating_sub(bytes);
        }
        passes
    }

    /// Appends what the library may read now to `ready`.
    pub(super) fn follow(&mut self, bytes: &[u8], ready: &mut Vec<u8>) {
        if self.refused {
            return;
        }
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(bytes);
        let mut rest = held.as_slice();
        while !rest.is_empty() {
            let passed = self.passing.min(rest.len());
            let (now, later) = rest.split_at_checked(passed).unwrap_or((rest, &[]));
            ready.extend_from_slice(now);
            rest = later;
            self.passing -= passed;
            match self.frame(rest) {
                Next::Wait => break,
                Next::Pass(length) => self.passing = length,
                Next::Marked(frames, length) => {
                    ready.extend(frames);
                    rest = rest.get(length..).unwrap_or_default();
                }
                Next::Refuse => {
                    tracing::debug!("closing an HTTP/2 connection whose frames cannot be followed");
                    // Of a block without end the library may say more.
                    ready.extend_from_slice(rest.get(..self.complete).unwrap_or_default());
                    ready.extend(REFUSED);
                    self.refused = true;
                    return;
                }
            }
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
                // No client has anything to promise (RFC 9113 section 8.4).
                (0, CONTINUATION | PUSH_PROMISE) | (1.., _) => return Next::Refuse,
                (0, _) => return Next::Pass(HEAD + frame.length),
            }
            let end = self.complete + HEAD + frame.length;
            if frame.length > MAX_FRAME || end > MAX_BLOCK {
                return Next::Refuse;
            }
            let Some(frames) = bytes.get(..end) else {
                return Next::Wait;
            };
            self.complete = end;
            if frame.flags & END_HEADERS != 0 {
                self.complete = 0;
                return self.block(frames).unwrap_or(Next::Refuse);
            }
        }
    }

    /// What to do with the frames of a header block; `None` if it cannot be read.
    fn block(&mut self, frames: &[u8]) -> Option<Next> {
        let block = Block::read(frames)?;
        let marked = self.fields.mark(&block.fields).ok()?;
        Some(match marked {
            Some(fields) => Next::Marked(block.with(&fields), frames.len()),
            None => Next::Pass(frames.len()),
        })
    }
}

enum Next {
    /// So many bytes are as the library may read them.
    Pass(usize),
    /// These frames replace so many bytes.
    Marked(Vec<u8>, usize),
    Wait,
    Refuse,
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
        // The library would forget the block, but go on.
        if id(priority) == id(first.stream) {
            return None;
        }
        let end = payload.len().checked_sub(padding.into())?;
        let mut fields = payload.get(..end)?.to_vec();
        while !rest.is_empty() {
            let (frame, payload, next) = Frame::read(rest)?;
            if id(frame.stream) != id(first.stream) {
                return None;
            }
            fields.extend_from_slice(payload);
            rest = next;
        }
        Some(Self {
            first,
            priority,
            fields,
        })
    }

    /// Its frames with other fields.
    fn with(&self, fields: &[u8]) -> Vec<u8> {
        let payload = [self.priority, fields].concat();
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
        frames
    }
}

/// The stream that four bytes name; `None` if there are none. The first bit means something else.
fn id(bytes: &[u8]) -> Option<u32> {
    let bytes = *bytes.first_chunk()?;
    Some(u32::from_be_bytes(bytes) & 0x7fff_ffff)
}

#[cfg(test)]
#[path = "http2_paths_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "http2_library_tests.rs"]
mod library_tests;
