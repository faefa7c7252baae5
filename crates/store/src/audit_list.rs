//! The audit log of one organization, to be read.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;

use super::entity::{audit_event, stored_time};
use super::{Error, TenantReader};
use charter_domain::json;
use charter_domain::timestamp::Timestamp;

/// Which events, newest first.
#[derive(Debug, Default, Clone)]
pub struct AuditFilter {
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Older than this.
    pub until: Option<Timestamp>,
    /// By this actor only.
    pub actor: Option<String>,
    /// Of this action only.
    pub action: Option<String>,
    /// Before this number in the organization's chain.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u64,
}

/// One change, as it is on record.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// Its number in the organization's chain, from 1.
    pub sequence: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// The permission that it took, or what the service or an operator did.
    pub action: String,
    /// The typed id of what was changed.
    pub object: String,
    /// The members that changed, `before` and `after`.
    pub changes: Value,
    /// The request's id, where one was the cause.
    pub request_id: Option<String>,
    /// The policies that allowed it, where any were asked.
    pub policy_digest: Option<String>,
}

impl TenantReader<'_> {
    /// The organization's events, newest first.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn audit_events(&self, filter: &AuditFilter) -> Result<Vec<AuditEvent>, Error> {
        use audit_event::Column;
        let mut query = audit_event::Entity::find()
            .filter(Column::OrganizationId.eq(self.scope.organization_id().uuid()))
            .order_by_desc(Column::Sequence)
            .limit(filter.limit);
        if let Some(since) = filter.since {
            query = query.filter(Column::OccurredAt.gte(stored_time(since)));
        }
        if let Some(until) = filter.until {
            query = query.filter(Column::OccurredAt.lt(stored_time(until)));
        }
        if let Some(actor) = &filter.actor {
            query = query.filter(Column::Actor.eq(actor));
        }
        if let Some(action) = &filter.action {
            query = query.filter(Column::Action.eq(action));
        }
        if let Some(before) = filter.before {
            query = query.filter(Column::Sequence.lt(before));
        }
        let rows = query.all(&self.store.reader).await?;
        rows.into_iter().map(AuditEvent::try_from).collect()
    }
}

impl TryFrom<audit_event::Model> for AuditEvent {
    type Error = Error;

    fn try_from(row: audit_event::Model) -> Result<Self, Error> {
        let changes = json::from_slice(row.changes.as_bytes())
            .map_err(|error| Error::corrupt("audit_events.changes", error))?;
        Ok(Self {
            sequence: row.sequence,
            at: row.occurred_at,
            actor: row.actor,
            action: row.action,
            object: row.resource,
            changes,
            request_id: row.request_id,
            policy_digest: row.policy_digest,
        })
    }
}
