//! The audit log of one organization, and of the installation, to be read.

use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;

use super::entity::{audit_event, installation_event, stored_time};
use super::{Error, Store, TenantReader};
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
    /// Before this number in the chain.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u64,
}

/// One change, as it is on record.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// Its number in its chain, from 1.
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

/// What a filter takes of a chain whose table has these columns.
fn condition<C: ColumnTrait>(
    filter: &AuditFilter,
    [sequence, occurred_at, actor, action]: [C; 4],
) -> Condition {
    let (since, until) = (filter.since, filter.until);
    Condition::all()
        .add_option(since.map(|since| occurred_at.gte(stored_time(since))))
        .add_option(until.map(|until| occurred_at.lt(stored_time(until))))
        .add_option(filter.actor.as_ref().map(|it| actor.eq(it)))
        .add_option(filter.action.as_ref().map(|it| action.eq(it)))
        .add_option(filter.before.map(|before| sequence.lt(before)))
}

impl TenantReader<'_> {
    /// The organization's events, newest first.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn audit_events(&self, filter: &AuditFilter) -> Result<Vec<AuditEvent>, Error> {
        use audit_event::Column;
        let columns = [
            Column::Sequence,
            Column::OccurredAt,
            Column::Actor,
            Column::Action,
        ];
        let rows = audit_event::Entity::find()
            .filter(Column::OrganizationId.eq(self.scope.organization_id().uuid()))
            .filter(condition(filter, columns))
            .order_by_desc(Column::Sequence)
            .limit(filter.limit)
            .all(&self.store.reader)
            .await?;
        rows.into_iter().map(AuditEvent::try_from).collect()
    }
}

impl Store {
    /// The events that belong to no organization, newest first: approvals and policies in force.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn installation_audit_events(
        &self,
        filter: &AuditFilter,
    ) -> Result<Vec<AuditEvent>, Error> {
        use installation_event::Column;
        let columns = [
            Column::Sequence,
            Column::OccurredAt,
            Column::Actor,
            Column::Action,
        ];
        let rows = installation_event::Entity::find()
            .filter(condition(filter, columns))
            .order_by_desc(Column::Sequence)
            .limit(filter.limit)
            .all(&self.reader)
            .await?;
        let rows = rows.into_iter().map(audit_event::Model::from);
        rows.map(AuditEvent::try_from).collect()
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
