//! Table `policy_approvals`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "policy_approvals")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) whole_digest: String,
    /// The revision in force when it was given; 0 if none was known.
    pub(crate) base: i64,
    pub(crate) approved_by: String,
    pub(crate) reason: String,
    pub(crate) approved_at: ChronoDateTimeUtc,
    /// The resulting revision.
    pub(crate) used_by: Option<i64>,
    pub(crate) withdrawn_at: Option<ChronoDateTimeUtc>,
    pub(crate) event: i64,
    /// Empty for the built-in domain.
    pub(crate) domain: String,
}

without_relations!();
