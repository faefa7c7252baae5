//! Table `audit_events`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_events")]
pub(in crate::store) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) organization_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) sequence: i64,
    pub(in crate::store) occurred_at: ChronoDateTimeUtc,
    pub(in crate::store) actor: String,
    pub(in crate::store) action: String,
    pub(in crate::store) resource: String,
    pub(in crate::store) request_id: Option<String>,
    pub(in crate::store) policy_digest: Option<String>,
    pub(in crate::store) changes: String,
    pub(in crate::store) key_id: String,
    pub(in crate::store) mac: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::store) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
