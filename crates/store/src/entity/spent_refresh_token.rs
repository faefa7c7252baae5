//! Table `spent_refresh_tokens`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "spent_refresh_tokens")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) hash: Vec<u8>,
    pub(crate) session_id: Uuid,
    pub(crate) generation: i64,
    pub(crate) key_id: String,
    pub(crate) spent_at: ChronoDateTimeUtc,
}

without_relations!();
