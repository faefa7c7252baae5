//! Table `policy_revisions`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "policy_revisions")]
pub(in crate::store) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) sequence: i64,
    pub(in crate::store) whole_digest: String,
    pub(in crate::store) policy_digest: String,
    /// A decimal number.
    pub(in crate::store) manifest_version: Option<String>,
    /// A JSON object: each file's name, and the digest of its text.
    pub(in crate::store) files: String,
    pub(in crate::store) taken_as: String,
    pub(in crate::store) in_force_from: ChronoDateTimeUtc,
    pub(in crate::store) event: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::store) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
