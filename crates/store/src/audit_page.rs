//! Pages of an organization's audit events, for readers with a cursor.
//!
//! An event's number is one more than that of the event before, which its transaction has read. So the event
//! before is committed when this one is, and what a reader finds are always all events up to some number: none
//! comes in between later.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::audit_list::{AuditEvent, AuditFilter, of_organization};
use super::audit_rows::{EventRow, representable};
use super::entity::audit_event;
use super::{Error, TenantReader};

/// Events that one page looks through. Where few match, a page has few, or none, and the next one goes on.
const LOOKED_AT: i64 = 20_000;
/// Bytes of changes after which a page ends: each event may have some 100 KiB.
const MAX_BYTES: usize = 1024 * 1024;

/// Which page of the events is wanted. Of the filter, `before` is not used.
#[derive(Debug, Clone, Default)]
pub struct AuditPageRequest {
    pub filter: AuditFilter,
    pub oldest_first: bool,
    /// The `next` of the page before.
    pub from: Option<i64>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AuditPage {
    pub events: Vec<AuditEvent>,
    /// The number of the last event that was looked at: where the next page goes on. `None` at the end, if the newest
    /// are first.
    pub next: Option<i64>,
}

impl TenantReader<'_> {
    /// One page of the organization's events. One that cannot be read is left out, which its number shows: it stops
    /// no reader. `None` if `from` is behind the newest event: the database is older
    /// than the reader.
    pub async fn audit_page(&self, request: &AuditPageRequest) -> Result<Option<AuditPage>, Error> {
        use audit_event::Column;
        let _turn = self.wait_for_list().await?;
        let newest = self.last_event().await?;
        if request.from.is_some_and(|from| from > newest) {
            return Ok(None);
        }
        let (first, end) = if request.oldest_first {
            let first = request.from.unwrap_or(0) + 1;
            (first, (first + LOOKED_AT).min(newest + 1))
        } else {
            let end = request.from.unwrap_or(newest + 1);
            ((end - LOOKED_AT).max(1), end)
        };
        let filter = &request.filter;
        let query = of_organization(self, filter)
            .filter(Column::Sequence.gte(first))
            .filter(Column::Sequence.lt(end));
        let query = if request.oldest_first {
            query.order_by_asc(Column::Sequence)
        } else {
            query.order_by_desc(Column::Sequence)
        };
        let reader = &self.store.reader;
        let rows = representable(query, reader.get_database_backend())
            .limit(filter.limit.saturating_add(1))
            .into_model::<EventRow<audit_event::Model>>()
            .all(reader)
            .await?;
        let (mut events, mut bytes, mut is_full) = (Vec::new(), 0, false);
        let (mut looked_at, mut last) = (0, None);
        for row in rows {
            is_full = looked_at >= filter.limit || bytes > MAX_BYTES;
            if is_full {
                break;
            }
            (looked_at, last) = (looked_at + 1, Some(row.sequence));
            let sequence = row.sequence;
            let read = row.event.and_then(|event| {
                bytes += event.changes.len();
                AuditEvent::try_from(event)
            });
            match read {
                Ok(event) => events.push(event),
                Err(error) => tracing::error!(
                    organization = %self.scope.organization_id(),
                    sequence,
                    %error,
                    "an audit event cannot be read and is left out; `charter audit verify` tells more"
                ),
            }
            tokio::task::yield_now().await;
        }
        let next = match last {
            Some(_) if is_full => last,
            _ if request.oldest_first => Some(end - 1),
            _ => (first > 1).then_some(first),
        };
        Ok(Some(AuditPage { events, next }))
    }

    /// The number of the newest event; 0 if there is none.
    async fn last_event(&self) -> Result<i64, Error> {
        use audit_event::Column;
        // Not by `max`, see `chain_end`.
        let last: Option<i64> = audit_event::Entity::find()
            .select_only()
            .column(Column::Sequence)
            .filter(Column::OrganizationId.eq(self.scope.organization_id().uuid()))
            .order_by_desc(Column::Sequence)
            .into_tuple()
            .one(&self.store.reader)
            .await?;
        Ok(last.unwrap_or(0))
    }
}
