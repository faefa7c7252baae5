//! The index of a file: for each range of lines, the times of its decision ids and the number of definitions
//! before it. Ids begin with their time, so a look-up reads only ranges that may contain the id.
//!
//! The index is stored next to a finished file and rebuilt if missing. It is not authenticated: a forged index can
//! hide a line from look-ups, but not from `verify`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::definitions::{DefinitionCounts, DefinitionKind};
use super::log_file::{LogFile, MAX_LINE_BYTES};
use charter_domain::id::DecisionId;
use charter_system::atomic;

/// Smallest size of a range.
const MIN_RANGE_BYTES: u64 = 64 * 1024;
const VERSION: u8 = 1;
const EXTENSION: &str = "index";

/// The ranges of a file, in order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FileIndex {
    v: u8,
    /// Indexed bytes of the file.
    pub(super) length: u64,
    /// Number of definitions in the file.
    pub(super) numbers: DefinitionCounts,
    ranges: Vec<IndexedRange>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct IndexedRange {
    pub(super) offset: u64,
    /// Unix time in milliseconds; later than `latest` if the range has no decision.
    earliest: i64,
    latest: i64,
    /// Number of definitions before the range.
    before: DefinitionCounts,
}

/// A range with its bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct RangeBounds {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Unix time in milliseconds; later than `latest` if the range has no decision.
    pub(super) earliest: i64,
    pub(super) latest: i64,
}

#[derive(Deserialize)]
struct LineStart<'a> {
    #[serde(borrow, default)]
    kind: Option<&'a str>,
    #[serde(borrow, default)]
    id: Option<&'a str>,
}

impl Default for FileIndex {
    fn default() -> Self {
        Self {
            v: VERSION,
            length: 0,
            numbers: DefinitionCounts::default(),
            ranges: Vec::new(),
        }
    }
}

impl FileIndex {
    pub(super) fn path_of(file: &Path) -> PathBuf {
        file.with_extension(EXTENSION)
    }

    /// Whether a path is that of an index of the log.
    pub(super) fn is_index_path(path: &Path) -> bool {
        let finished = match path.extension() {
            Some(new) if new == "new" => path.with_extension(""),
            _ => path.to_owned(),
        };
        finished.extension().is_some_and(|it| it == EXTENSION)
            && LogFile::named(&finished.with_extension("jsonl")).is_some()
    }

    /// Loads the index of a finished file; `None` if it is missing or does not fit the file.
    pub(super) fn load(file: &Path) -> Option<Self> {
        let bytes = std::fs::read(Self::path_of(file)).ok()?;
        let index: Self = serde_json::from_slice(&bytes).ok()?;
        let length = std::fs::metadata(file).ok()?.len();
        (index.v == VERSION && index.length == length).then_some(index)
    }

    /// Writes the index next to its file.
    pub(super) fn save(&self, file: &Path) -> io::Result<()> {
        let path = Self::path_of(file);
        let text = serde_json::to_vec(self)?;
        atomic::replace_private(&path, &text)
    }

    /// Builds the index by reading the file.
    pub(super) fn build(file: &Path) -> io::Result<Self> {
        let mut index = Self::default();
        let mut reader = BufReader::with_capacity(256 * 1024, File::open(file)?);
        let mut line = Vec::new();
        let mut begins = true;
        loop {
            let read = read_piece(&mut reader, &mut line)?;
            if read == 0 {
                return Ok(index);
            }
            // Longer lines are not written by the log.
            index.add(if begins { &line } else { &[] }, read);
            begins = line.last() == Some(&b'\n');
        }
    }

    /// Adds the next line, or bytes that are no line.
    pub(super) fn add(&mut self, line: &[u8], length: u64) {
        let head: Option<LineStart<'_>> = serde_json::from_slice(line).ok();
        let id = head.as_ref().and_then(|head| head.id);
        let made_at = id
            .and_then(|id| id.parse::<DecisionId>().ok())
            .map(DecisionId::made_at_millis);
        let kind = head.and_then(|head| head.kind);
        let defined = DefinitionKind::ALL
            .into_iter()
            .find(|defined| Some(defined.kind()) == kind);
        self.count(made_at, defined, length);
    }

    /// As `add`, with known properties.
    pub(super) fn count(
        &mut self,
        made_at: Option<i64>,
        defined: Option<DefinitionKind>,
        length: u64,
    ) {
        let is_full = |last: &IndexedRange| self.length - last.offset >= MIN_RANGE_BYTES;
        if self.ranges.last().is_none_or(is_full) {
            self.ranges.push(IndexedRange {
                offset: self.length,
                earliest: i64::MAX,
                latest: i64::MIN,
                before: self.numbers,
            });
        }
        if let (Some(made_at), Some(last)) = (made_at, self.ranges.last_mut()) {
            last.earliest = last.earliest.min(made_at);
            last.latest = last.latest.max(made_at);
        }
        if let Some(defined) = defined {
            *self.numbers.of_mut(defined) += 1;
        }
        self.length += length;
    }

    /// The ranges that may contain an id of that time.
    pub(super) fn candidates(&self, made_at: i64) -> impl Iterator<Item = Range<u64>> {
        self.ranges
            .iter()
            .enumerate()
            .filter(move |(_, it)| it.earliest <= made_at && made_at <= it.latest)
            .map(|(at, it)| it.offset..self.end(at))
    }

    /// All ranges, in order.
    pub(super) fn ranges(&self) -> impl DoubleEndedIterator<Item = RangeBounds> {
        self.ranges.iter().enumerate().map(|(at, it)| RangeBounds {
            start: it.offset,
            end: self.end(at),
            earliest: it.earliest,
            latest: it.latest,
        })
    }

    /// The range with this definition.
    pub(super) fn definition(&self, defined: DefinitionKind, number: u32) -> Option<Range<u64>> {
        let after = self
            .ranges
            .partition_point(|it| it.before.of(defined) < number);
        let at = after.checked_sub(1)?;
        Some(self.ranges.get(at)?.offset..self.end(at))
    }

    fn end(&self, at: usize) -> u64 {
        let next = self.ranges.get(at + 1);
        next.map_or(self.length, |next| next.offset)
    }
}

/// Reads a line, or a part of one that is longer than those of the log; 0 at the end.
fn read_piece(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<u64> {
    line.clear();
    let read = reader.take(MAX_LINE_BYTES).read_until(b'\n', line)?;
    Ok(read as u64)
}

/// The first result of `wanted` for the lines of a range, each with its place in the file.
pub(super) fn find_line_in<T>(
    file: &mut File,
    range: Range<u64>,
    mut wanted: impl FnMut(u64, &[u8]) -> Option<T>,
) -> io::Result<Option<T>> {
    file.seek(SeekFrom::Start(range.start))?;
    let length = range.end - range.start;
    let mut reader = BufReader::with_capacity(64 * 1024, file.take(length));
    let mut line = Vec::new();
    let (mut begins, mut at) = (true, range.start);
    loop {
        let read = read_piece(&mut reader, &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        let is_whole = line.last() == Some(&b'\n');
        if begins
            && is_whole
            && let Some(found) = wanted(at, &line)
        {
            return Ok(Some(found));
        }
        at += read;
        begins = is_whole;
    }
}
