//! Where in a file a decision may stand: for each stretch of it, between which times the ids lie
//! and how many definitions stand before. Ids begin with their time, so an id that is in no file
//! costs next to nothing.
//!
//! It is kept beside a finished file and made again where it is missing. It says where to look,
//! never what is there: whoever changes it hides a line from look-ups, and not from `verify`.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::definitions::{Defined, Numbers};
use super::log_file::{LogFile, MAX_LINE_BYTES};
use charter_domain::id::DecisionId;
use charter_system::private;

/// Bytes of a stretch, at least.
const STRETCH: u64 = 64 * 1024;
const VERSION: u8 = 1;
const EXTENSION: &str = "index";

/// A file's stretches, in their order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Index {
    v: u8,
    /// Of the file, as far as it is indexed.
    pub(super) length: u64,
    /// Definitions in all of it.
    pub(super) numbers: Numbers,
    stretches: Vec<Stretch>,
}

/// Some lines of a file.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Stretch {
    pub(super) offset: u64,
    /// In milliseconds of Unix time; the earliest is after the latest where there is no decision.
    earliest: i64,
    latest: i64,
    /// Definitions before it.
    before: Numbers,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    kind: Option<&'a str>,
    #[serde(borrow, default)]
    id: Option<&'a str>,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            v: VERSION,
            length: 0,
            numbers: Numbers::default(),
            stretches: Vec::new(),
        }
    }
}

impl Index {
    /// Where the index of a file is kept.
    pub(super) fn path_of(file: &Path) -> PathBuf {
        file.with_extension(EXTENSION)
    }

    /// Whether a path is one of an index of a file of the log, or of one that is being made.
    pub(super) fn is_of_log(path: &Path) -> bool {
        let finished = match path.extension() {
            Some(new) if new == "new" => path.with_extension(""),
            _ => path.to_owned(),
        };
        finished.extension().is_some_and(|it| it == EXTENSION)
            && LogFile::named(&finished.with_extension("jsonl")).is_some()
    }

    /// Reads what is kept beside a finished file; `None` where it is missing or of another file.
    pub(super) fn load(file: &Path) -> Option<Self> {
        let bytes = std::fs::read(Self::path_of(file)).ok()?;
        let index: Self = serde_json::from_slice(&bytes).ok()?;
        let length = std::fs::metadata(file).ok()?.len();
        (index.v == VERSION && index.length == length).then_some(index)
    }

    /// Keeps it beside its finished file.
    pub(super) fn save(&self, file: &Path) -> io::Result<()> {
        let path = Self::path_of(file);
        let text = serde_json::to_vec(self)?;
        private::replace(&path, &path.with_extension("index.new"), &text)
    }

    /// Makes one by reading the file.
    pub(super) fn build(file: &Path) -> io::Result<Self> {
        let mut index = Self::default();
        let mut reader = BufReader::with_capacity(256 * 1024, File::open(file)?);
        let mut line = Vec::new();
        let mut begins = true;
        loop {
            line.clear();
            let read = (&mut reader)
                .take(MAX_LINE_BYTES)
                .read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(index);
            }
            // What is longer is no line of ours.
            index.add(if begins { &line } else { &[] }, read as u64);
            begins = line.last() == Some(&b'\n');
        }
    }

    /// Adds the next line, or bytes that are none.
    pub(super) fn add(&mut self, line: &[u8], length: u64) {
        let head: Option<Head<'_>> = serde_json::from_slice(line).ok();
        let id = head.as_ref().and_then(|head| head.id);
        let made_at = id
            .and_then(|id| id.parse::<DecisionId>().ok())
            .map(DecisionId::made_at_millis);
        let kind = head.and_then(|head| head.kind);
        let defined = Defined::ALL
            .into_iter()
            .find(|defined| Some(defined.kind()) == kind);
        self.count(made_at, defined, length);
    }

    /// Adds the next line, of which that is known.
    pub(super) fn count(&mut self, made_at: Option<i64>, defined: Option<Defined>, length: u64) {
        let is_full = |last: &Stretch| self.length - last.offset >= STRETCH;
        if self.stretches.last().is_none_or(is_full) {
            self.stretches.push(Stretch {
                offset: self.length,
                earliest: i64::MAX,
                latest: i64::MIN,
                before: self.numbers,
            });
        }
        if let (Some(made_at), Some(last)) = (made_at, self.stretches.last_mut()) {
            last.earliest = last.earliest.min(made_at);
            last.latest = last.latest.max(made_at);
        }
        if let Some(defined) = defined {
            *self.numbers.of_mut(defined) += 1;
        }
        self.length += length;
    }

    /// The stretches that may have an id of that time: offset and end.
    pub(super) fn candidates(&self, made_at: i64) -> impl Iterator<Item = (u64, u64)> {
        self.stretches
            .iter()
            .enumerate()
            .filter(move |(_, it)| it.earliest <= made_at && made_at <= it.latest)
            .map(|(at, it)| (it.offset, self.end(at)))
    }

    /// The stretch that has the definition of that number.
    pub(super) fn definition(&self, defined: Defined, number: u32) -> Option<(u64, u64)> {
        let after = self
            .stretches
            .partition_point(|it| it.before.of(defined) < number);
        let at = after.checked_sub(1)?;
        Some((self.stretches.get(at)?.offset, self.end(at)))
    }

    fn end(&self, at: usize) -> u64 {
        let next = self.stretches.get(at + 1);
        next.map_or(self.length, |next| next.offset)
    }
}

/// The lines of a stretch for which `wanted` gives something, until it gives one.
pub(super) fn first_of<T>(
    file: &mut File,
    (start, end): (u64, u64),
    mut wanted: impl FnMut(&[u8]) -> Option<T>,
) -> io::Result<Option<T>> {
    file.seek(SeekFrom::Start(start))?;
    let mut reader = BufReader::with_capacity(64 * 1024, file.take(end - start));
    let mut line = Vec::new();
    let mut begins = true;
    loop {
        line.clear();
        if (&mut reader)
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut line)?
            == 0
        {
            return Ok(None);
        }
        let is_whole = line.last() == Some(&b'\n');
        if begins
            && is_whole
            && let Some(found) = wanted(&line)
        {
            return Ok(Some(found));
        }
        begins = is_whole;
    }
}
