//! Lists an organization's decisions, newest or oldest first.

use std::io;
use std::path::Path;

use super::definitions::DefinitionKind;
use super::find::FileIndexes;
use super::list_lines::{Cases, DecisionLine};
use super::page::{LogPosition, PageRequest, PagedFile, Selection};
use super::record::DecisionRecord;
use charter_authz::json::Uid;
use charter_domain::timestamp::{self, Timestamp};

/// The listed decisions meet every condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DecisionFilter {
    /// The principal's organization, `org-…`.
    pub organization: String,
    /// Inclusive.
    pub since: Option<Timestamp>,
    /// Exclusive.
    pub until: Option<Timestamp>,
    /// The principal's id, as it is logged.
    pub actor: Option<String>,
    pub permission: Option<String>,
    /// `allow` or `deny`.
    pub outcome: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionQuery {
    pub filter: DecisionFilter,
    pub oldest_first: bool,
    /// Where the previous page ended.
    pub from: Option<LogPosition>,
    /// Maximal number of decisions on a page.
    pub limit: usize,
    /// The page ends after the 64 KiB of the log that exceed this.
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

/// A decision without its reasons.
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

impl From<DecisionRecord> for ListedDecision {
    fn from(record: DecisionRecord) -> Self {
        Self {
            id: record.id,
            at: record.at,
            request_id: record.request_id,
            via: record.via,
            principal: record.principal,
            permission: record.action.id,
            outcome: record.decision,
        }
    }
}

impl FileIndexes {
    pub(super) fn list(&self, dir: &Path, query: &DecisionQuery) -> io::Result<DecisionPage> {
        let millis = |at: Timestamp| at.timestamp_millis();
        let request = PageRequest {
            oldest_first: query.oldest_first,
            from: query.from,
            since: query.filter.since.map_or(i64::MIN, millis),
            // A time within a millisecond excludes nothing of that millisecond here.
            until: query.filter.until.map_or(i64::MAX, millis),
            ends_before: i64::MIN,
            limit: query.limit,
            max_bytes: query.max_bytes,
        };
        let (decisions, next) = self.page(dir, &request, &query.filter)?;
        let decisions = decisions.into_iter().map(|(it, _)| it).collect();
        Ok(DecisionPage { decisions, next })
    }
}

impl Selection for DecisionFilter {
    type Decision = ListedDecision;
    type FileState = Cases;

    fn select(
        &self,
        line: &[u8],
        file: &mut PagedFile,
        cases: &mut Cases,
    ) -> io::Result<Option<ListedDecision>> {
        let Some(line) = DecisionLine::parse(line) else {
            return Ok(None);
        };
        let Some(at) = Timestamp::from_timestamp_millis(line.id.made_at_millis()) else {
            return Ok(None);
        };
        let is_early = self.since.is_some_and(|since| at < since);
        if is_early || self.until.is_some_and(|until| at >= until) {
            return Ok(None);
        }
        let PagedFile { open, index, read } = file;
        let ranges = |number| index.definition(DefinitionKind::Case, number);
        let Some(case) = cases.of(&line, open, ranges, read)? else {
            return Ok(None);
        };
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        let is_its_own = case.domain.is_none()
            && case.organization.as_deref() == Some(self.organization.as_str());
        let is_wanted = is_its_own
            && is(&self.actor, &case.principal.id)
            && is(&self.permission, &case.action.id)
            && is(&self.outcome, &case.decision);
        Ok(is_wanted.then(|| ListedDecision {
            id: line.id.to_string(),
            at: timestamp::format_millis(at),
            request_id: line.request_id,
            via: case.via.clone(),
            principal: case.principal.clone(),
            permission: case.action.id.clone(),
            outcome: case.decision.clone(),
        }))
    }
}
