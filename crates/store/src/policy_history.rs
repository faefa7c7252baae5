//! The history of the policies in force, page by page, with who approved each revision.

use sea_orm::{ColumnTrait, QueryFilter, QuerySelect};

use super::entity::policy_revision;
use super::{Error, PolicyApproval, PolicyRevision, Store};
use charter_domain::timestamp::Timestamp;

/// A revision in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRevisionSpan {
    /// From 1, counted over all domains.
    pub sequence: i64,
    /// `None` if the row does not match its audit event, so that nothing of it can be believed.
    pub revision: Option<PolicyRevision>,
    /// When the next one came into force; `None` for the last.
    pub until: Option<Timestamp>,
    /// The authentic approvals that it rests on.
    pub approvals: Vec<PolicyApproval>,
}

/// A page of the history, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyHistoryPage {
    pub spans: Vec<PolicyRevisionSpan>,
    /// Continues after this page; `None` at the end.
    pub next: Option<i64>,
}

impl Store {
    /// At most `limit` revisions of a domain before the one with this number, or the newest ones.
    pub async fn policy_history(
        &self,
        domain: Option<&str>,
        before: Option<i64>,
        limit: u64,
    ) -> Result<PolicyHistoryPage, Error> {
        // The revision before the page says until when its first one was in force; one more says
        // whether there is a next page.
        let more = if before.is_some() { 2 } else { 1 };
        let mut query = policy_revision::of_domain(domain);
        if let Some(before) = before {
            query = query.filter(policy_revision::Column::Sequence.lte(before));
        }
        let rows = query
            .limit(limit.saturating_add(more))
            .all(&self.reader)
            .await?;
        let mut until = None;
        let mut page = PolicyHistoryPage {
            spans: Vec::new(),
            next: None,
        };
        let mut rows = rows.into_iter().peekable();
        while let Some(row) = rows.next() {
            let (sequence, from) = (row.sequence, row.in_force_from);
            if before == Some(sequence) {
                until = Some(from);
                continue;
            }
            if page.spans.len() as u64 == limit {
                page.next = page.spans.last().map(|last| last.sequence);
                break;
            }
            let base = rows.peek().map_or(0, |earlier| earlier.sequence);
            let revision = self.authentic(&self.reader, row).await?;
            let mut approvals = Vec::new();
            if let Some(revision) = &revision {
                approvals = self.approvals_of(&revision.whole_digest, base).await?;
                approvals.retain(|approval| approval.used_by == Some(sequence));
            }
            page.spans.push(PolicyRevisionSpan {
                sequence,
                revision,
                until: until.replace(from),
                approvals,
            });
        }
        Ok(page)
    }
}
