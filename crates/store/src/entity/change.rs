//! Table `changes`: what a write leaves for other processes, until all have seen it.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "changes")]
pub(crate) struct Model {
    /// In the order of writing; on SQLite also that of commits.
    #[sea_orm(primary_key)]
    pub(crate) id: i64,
    /// `None` for what may concern everybody.
    pub(crate) organization_id: Option<Uuid>,
}

without_relations!();
