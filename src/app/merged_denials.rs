//! Merges the denials in this replica's log with those that others have shared, newest first, for operators.

use std::io;

use uuid::Uuid;

use super::denials::{SCANNED, SharedDenials, SharedLookup};
use charter_decision_log::{LogPosition, RecordFilter, RecordList, RecordPage, RecordPosition};
use charter_domain::id::DecisionId;
use charter_domain::timestamp::Timestamp;
use charter_store::DenialQuery;

/// Before the newest decision of either.
const START: RecordPosition = [u64::MAX; 4];

impl SharedLookup {
    pub(super) fn merged_denials(
        &self,
        filter: &RecordFilter,
        before: Option<RecordPosition>,
        limit: usize,
    ) -> io::Result<RecordList> {
        let [file, offset, high, low] = before.unwrap_or(START);
        let at = (LogPosition { file, offset }, Uuid::from_u64_pair(high, low));
        let own = self.own.logged_records(filter, Some(at.0), limit)?;
        let others = self.denials_of_others(filter, at.1, limit)?;
        Ok(merged(own, others, at, limit))
    }

    /// Those that this replica's log does not have.
    fn denials_of_others(
        &self,
        filter: &RecordFilter,
        before: Uuid,
        limit: usize,
    ) -> io::Result<SharedDenials> {
        let organization = filter.organization.as_deref().map(str::parse);
        let Ok(organization) = organization.transpose() else {
            return Ok(SharedDenials::default());
        };
        let time = |millis: Option<i64>| millis.and_then(Timestamp::from_timestamp_millis);
        let wanted = DenialQuery {
            organization,
            before: Some(DecisionId::from_uuid(before)),
            since: time(filter.since),
            until: time(filter.until),
            limit: SCANNED,
        };
        self.shared_denials(&wanted, limit, |id, record| {
            Ok(filter.accepts(record) && !self.own.has_written(id)?)
        })
    }
}

/// At most `limit` of both in the order of their ids, and how far they go in each.
fn merged(
    own: RecordPage,
    others: SharedDenials,
    (mut at_own, mut at_other): (LogPosition, Uuid),
    limit: usize,
) -> RecordList {
    let mut list = Vec::new();
    let mut of_own = own.decisions.into_iter().peekable();
    let mut of_others = others.denials.into_iter().peekable();
    let last_looked_at = others.next.map(|id| id.to_string());
    while list.len() < limit {
        let is_own = match (of_own.peek(), of_others.peek()) {
            (Some((own, _)), Some((_, other))) => own.id > other.id,
            // An older one may come after one that was not looked at.
            (Some((own, _)), None) if last_looked_at.as_ref().is_some_and(|id| own.id < *id) => {
                break;
            }
            (Some(_), None) => true,
            (None, Some(_)) if own.next.is_none() => false,
            (None, _) => break,
        };
        if is_own {
            list.extend(of_own.next().map(|(record, at)| {
                at_own = at;
                record
            }));
        } else {
            list.extend(of_others.next().map(|(id, record)| {
                at_other = id.uuid();
                record
            }));
        }
    }
    if of_own.peek().is_none() {
        at_own = own.next.unwrap_or_default();
    }
    if of_others.peek().is_none() {
        at_other = others.next.map_or(Uuid::nil(), DecisionId::uuid);
    }
    let is_over = at_own == LogPosition::default() && at_other.is_nil();
    let (high, low) = at_other.as_u64_pair();
    RecordList {
        decisions: list,
        next: (!is_over).then_some([at_own.file, at_own.offset, high, low]),
    }
}
