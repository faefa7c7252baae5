//! Table `policy_revisions`.

use sea_orm::QueryOrder;
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

/// The rows of a domain, newest first; `None` is the built-in one.
pub(crate) fn of_domain(domain: Option<&str>) -> Select<Entity> {
    Entity::find()
        .filter(Column::Domain.eq(domain.unwrap_or_default()))
        .order_by_desc(Column::Sequence)
}
