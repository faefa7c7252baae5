//! Table `policy_approvals`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "policy_approvals")]
pub(in crate::store) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(in crate::store) id: Uuid,
    pub(in crate::store) whole_digest: String,
    /// The revision that was in force; 0 where none was known.
    pub(in crate::store) base: i64,
    pub(in crate::store) approved_by: String,
    pub(in crate::store) reason: String,
    pub(in crate::store) approved_at: ChronoDateTimeUtc,
    /// The revision that came of it.
    pub(in crate::store) used_by: Option<i64>,
    pub(in crate::store) withdrawn_at: Option<ChronoDateTimeUtc>,
    pub(in crate::store) event: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(in crate::store) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
