//! Table `guard_lease`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "guard_lease")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: i64,
    pub(crate) run: String,
    pub(crate) beat: i64,
    pub(crate) released: bool,
    pub(crate) used: String,
    pub(crate) holder: String,
}

without_relations!();
