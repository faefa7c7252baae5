//! Table `organization_names`: codes and slugs, including reserved slugs.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "organization_names")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) name: String,
    pub(crate) organization_id: Uuid,
    pub(crate) rests_until: Option<ChronoDateTimeUtc>,
}

without_relations!();
