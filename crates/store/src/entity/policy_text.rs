//! Table `policy_texts`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "policy_texts")]
pub(crate) struct Model {
    /// SHA-256 of the content, in lowercase hex.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) digest: String,
    pub(crate) content: Vec<u8>,
}

without_relations!();
