//! Lists the audit events of an organization or of the installation.

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait as _, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Select,
};
use serde_json::Value;

use super::audit_rows::{EventRow, representable};
use super::entity::{audit_event, installation_event, stored_time};
use super::{Error, Store, TenantReader};
use charter_domain::json;
use charter_domain::timestamp::Timestamp;

/// Filters events, which are listed newest first.
#[derive(Debug, Default, Clone)]
pub struct AuditFilter {
    /// Inclusive.
    pub since: Option<Timestamp>,
    /// Exclusive.
    pub until: Option<Timestamp>,
    pub actor: Option<String>,
    pub action: Option<String>,
    /// The typed id of the changed record.
    pub object: Option<String>,
    /// Exclusive upper bound of the sequence number.
    pub before: Option<i64>,
    pub limit: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// From 1, without gaps.
    pub sequence: i64,
    pub at: Timestamp,
    pub actor: String,
    /// The permission, or the action of the service or an operator.
    pub action: String,
    /// The typed id of the changed record.
    pub object: String,
    /// Has the members `before` and `after`, with changed fields only.
    pub changes: Value,
    pub request_id: Option<String>,
    /// The digest of the policies that allowed it, if policy was asked.
    pub policy_digest: Option<String>,
}

/// The filter as a condition on these columns.
fn condition<C: ColumnTrait>(
    filter: &AuditFilter,
    [sequence, occurred_at, actor, action, resource]: [C; 5],
) -> Condition {
    let (since, until) = (filter.since, filter.until);
    Condition::all()
        .add_option(since.map(|since| occurred_at.gte(stored_time(since))))
        .add_option(until.map(|until| occurred_at.lt(stored_time(until))))
        .add_option(filter.actor.as_ref().map(|it| actor.eq(it)))
        .add_option(filter.action.as_ref().map(|it| action.eq(it)))
        .add_option(filter.object.as_ref().map(|it| resource.eq(it)))
        .add_option(filter.before.map(|before| sequence.lt(before)))
}

pub(super) fn of_organization(
    tenant: &TenantReader<'_>,
    filter: &AuditFilter,
) -> Select<audit_event::Entity> {
    use audit_event::Column;
    let columns = [
        Column::Sequence,
        Column::OccurredAt,
        Column::Actor,
        Column::Action,
        Column::Resource,
    ];
    audit_event::Entity::find()
        .filter(Column::OrganizationId.eq(tenant.scope.organization_id().uuid()))
        .filter(condition(filter, columns))
}

/// An event, or why its row cannot be read; with its number.
pub type ListedEvent = (i64, Result<AuditEvent, Error>);

fn listed<M>(row: EventRow<M>) -> ListedEvent
where
    audit_event::Model: From<M>,
{
    let event = row.event.map(audit_event::Model::from);
    (row.sequence, event.and_then(AuditEvent::try_from))
}

impl TenantReader<'_> {
    /// The organization's events, newest first.
    pub async fn audit_events(&self, filter: &AuditFilter) -> Result<Vec<ListedEvent>, Error> {
        let reader = &self.store.reader;
        let events = of_organization(self, filter);
        let rows = representable(events, reader.get_database_backend())
            .order_by_desc(audit_event::Column::Sequence)
            .limit(filter.limit)
            .into_model::<EventRow<audit_event::Model>>()
            .all(reader)
            .await?;
        Ok(rows.into_iter().map(listed).collect())
    }
}

impl Store {
    /// The events of the installation, newest first: approvals and policies in force.
    pub async fn installation_audit_events(
        &self,
        filter: &AuditFilter,
    ) -> Result<Vec<ListedEvent>, Error> {
        use installation_event::Column;
        let columns = [
            Column::Sequence,
            Column::OccurredAt,
            Column::Actor,
            Column::Action,
            Column::Resource,
        ];
        let events = installation_event::Entity::find().filter(condition(filter, columns));
        let rows = representable(events, self.reader.get_database_backend())
            .order_by_desc(Column::Sequence)
            .limit(filter.limit)
            .into_model::<EventRow<installation_event::Model>>()
            .all(&self.reader)
            .await?;
        Ok(rows.into_iter().map(listed).collect())
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
