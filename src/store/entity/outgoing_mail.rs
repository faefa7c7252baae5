//! Table `outgoing_mails`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outgoing_mails")]
pub(in crate::store) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) id: Uuid,
    pub(in crate::store) organization_id: Uuid,
    pub(in crate::store) sealed_content: Vec<u8>,
    pub(in crate::store) sealing_key_id: String,
    pub(in crate::store) attempts: i64,
    pub(in crate::store) next_attempt_at: ChronoDateTimeUtc,
    pub(in crate::store) expires_at: ChronoDateTimeUtc,
    pub(in crate::store) link_hash: Option<Vec<u8>>,
    pub(in crate::store) created_at: ChronoDateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::store) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
