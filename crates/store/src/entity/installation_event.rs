//! Table `installation_events`.

use sea_orm::entity::prelude::*;

use super::audit_event;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "installation_events")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) sequence: i64,
    pub(crate) occurred_at: ChronoDateTimeUtc,
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) resource: String,
    pub(crate) request_id: Option<String>,
    pub(crate) policy_digest: Option<String>,
    pub(crate) changes: String,
    pub(crate) key_id: String,
    pub(crate) mac: Vec<u8>,
}

without_relations!();

/// The nil UUID stands for the installation.
impl From<Model> for audit_event::Model {
    fn from(event: Model) -> Self {
        Self {
            organization_id: Uuid::nil(),
            sequence: event.sequence,
            occurred_at: event.occurred_at,
            actor: event.actor,
            action: event.action,
            resource: event.resource,
            request_id: event.request_id,
            policy_digest: event.policy_digest,
            changes: event.changes,
            key_id: event.key_id,
            mac: event.mac,
        }
    }
}

impl From<audit_event::Model> for Model {
    fn from(event: audit_event::Model) -> Self {
        Self {
            sequence: event.sequence,
            occurred_at: event.occurred_at,
            actor: event.actor,
            action: event.action,
            resource: event.resource,
            request_id: event.request_id,
            policy_digest: event.policy_digest,
            changes: event.changes,
            key_id: event.key_id,
            mac: event.mac,
        }
    }
}
