//! Table `sessions`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub(in crate::store) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) id: Uuid,
    pub(in crate::store) organization_id: Uuid,
    pub(in crate::store) user_id: Uuid,
    pub(in crate::store) refresh_hash: Vec<u8>,
    pub(in crate::store) generation: i64,
    pub(in crate::store) refresh_expires_at: ChronoDateTimeUtc,
    pub(in crate::store) refresh_revoked_at: Option<ChronoDateTimeUtc>,
    pub(in crate::store) rotated_at: Option<ChronoDateTimeUtc>,
    pub(in crate::store) rotation_key_id: Option<String>,
    pub(in crate::store) ended_at: Option<ChronoDateTimeUtc>,
    /// As the browser called itself when the session began.
    pub(in crate::store) user_agent: Option<String>,
    pub(in crate::store) created_at: ChronoDateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::store) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
