//! Lists the decisions of all organizations, newest first, for operators.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::expand::DefinitionReader;
use super::files;
use super::find::{FileIndexes, gather};
use super::log_line::LogLine;
use super::page::{LogPosition, PageRequest, PagedFile, Selection};
use super::record::DecisionRecord;
use super::recorder::Recorder;
use charter_domain::id::DecisionId;

/// Bytes of the log that one page reads; a search for rare decisions continues with the next page.
const MAX_PAGE_BYTES: u64 = 32 * 1024 * 1024;

/// How far lines may be out of order, in milliseconds: a decision has the time of its request's authentication, but
/// its line is written when it is made.
const MAX_DISORDER: i64 = 60 * 60 * 1_000;

/// The listed decisions meet every condition that is set.
#[derive(Debug, Clone, Default, Serialize)]
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
    /// The `@id` of a determining policy.
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
    /// Each with the place where a page after it begins.
    pub decisions: Vec<(DecisionRecord, LogPosition)>,
    /// Where the next page begins; `None` at the end. There may be one even if this page is empty.
    pub next: Option<LogPosition>,
}

/// The fields of a line that identify its case.
#[derive(Deserialize)]
struct LineHead<'a> {
    #[serde(borrow, default)]
    kind: Option<&'a str>,
    #[serde(borrow, default)]
    id: Option<&'a str>,
    #[serde(default)]
    case: Option<u32>,
}

/// Where a page of a list begins; `DecisionLookup::records` knows what it means.
pub type RecordPosition = [u64; 4];

/// Decisions of all organizations and domains, newest first.
#[derive(Debug, Default)]
pub struct RecordList {
    pub decisions: Vec<DecisionRecord>,
    /// Where the next page begins; `None` at the end. There may be one even if this page is empty.
    pub next: Option<RecordPosition>,
}

impl RecordList {
    pub(super) fn of(page: RecordPage) -> Self {
        Self {
            decisions: page.decisions.into_iter().map(|(it, _)| it).collect(),
            next: page.next.map(|next| [next.file, next.offset, 0, 0]),
        }
    }
}

impl RecordFilter {
    /// Whether it meets every condition but for the times.
    #[must_use]
    pub fn accepts(&self, record: &DecisionRecord) -> bool {
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

/// The files that may have decisions since this time, oldest first, with their beginnings. In Unix milliseconds.
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
    pub fn logged_records(
        &self,
        filter: &RecordFilter,
        before: Option<LogPosition>,
        limit: usize,
    ) -> io::Result<RecordPage> {
        let Some((indexes, dir)) = self.flushed_files() else {
            return Ok(RecordPage::default());
        };
        indexes.records(dir, filter, before, limit)
    }
}

impl FileIndexes {
    pub(super) fn records(
        &self,
        dir: &Path,
        filter: &RecordFilter,
        before: Option<LogPosition>,
        limit: usize,
    ) -> io::Result<RecordPage> {
        let since = filter.since.unwrap_or(i64::MIN);
        let request = PageRequest {
            oldest_first: false,
            from: before,
            since,
            until: filter
                .until
                .map_or(i64::MAX, |until| until.saturating_sub(1)),
            ends_before: since.saturating_sub(MAX_DISORDER),
            limit,
            max_bytes: MAX_PAGE_BYTES,
        };
        let (decisions, next) = self.page(dir, &request, filter)?;
        Ok(RecordPage { decisions, next })
    }
}

/// The definitions of a file that were read so far.
#[derive(Default)]
pub(super) struct KnownCases {
    definitions: DefinitionReader,
    /// Whether the filter accepts the decisions of a case: it compares only fields of the case.
    accepted: HashMap<u32, bool>,
}

impl RecordFilter {
    /// The decision of a line, if the filter accepts it; `verify` reports unreadable lines.
    fn accept(
        &self,
        line: &[u8],
        file: &mut PagedFile,
        cases: &mut KnownCases,
    ) -> Option<DecisionRecord> {
        let head: LineHead<'_> = serde_json::from_slice(line).ok()?;
        if head.kind.is_some_and(|kind| kind != "decision") {
            return None;
        }
        let at = head.id?.parse::<DecisionId>().ok()?.made_at_millis();
        let is_in_time =
            self.since.is_none_or(|since| since <= at) && self.until.is_none_or(|until| at < until);
        let known = head.case.and_then(|case| cases.accepted.get(&case));
        if !is_in_time || known == Some(&false) {
            return None;
        }
        gather(&mut file.open, &file.index, &mut cases.definitions, line).ok()?;
        let Ok(LogLine::Decision(record)) = cases.definitions.read(line) else {
            return None;
        };
        let is_accepted = self.accepts(&record);
        if let Some(case) = head.case {
            cases.accepted.insert(case, is_accepted);
        }
        is_accepted.then_some(*record)
    }
}

impl Selection for RecordFilter {
    type Decision = DecisionRecord;
    type FileState = KnownCases;

    fn select(
        &self,
        line: &[u8],
        file: &mut PagedFile,
        cases: &mut KnownCases,
    ) -> io::Result<Option<DecisionRecord>> {
        Ok(self.accept(line, file, cases))
    }
}
