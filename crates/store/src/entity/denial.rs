//! Table `denials`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "denials")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    /// Nil for a domain of one's own.
    pub(crate) organization_id: Uuid,
    pub(crate) decided_at: ChronoDateTimeUtc,
    pub(crate) record: String,
}

without_relations!();
