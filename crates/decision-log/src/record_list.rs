//! Lists the decisions of all organizations, newest first, for operators.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;

use super::expand::{DefinitionReader, LogLine};
use super::file_index::FileIndex;
use super::files;
use super::find::{FileIndexes, gather};
use super::list::LogPosition;
use super::log_file::{LogFile, MAX_LINE_BYTES};
use super::record::DecisionRecord;
use super::recorder::Recorder;
use charter_domain::id::DecisionId;

/// Ranges of 64 KiB that one page reads; a search for what is rare goes on with the next page.
const MAX_RANGES: usize = 512;

/// A decision's time is that of its request's authentication; lines are in the order in which they were taken. In
/// milliseconds.
const MAX_DISORDER: i64 = 60 * 60 * 1_000;

/// Which decisions are listed; members that are `None` do not matter.
#[derive(Debug, Clone, Default)]
pub struct RecordFilter {
    /// A domain of one's own.
    pub domain: Option<String>,
    /// `org-…`
    pub organization: Option<String>,
    /// The action.
    pub permission: Option<String>,
    /// The principal's id, whatever its type.
    pub principal: Option<String>,
    /// `allow` or `deny`.
    pub decision: Option<String>,
    /// A determining policy.
    pub policy: Option<String>,
    /// Whether the shadow policies decide differently.
    pub shadow_differs: bool,
    /// Unix times in milliseconds, the second excluded.
    pub since: Option<i64>,
    pub until: Option<i64>,
}

/// Decisions, newest first.
#[derive(Debug, Default)]
pub struct RecordPage {
    pub decisions: Vec<DecisionRecord>,
    /// Where the next page goes on; `None` at the end. There may be one although this page is empty.
    pub next: Option<LogPosition>,
}

/// Written `FILE-OFFSET`.
impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.file, self.offset)
    }
}

/// The text is not that of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the `next_cursor` of an answer")]
pub struct MalformedPosition;

impl FromStr for LogPosition {
    type Err = MalformedPosition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| text.parse().map_err(|_| MalformedPosition);
        let (file, offset) = text.split_once('-').ok_or(MalformedPosition)?;
        Ok(Self {
            file: number(file)?,
            offset: number(offset)?,
        })
    }
}

/// What tells which case a line belongs to.
#[derive(Deserialize)]
struct LineHead<'a> {
    #[serde(borrow, default)]
    kind: Option<&'a str>,
    #[serde(borrow, default)]
    id: Option<&'a str>,
    #[serde(default)]
    case: Option<u32>,
}

impl RecordFilter {
    fn takes(&self, record: &DecisionRecord) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        let by = |policy: &String| record.determining.contains(policy);
        let of =
            |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        of(&self.domain, &record.domain)
            && of(&self.organization, &record.organization)
            && is(&self.permission, &record.action.id)
            && is(&self.principal, &record.principal.id)
            && is(&self.decision, &record.decision)
            && self.policy.as_ref().is_none_or(by)
            && (!self.shadow_differs || record.shadow.is_some())
    }
}

/// The files that may have decisions since then, oldest first, each with its beginning. Unix times in milliseconds.
pub fn files_since(dir: &Path, since: i64) -> io::Result<Vec<(PathBuf, i64)>> {
    let (files, _) = match files::list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    let after = files.iter().skip(1).map(|file| file.begun);
    let ends = after.chain(std::iter::once(i64::MAX));
    let recent = files.iter().zip(ends).filter(|(_, end)| *end >= since);
    Ok(recent
        .map(|(file, _)| (file.path.clone(), file.begun))
        .collect())
}

impl Recorder {
    /// At most `limit` decisions before this position, or the newest ones. Blocks. Without a log there are none.
    pub fn records(
        &self,
        filter: &RecordFilter,
        before: Option<LogPosition>,
        limit: usize,
    ) -> io::Result<RecordPage> {
        let Some((indexes, dir)) = self.flushed_files() else {
            return Ok(RecordPage::default());
        };
        let (files, _) = match files::list(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(RecordPage::default());
            }
            listed => listed?,
        };
        let mut listing = Listing {
            filter,
            limit,
            ranges_left: MAX_RANGES,
            page: RecordPage::default(),
        };
        for file in files.iter().rev() {
            let before = match before {
                Some(before) if before.file < file.number => continue,
                Some(before) if before.file == file.number => before.offset,
                _ => u64::MAX,
            };
            match listing.read(indexes, file, before) {
                Ok(Reading::GoOn) => {}
                Ok(Reading::Ended) => break,
                // The file has expired meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(listing.page)
    }
}

struct Listing<'a> {
    filter: &'a RecordFilter,
    limit: usize,
    ranges_left: usize,
    page: RecordPage,
}

enum Reading {
    GoOn,
    /// The page is full, enough was read for one, or the rest is older than what is asked for.
    Ended,
}

impl Listing<'_> {
    /// Reads the lines of a file that begin before this offset, from its end.
    fn read(&mut self, indexes: &FileIndexes, file: &LogFile, before: u64) -> io::Result<Reading> {
        let index = indexes.get(&file.path)?;
        let mut open = File::open(&file.path)?;
        let mut lines = FileLines {
            index: &index,
            definitions: DefinitionReader::default(),
            taken_cases: HashMap::new(),
        };
        for range in index.ranges().rev().filter(|range| range.start < before) {
            // A range without decisions has no times.
            let has_decisions = range.earliest <= range.latest;
            let since = self.filter.since.unwrap_or(i64::MIN);
            if has_decisions && range.latest < since.saturating_sub(MAX_DISORDER) {
                return Ok(Reading::Ended);
            }
            let until = self.filter.until.unwrap_or(i64::MAX);
            if !has_decisions || range.earliest >= until || range.latest < since {
                continue;
            }
            let at = |offset| LogPosition {
                file: file.number,
                offset,
            };
            if self.ranges_left == 0 {
                self.page.next = Some(at(range.end));
                return Ok(Reading::Ended);
            }
            self.ranges_left -= 1;
            let texts = lines_of(&mut open, range.start, range.end.min(before))?;
            for (offset, line) in texts.iter().rev() {
                let Some(record) = lines.taken(&mut open, line, self.filter) else {
                    continue;
                };
                self.page.decisions.push(record);
                if self.page.decisions.len() >= self.limit {
                    self.page.next = Some(at(*offset));
                    return Ok(Reading::Ended);
                }
            }
        }
        Ok(Reading::GoOn)
    }
}

/// The lines of one file, and what is known of their definitions.
struct FileLines<'a> {
    index: &'a FileIndex,
    definitions: DefinitionReader,
    /// Whether the filter takes the decisions of a case: all that it looks at belongs to the case.
    taken_cases: HashMap<u32, bool>,
}

impl FileLines<'_> {
    /// The decision of a line, if the filter takes it. Lines that cannot be read are `verify`'s business.
    fn taken(
        &mut self,
        open: &mut File,
        line: &[u8],
        filter: &RecordFilter,
    ) -> Option<DecisionRecord> {
        let head: LineHead<'_> = serde_json::from_slice(line).ok()?;
        if head.kind.is_some_and(|kind| kind != "decision") {
            return None;
        }
        let at = head.id?.parse::<DecisionId>().ok()?.made_at_millis();
        let is_in_time = filter.since.is_none_or(|since| since <= at)
            && filter.until.is_none_or(|until| at < until);
        let known = head.case.and_then(|case| self.taken_cases.get(&case));
        if !is_in_time || known == Some(&false) {
            return None;
        }
        gather(open, self.index, &mut self.definitions, line).ok()?;
        let Ok(LogLine::Decision(record)) = self.definitions.read(line) else {
            return None;
        };
        let is_taken = filter.takes(&record);
        if let Some(case) = head.case {
            self.taken_cases.insert(case, is_taken);
        }
        is_taken.then_some(*record)
    }
}

/// The whole lines of a part of a file, with their offsets.
fn lines_of(open: &mut File, start: u64, end: u64) -> io::Result<Vec<(u64, Vec<u8>)>> {
    open.seek(SeekFrom::Start(start))?;
    let part = end.saturating_sub(start);
    let mut reader = BufReader::with_capacity(64 * 1024, open.take(part));
    let (mut lines, mut offset, mut begins) = (Vec::new(), start, true);
    loop {
        let mut line = Vec::new();
        let read = (&mut reader)
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(lines);
        }
        let is_whole = line.last() == Some(&b'\n');
        if begins && is_whole {
            lines.push((offset, line));
        }
        begins = is_whole;
        offset += read as u64;
    }
}
