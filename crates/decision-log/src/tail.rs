//! The end of a file: its last whole and authentic line, and the time of what it holds.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde::Deserialize;

use super::chain::{self, Chain, Position};
use super::head::LogHead;
use super::log_file::{LogFile, MAX_LINE_BYTES};
use charter_domain::id::DecisionId;
use charter_domain::timestamp;

/// Enough for the last lines, nearly always.
const USUAL_BYTES: u64 = 64 * 1024;

#[derive(Debug)]
pub(super) struct Tail {
    /// Position and key id of the last whole and authentic line.
    pub(super) last: Option<(Position, String)>,
    /// Number of bytes behind it.
    pub(super) unreadable_bytes: u64,
    pub(super) length: u64,
}

/// Definitions have neither.
#[derive(Deserialize)]
struct LineTime<'a> {
    #[serde(borrow, default)]
    at: Option<&'a str>,
    #[serde(borrow, default)]
    id: Option<&'a str>,
}

#[derive(Deserialize)]
struct SequenceOnly {
    sequence: u64,
}

pub(super) fn tail(path: &Path, keys: &[Chain]) -> io::Result<Tail> {
    let (bytes, length) = last_bytes(path, MAX_LINE_BYTES)?;
    let found = find_from_end(&bytes, |line| authentic(line, keys));
    let (last, readable) = found.map_or((None, 0), |(last, end)| (Some(last), end));
    Ok(Tail {
        last,
        unreadable_bytes: (bytes.len() - readable) as u64,
        length,
    })
}

/// Unix time in milliseconds of the last authentic line that has one; `None` if there is none.
pub(super) fn last_time(path: &Path, keys: &[Chain]) -> io::Result<Option<i64>> {
    for limit in [USUAL_BYTES, MAX_LINE_BYTES] {
        let (bytes, length) = last_bytes(path, limit)?;
        let time = |line: &[u8]| authentic(line, keys).and_then(|_| time(line));
        let found = find_from_end(&bytes, time);
        if found.is_some() || length <= limit {
            return Ok(found.map(|(time, _)| time));
        }
    }
    Ok(None)
}

fn time(line: &[u8]) -> Option<i64> {
    let LineTime { at, id } = serde_json::from_slice(line).ok()?;
    match (at, id) {
        (Some(at), _) => Some(timestamp::parse(at).ok()?.timestamp_millis()),
        (None, id) => Some(id?.parse::<DecisionId>().ok()?.made_at_millis()),
    }
}

/// At most so many bytes of the end, and the file's length.
fn last_bytes(path: &Path, limit: u64) -> io::Result<(Vec<u8>, u64)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(limit)))?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok((bytes, length))
}

/// The first result of whole lines from the last one on, and where its line ends.
fn find_from_end<T>(bytes: &[u8], of: impl Fn(&[u8]) -> Option<T>) -> Option<(T, usize)> {
    let mut end = bytes.len();
    while let Some(feed) = bytes.get(..end).and_then(|it| memchr::memrchr(b'\n', it)) {
        let before = bytes.get(..feed).unwrap_or_default();
        let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        if let Some(found) = before.get(start..).and_then(&of) {
            return Some((found, feed + 1));
        }
        end = start;
    }
    None
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
