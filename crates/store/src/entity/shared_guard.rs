//! Table `shared_guard`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "shared_guard")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: i64,
    pub(crate) epoch: String,
    pub(crate) server: String,
    pub(crate) hash_key: String,
    pub(crate) marked: String,
    pub(crate) closed: String,
}

without_relations!();
