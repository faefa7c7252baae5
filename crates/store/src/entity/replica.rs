//! Table `replicas`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "replicas")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: String,
    pub(crate) host: String,
    pub(crate) version: String,
    pub(crate) started_at: ChronoDateTimeUtc,
    pub(crate) policy_digest: String,
    pub(crate) folder_digest: Option<String>,
    pub(crate) readiness: String,
    pub(crate) seen_at: ChronoDateTimeUtc,
    /// A JSON object from names to digests; null of an older version.
    pub(crate) domain_digests: Option<String>,
    pub(crate) replay_key: Option<String>,
}

without_relations!();
