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

macro_rules! convert {
    ($from:ty => $to:ty $(, $organization:ident: $nil:expr)?) => {
        impl From<$from> for $to {
            fn from(event: $from) -> Self {
                Self {
                    $($organization: $nil,)?
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
    };
}

// The nil UUID stands for the installation.
convert!(Model => audit_event::Model, organization_id: Uuid::nil());
convert!(audit_event::Model => Model);
