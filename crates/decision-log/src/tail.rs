//! The end of a file: its last whole and authentic line.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde::Deserialize;

use super::chain::{self, Chain, Position};
use super::head::LogHead;
use super::log_file::{LogFile, MAX_LINE_BYTES};

#[derive(Debug)]
pub(super) struct Tail {
    /// Position and key id of the last whole and authentic line.
    pub(super) last: Option<(Position, String)>,
    /// Number of bytes behind it.
    pub(super) unreadable_bytes: u64,
    pub(super) length: u64,
}

#[derive(Deserialize)]
struct SequenceOnly {
    sequence: u64,
}

pub(super) fn tail(path: &Path, keys: &[Chain]) -> io::Result<Tail> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MAX_LINE_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(MAX_LINE_BYTES).read_to_end(&mut bytes)?;
    let mut end = bytes.len();
    let mut last = None;
    while let Some(feed) = bytes.get(..end).and_then(|it| memchr::memrchr(b'\n', it)) {
        let before = bytes.get(..feed).unwrap_or_default();
        let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        last = before.get(start..).and_then(|line| authentic(line, keys));
        if last.is_some() {
            end = feed + 1;
            break;
        }
        end = start;
    }
    let readable = if last.is_some() { end } else { 0 };
    Ok(Tail {
        last,
        unreadable_bytes: (bytes.len() - readable) as u64,
        length,
    })
}

/// Position and key id of a line, if one of the keys authenticates it.
fn authentic(line: &[u8], keys: &[Chain]) -> Option<(Position, String)> {
    let (body, code) = chain::split(line)?;
    let key = keys.iter().find(|key| key.made(body, code))?;
    let SequenceOnly { sequence } = serde_json::from_slice(line).ok()?;
    let mac = code.mac();
    Some((Position { sequence, mac }, key.id().to_owned()))
}

/// Whether a file has the line that a head attests.
pub(super) fn has_line(file: &LogFile, head: &LogHead) -> io::Result<bool> {
    let mut reader = BufReader::with_capacity(256 * 1024, File::open(&file.path)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        (&mut reader)
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(false);
        }
        line.pop_if(|last| *last == b'\n');
        let is_it = chain::split(&line).is_some_and(|(_, code)| head.mac() == Some(code.mac()));
        if is_it && let Ok(SequenceOnly { sequence }) = serde_json::from_slice(&line) {
            return Ok(sequence == head.sequence);
        }
    }
}
