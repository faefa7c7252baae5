//! Table `policy_revisions`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "policy_revisions")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) sequence: i64,
    pub(crate) whole_digest: String,
    pub(crate) policy_digest: String,
    /// A decimal number.
    pub(crate) manifest_version: Option<String>,
    /// A JSON object from file names to digests.
    pub(crate) files: String,
    pub(crate) taken_as: String,
    pub(crate) in_force_from: ChronoDateTimeUtc,
    pub(crate) event: i64,
    /// Empty for the built-in domain.
    pub(crate) domain: String,
}

without_relations!();
