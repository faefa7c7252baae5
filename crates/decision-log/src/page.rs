//! Reads pages of decisions in either direction, each from a bounded part of the log.
//!
//! The order is that of the log. A position lies between two lines, so a reader that continues from it misses
//! nothing and sees nothing twice, whatever is written meanwhile.

use std::cmp::Ordering;
use std::fmt;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use super::file_index::{FileIndex, RangeBounds, find_line_in};
use super::files;
use super::find::FileIndexes;
use super::log_file::LogFile;

/// A place between two lines of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPosition {
    /// The number of a file.
    pub file: u64,
    /// Bytes of the file before the position.
    pub offset: u64,
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

/// Which part of the log a page reads.
pub(super) struct PageRequest {
    pub(super) oldest_first: bool,
    /// Where the previous page ended.
    pub(super) from: Option<LogPosition>,
    /// Unix time in milliseconds, inclusive; earlier ranges are skipped.
    pub(super) since: i64,
    /// Unix time in milliseconds, inclusive; later ranges are skipped.
    pub(super) until: i64,
    /// With the newest first, the list ends at a range that is older than this.
    pub(super) ends_before: i64,
    /// Maximal number of decisions.
    pub(super) limit: usize,
    /// The page ends after the range that exceeds this.
    pub(super) max_bytes: u64,
}

/// A file of the log while a page reads it.
pub(super) struct PagedFile {
    pub(super) open: File,
    pub(super) index: Arc<FileIndex>,
    /// Bytes read for the page so far.
    pub(super) read: u64,
}

/// Selects the decisions of a page.
pub(super) trait Selection {
    type Decision;
    /// Kept while one file is read.
    type FileState: Default;

    /// The decision of a line, if it is wanted.
    fn select(
        &self,
        line: &[u8],
        file: &mut PagedFile,
        state: &mut Self::FileState,
    ) -> io::Result<Option<Self::Decision>>;
}

/// Decisions, each with the place where a page after it begins.
pub(super) type Placed<D> = Vec<(D, LogPosition)>;

struct Page<D> {
    decisions: Placed<D>,
    /// Bytes read so far.
    read: u64,
    /// Everything before was read, if the oldest come first.
    reached: LogPosition,
}

impl FileIndexes {
    /// A page, and where the next one begins: `None` at the end, if the newest come first.
    pub(super) fn page<S: Selection>(
        &self,
        dir: &Path,
        request: &PageRequest,
        selection: &S,
    ) -> io::Result<(Placed<S::Decision>, Option<LogPosition>)> {
        let (mut files, _) = match files::list(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Default::default(),
            listed => listed?,
        };
        if let Some(from) = request.from {
            files.retain(|file| match file.number.cmp(&from.file) {
                Ordering::Less => !request.oldest_first,
                Ordering::Equal => true,
                Ordering::Greater => request.oldest_first,
            });
        }
        if !request.oldest_first {
            files.reverse();
        }
        let mut page = Page {
            decisions: Vec::new(),
            read: 0,
            reached: request.from.unwrap_or_default(),
        };
        for file in &files {
            match self.add_from(file, request, selection, &mut page) {
                // The file has expired meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
                Ok(ControlFlow::Break(next)) => return Ok((page.decisions, next)),
                Ok(ControlFlow::Continue(())) => {}
            }
        }
        let next = request.oldest_first.then_some(page.reached);
        Ok((page.decisions, next))
    }

    /// Adds the decisions of a file. Breaks with the next position at the end of the page.
    fn add_from<S: Selection>(
        &self,
        log_file: &LogFile,
        request: &PageRequest,
        selection: &S,
        page: &mut Page<S::Decision>,
    ) -> io::Result<ControlFlow<Option<LogPosition>>> {
        let (index, built) = self.get_or_build(&log_file.path)?;
        let mut file = PagedFile {
            open: File::open(&log_file.path)?,
            index,
            read: page.read + built,
        };
        let mut state = S::FileState::default();
        let at = |offset| LogPosition {
            file: log_file.number,
            offset,
        };
        for range in ranges(&file.index, log_file, request) {
            let RangeBounds { start, end, .. } = range;
            let has_decisions = range.earliest <= range.latest;
            if !request.oldest_first && has_decisions && range.latest < request.ends_before {
                return Ok(ControlFlow::Break(None));
            }
            if range.latest < request.since || range.earliest > request.until {
                page.reached = at(end);
                continue;
            }
            if file.read >= request.max_bytes {
                let stop = if request.oldest_first { start } else { end };
                return Ok(ControlFlow::Break(Some(at(stop))));
            }
            file.read += end - start;
            let mut lines = Vec::new();
            find_line_in(&mut file.open, start..end, |at, line| {
                lines.push((at, line.to_vec()));
                None::<()>
            })?;
            let whole = lines
                .last()
                .map_or(start, |(at, line)| at + line.len() as u64);
            if !request.oldest_first {
                lines.reverse();
            }
            for (start, line) in lines {
                let decision = selection.select(&line, &mut file, &mut state)?;
                let read = if request.oldest_first {
                    line.len() as u64
                } else {
                    0
                };
                let next = at(start + read);
                page.decisions.extend(decision.map(|it| (it, next)));
                if page.decisions.len() >= request.limit {
                    return Ok(ControlFlow::Break(Some(next)));
                }
            }
            page.reached = at(whole);
        }
        page.read = file.read;
        Ok(ControlFlow::Continue(()))
    }
}

/// The file's ranges from the page's beginning on, in its order.
fn ranges(index: &FileIndex, file: &LogFile, request: &PageRequest) -> Vec<RangeBounds> {
    let boundary = request.from.filter(|from| from.file == file.number);
    let clipped = |mut range: RangeBounds| {
        match boundary {
            Some(from) if request.oldest_first => range.start = range.start.max(from.offset),
            Some(from) => range.end = range.end.min(from.offset),
            None => {}
        }
        range
    };
    let clipped = index.ranges().map(clipped);
    let mut ranges: Vec<_> = clipped.filter(|range| range.start < range.end).collect();
    if !request.oldest_first {
        ranges.reverse();
    }
    ranges
}
