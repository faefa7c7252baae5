//! Table `one_time_tokens`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "one_time_tokens")]
pub(in crate::store) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) hash: Vec<u8>,
    pub(in crate::store) organization_id: Uuid,
    pub(in crate::store) user_id: Uuid,
    pub(in crate::store) purpose: String,
    pub(in crate::store) expires_at: ChronoDateTimeUtc,
    pub(in crate::store) used_at: Option<ChronoDateTimeUtc>,
    pub(in crate::store) created_at: ChronoDateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::store) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
