//! Reads header blocks (RFC 7541 section 6) just far enough to find each literal `:path`.
//!
//! Of the dynamic table it keeps what names and sizes tell: which entries are a path, and which are still there. A
//! marked value is as long as it was sent, so the library's own table has the same entries.

use std::collections::VecDeque;

use httlib_huffman::DecoderSpeed;

use super::scanner::marked;

pub(super) const PATH: &[u8] = b":path";
/// `:path` in the static table (RFC 7541 appendix A).
const PATH_INDEXES: std::ops::RangeInclusive<usize> = 4..=5;
/// The first index of the dynamic table.
const DYNAMIC: usize = 62;
/// How long the names of the static table are, by index.
const STATIC_NAMES: [usize; DYNAMIC] = [
    0, 10, 7, 7, 5, 5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 14, 15, 15, 13, 6, 27, 3, 5, 13, 13, 19, 16, 16,
    14, 16, 13, 12, 6, 4, 4, 6, 7, 4, 4, 8, 17, 13, 8, 19, 13, 4, 8, 12, 18, 19, 5, 7, 7, 11, 6,
    10, 25, 17, 10, 4, 3, 16,
];
/// The limit of the dynamic table that the library announces, which is the protocol's default.
const MAX_TABLE: usize = 4_096;
/// Counts for each entry beside its name and value (RFC 7541 section 4.1).
const ENTRY_OVERHEAD: usize = 32;

/// What must be known of an entry of the dynamic table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    is_path: bool,
    name: usize,
    /// With the name, in the protocol's way of counting.
    size: usize,
}

/// Follows the header blocks of a connection.
#[derive(Debug)]
pub(super) struct HeaderFields {
    /// Newest first.
    table: VecDeque<Entry>,
    size: usize,
    max_size: usize,
}

impl Default for HeaderFields {
    fn default() -> Self {
        Self {
            table: VecDeque::new(),
            size: 0,
            max_size: MAX_TABLE,
        }
    }
}

/// A header block that the library refuses, with the connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

impl HeaderFields {
    /// The next block with each literal path marked; `None` if there is nothing to mark.
    pub(super) fn mark(&mut self, block: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
        let mut marked_block = Vec::new();
        let (mut copied, mut at) = (0, 0);
        while let Some(field) = block.get(at..).filter(|rest| !rest.is_empty()) {
            let (path, length) = self.read(field).ok_or(Unreadable)?;
            if let Some(value) = path.and_then(|path| marked(&path)) {
                marked_block.extend_from_slice(block.get(copied..at).unwrap_or_default());
                // With or without indexing, or never indexed, as it was; the name is written out.
                let first = field.first().copied().unwrap_or_default();
                marked_block.push(first & if first & 0x40 == 0 { 0x10 } else { 0x40 });
                write_string(PATH, &mut marked_block);
                write_string(&value, &mut marked_block);
                copied = at + length;
            }
            at += length;
        }
        if copied == 0 {
            return Ok(None);
        }
        marked_block.extend_from_slice(block.get(copied..).unwrap_or_default());
        Ok(Some(marked_block))
    }

    /// The value of the next field, if it is a literal path, and the field's length. `None` if it cannot be read.
    fn read(&mut self, field: &[u8]) -> Option<(Option<Vec<u8>>, usize)> {
        let first = *field.first()?;
        let is_indexed = first & 0xc0 == 0x40;
        let prefix = match first {
            // A reference to an entry, which is marked already, if it has to be.
            _ if first & 0x80 != 0 => return Some((None, integer(field, 7)?.1)),
            _ if is_indexed => 6,
            _ if first & 0x20 != 0 => {
                let (size, length) = integer(field, 5)?;
                self.resize(size)?;
                return Some((None, length));
            }
            _ => 4,
        };
        let (index, mut length) = integer(field, prefix)?;
        let (is_path, name) = if index == 0 {
            let name = Text::read(field.get(length..)?)?;
            length += name.length;
            // The library may skip a field without a name, and go on.
            let name = name.decoded().filter(|name| !name.is_empty())?;
            (name == PATH, name.len())
        } else if let Some(dynamic) = index.checked_sub(DYNAMIC) {
            let entry = self.table.get(dynamic)?;
            (entry.is_path, entry.name)
        } else {
            (PATH_INDEXES.contains(&index), *STATIC_NAMES.get(index)?)
        };
        let value = Text::read(field.get(length..)?)?;
        length += value.length;
        // Of no other value but the size matters, and only in the table.
        let value = (is_path || is_indexed).then(|| value.decoded());
        let value = value.map_or(Some(None), |decoded| decoded.map(Some))?;
        if is_indexed {
            let size = name + value.as_ref().map_or(0, Vec::len) + ENTRY_OVERHEAD;
            self.insert(Entry {
                is_path,
                name,
                size,
            });
        }
        Some((value.filter(|_| is_path), length))
    }

    /// An entry that is larger than the table empties it (RFC 7541 section 4.4).
    fn insert(&mut self, entry: Entry) {
        self.evict(self.max_size.saturating_sub(entry.size));
        if entry.size <= self.max_size {
            self.size += entry.size;
            self.table.push_front(entry);
        }
    }

    fn resize(&mut self, size: usize) -> Option<()> {
        self.max_size = Some(size).filter(|size| *size <= MAX_TABLE)?;
        self.evict(size);
        Some(())
    }

    fn evict(&mut self, most: usize) {
        while self.size > most
            && let Some(oldest) = self.table.pop_back()
        {
            self.size -= oldest.size;
        }
    }
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
        // Another padding than the protocol's could be read in two ways.
        let mut coded = Vec::with_capacity(self.bytes.len());
        httlib_huffman::encode(&decoded, &mut coded).ok()?;
        (coded == self.bytes).then_some(decoded)
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
pub(super) fn write_string(text: &[u8], to: &mut Vec<u8>) {
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
#[path = "header_fields_tests.rs"]
mod tests;
