//! Table `audit_events`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_events")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) organization_id: Uuid,
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
