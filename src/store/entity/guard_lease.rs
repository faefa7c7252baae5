//! Table `guard_lease`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "guard_lease")]
pub(in crate::store) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) id: i64,
    pub(in crate::store) run: String,
    pub(in crate::store) beat: i64,
    pub(in crate::store) released: bool,
    pub(in crate::store) used: String,
    pub(in crate::store) holder: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::store) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
