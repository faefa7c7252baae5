//! Table `jobs`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) organization_id: Uuid,
    pub(crate) sealed_payload: Vec<u8>,
    pub(crate) sealing_key_id: String,
    pub(crate) attempts: i64,
    pub(crate) not_before: ChronoDateTimeUtc,
    pub(crate) claimed_until: Option<ChronoDateTimeUtc>,
    pub(crate) expires_at: ChronoDateTimeUtc,
    pub(crate) link_hash: Option<Vec<u8>>,
    pub(crate) created_at: ChronoDateTimeUtc,
}

without_relations!();
