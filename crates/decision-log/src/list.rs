//! Lists an organization's decisions, newest or oldest first, in pages that read a bounded part of the log.
//!
//! The order is that of the log. A position lies between two lines, so a reader that goes on from it misses
//! nothing and sees nothing twice, whatever is written meanwhile.

use std::fs::File;
use std::io;
use std::path::Path;

use super::definitions::DefinitionKind;
use super::file_index::FileIndex;
use super::files;
use super::find::FileIndexes;
use super::list_lines::{Cases, DecisionLine, decision_lines};
use super::log_file::LogFile;
use charter_authz::json::Uid;
use charter_domain::timestamp::{self, Timestamp};

/// A place between two lines of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPosition {
    /// The number of a file.
    pub file: u64,
    /// Bytes of it that stand before.
    pub offset: u64,
}

/// Which decisions are listed: those that meet every condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DecisionFilter {
    /// The principal's organization, `org-…`.
    pub organization: String,
    /// Inclusive.
    pub since: Option<Timestamp>,
    /// Exclusive.
    pub until: Option<Timestamp>,
    /// The principal's id, as it is recorded.
    pub actor: Option<String>,
    pub permission: Option<String>,
    /// `allow` or `deny`.
    pub outcome: Option<String>,
}

/// Which page of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionQuery {
    pub filter: DecisionFilter,
    pub oldest_first: bool,
    /// Where the page before ended.
    pub from: Option<LogPosition>,
    /// Most decisions on a page.
    pub limit: usize,
    /// Bytes of the log that the page reads, about: it ends with the 64 KiB that exceed them.
    pub max_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionPage {
    pub decisions: Vec<ListedDecision>,
    /// Where the next page begins; `None` at the end, if the newest are first.
    pub next: Option<LogPosition>,
}

impl DecisionPage {
    /// The page of a log without files.
    pub(super) fn empty(query: &DecisionQuery) -> Self {
        Self {
            decisions: Vec::new(),
            next: query.oldest_first.then(|| query.from.unwrap_or_default()),
        }
    }
}

/// Who asked for which permission, and the outcome; not why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDecision {
    /// `dec-…`
    pub id: String,
    pub at: String,
    pub request_id: String,
    /// `evaluation` for the evaluation endpoint; `None` for a request that acts on the decision.
    pub via: Option<String>,
    pub principal: Uid,
    pub permission: String,
    /// `allow` or `deny`.
    pub outcome: String,
}

/// A page in the making.
struct Page<'a> {
    query: &'a DecisionQuery,
    decisions: Vec<ListedDecision>,
    /// Bytes read so far.
    read: u64,
    /// Up to where everything was looked at, if the oldest are first.
    reached: Option<LogPosition>,
}

impl FileIndexes {
    pub(super) fn list(&self, dir: &Path, query: &DecisionQuery) -> io::Result<DecisionPage> {
        let (mut files, _) = match files::list(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Default::default(),
            listed => listed?,
        };
        if let Some(from) = query.from {
            let is_read = |file: &LogFile| file.number.cmp(&from.file);
            files.retain(|file| match is_read(file) {
                std::cmp::Ordering::Less => !query.oldest_first,
                std::cmp::Ordering::Equal => true,
                std::cmp::Ordering::Greater => query.oldest_first,
            });
        }
        if !query.oldest_first {
            files.reverse();
        }
        let mut page = Page {
            query,
            decisions: Vec::new(),
            read: 0,
            reached: query.from,
        };
        for file in &files {
            match self.add_from(file, &mut page) {
                // The file has expired meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
                Ok(Some(stopped)) => return Ok(page.until(Some(stopped))),
                Ok(None) => {}
            }
        }
        let reached = page.reached.unwrap_or_default();
        let next = query.oldest_first.then_some(reached);
        Ok(page.until(next))
    }

    /// Adds what a file has. Returns where the page is full.
    fn add_from(&self, file: &LogFile, page: &mut Page<'_>) -> io::Result<Option<LogPosition>> {
        let (index, built) = self.get_or_build(&file.path)?;
        page.read += built;
        let mut open = File::open(&file.path)?;
        let mut cases = Cases::default();
        let query = page.query;
        let at = |offset| LogPosition {
            file: file.number,
            offset,
        };
        for (start, end, may_match) in ranges(&index, file, query) {
            if !may_match {
                page.reached = Some(at(end));
                continue;
            }
            if page.read >= query.max_bytes {
                return Ok(Some(at(if query.oldest_first { start } else { end })));
            }
            page.read += end - start;
            let (mut lines, whole) = decision_lines(&mut open, (start, end))?;
            if !query.oldest_first {
                lines.reverse();
            }
            for line in lines {
                let stop = if query.oldest_first {
                    line.end
                } else {
                    line.start
                };
                if page.add(line, (&mut open, &index), &mut cases)? {
                    return Ok(Some(at(stop)));
                }
            }
            page.reached = Some(at(whole));
        }
        Ok(None)
    }
}

/// The ranges that the page has to look at, in its order, and whether one may have what is wanted.
fn ranges(index: &FileIndex, file: &LogFile, query: &DecisionQuery) -> Vec<(u64, u64, bool)> {
    let boundary = query.from.filter(|from| from.file == file.number);
    let millis = |at: Option<Timestamp>| at.map(|at| at.timestamp_millis());
    let since = millis(query.filter.since).unwrap_or(i64::MIN);
    // A time within a millisecond excludes nothing of that millisecond here.
    let until = millis(query.filter.until).unwrap_or(i64::MAX);
    let clipped = |(start, end, may_match): (u64, u64, bool)| match boundary {
        Some(from) if query.oldest_first => (start.max(from.offset), end, may_match),
        Some(from) => (start, end.min(from.offset), may_match),
        None => (start, end, may_match),
    };
    let mut ranges: Vec<_> = index
        .ranges_within(since, until)
        .map(clipped)
        .filter(|(start, end, _)| start < end)
        .collect();
    if !query.oldest_first {
        ranges.reverse();
    }
    ranges
}

impl Page<'_> {
    /// Adds a decision if it is wanted. Returns true if the page is full then.
    fn add(
        &mut self,
        line: DecisionLine,
        file: (&mut File, &FileIndex),
        cases: &mut Cases,
    ) -> io::Result<bool> {
        let filter = &self.query.filter;
        let Some(at) = Timestamp::from_timestamp_millis(line.id.made_at_millis()) else {
            return Ok(false);
        };
        let is_early = filter.since.is_some_and(|since| at < since);
        if is_early || filter.until.is_some_and(|until| at >= until) {
            return Ok(false);
        }
        let (open, index) = file;
        let ranges = |number| index.definition(DefinitionKind::Case, number);
        let Some(case) = cases.of(&line, open, ranges, &mut self.read)? else {
            return Ok(false);
        };
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        let is_its_own = case.domain.is_none()
            && case.organization.as_deref() == Some(filter.organization.as_str());
        let is_wanted = is_its_own
            && is(&filter.actor, &case.principal.id)
            && is(&filter.permission, &case.action.id)
            && is(&filter.outcome, &case.decision);
        if is_wanted {
            self.decisions.push(ListedDecision {
                id: line.id.to_string(),
                at: timestamp::format_millis(at),
                request_id: line.request_id,
                via: case.via.clone(),
                principal: case.principal.clone(),
                permission: case.action.id.clone(),
                outcome: case.decision.clone(),
            });
        }
        Ok(self.decisions.len() >= self.query.limit)
    }

    fn until(self, next: Option<LogPosition>) -> DecisionPage {
        DecisionPage {
            decisions: self.decisions,
            next,
        }
    }
}
