//! One file for each table: its row, and the row as the domain's record and back.

use sea_orm::prelude::Uuid;
use sea_orm::{DbErr, FromJsonQueryResult, FromQueryResult, QueryResult};
use serde::{Deserialize, Serialize};

use crate::Error;
use charter_domain::json::LiteralObject;
use charter_domain::metadata::Metadata;
use charter_domain::timestamp::Timestamp;

pub(super) mod access_key;
pub(super) mod account;
pub(super) mod audit_event;
pub(super) mod guard_lease;
pub(super) mod installation_event;
pub(super) mod invitation;
pub(super) mod job;
pub(super) mod key_check;
pub(super) mod one_time_token;
pub(super) mod organization;
pub(super) mod organization_name;
pub(super) mod policy_approval;
pub(super) mod policy_revision;
pub(super) mod policy_text;
pub(super) mod service_account;
pub(super) mod session;
pub(super) mod spent_refresh_token;
pub(super) mod user;

/// A JSON array of strings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub(super) struct Texts(pub(super) Vec<String>);

/// A JSON object that a tenant wrote, read literally.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(transparent)]
pub(super) struct StoredObject(LiteralObject);

impl From<&Metadata> for StoredObject {
    fn from(metadata: &Metadata) -> Self {
        Self(LiteralObject(metadata.as_object().clone()))
    }
}

impl From<StoredObject> for Metadata {
    fn from(stored: StoredObject) -> Self {
        Self::from_stored(stored.0.0)
    }
}

/// A row of any tenant, or why it cannot be read: one tenant's rows never stop another's.
pub(super) struct MaybeReadable<M> {
    pub(super) id: Uuid,
    pub(super) row: Result<M, Error>,
}

impl<M: FromQueryResult> FromQueryResult for MaybeReadable<M> {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            id: row.try_get(prefix, "id")?,
            row: M::from_query_result(row, prefix).map_err(Error::from),
        })
    }
}

/// The last second that RFC 3339 can write. On SQLite times are compared as text.
const LAST_SECOND: i64 = 253_402_300_799;

/// A time as both databases give it back: whole microseconds, year 9999 at the latest.
pub(super) fn stored_time(at: Timestamp) -> Timestamp {
    let at = charter_domain::timestamp::to_stored_precision(at);
    match Timestamp::from_timestamp(LAST_SECOND, 0) {
        Some(last) => at.min(last),
        None => at,
    }
}
