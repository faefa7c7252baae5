//! Table `sessions`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) organization_id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) refresh_hash: Vec<u8>,
    pub(crate) generation: i64,
    pub(crate) refresh_expires_at: ChronoDateTimeUtc,
    pub(crate) refresh_revoked_at: Option<ChronoDateTimeUtc>,
    pub(crate) rotated_at: Option<ChronoDateTimeUtc>,
    pub(crate) rotation_key_id: Option<String>,
    pub(crate) ended_at: Option<ChronoDateTimeUtc>,
    /// The `User-Agent` at sign-in.
    pub(crate) user_agent: Option<String>,
    pub(crate) created_at: ChronoDateTimeUtc,
}

without_relations!();
