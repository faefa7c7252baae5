//! One file for each table: its row, and the row as the domain's record and back.

use sea_orm::FromJsonQueryResult;
use sea_orm::prelude::Json;
use serde::{Deserialize, Serialize};

use crate::domain::metadata::Metadata;
use crate::domain::timestamp::Timestamp;
use crate::store::Error;

pub(super) mod access_key;
pub(super) mod account;
pub(super) mod audit_event;
pub(super) mod installation_event;
pub(super) mod invitation;
pub(super) mod one_time_token;
pub(super) mod organization;
pub(super) mod outgoing_mail;
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

pub(super) fn metadata_to_row(metadata: &Metadata) -> Json {
    Json::Object(metadata.as_object().clone())
}

pub(super) fn metadata_from_row(metadata: Json) -> Result<Metadata, Error> {
    match metadata {
        Json::Object(object) => Ok(Metadata::from_stored(object)),
        other => Err(Error::corrupt("metadata is not an object", other)),
    }
}

/// The last second that RFC 3339 can write. On SQLite times are compared as text.
const LAST_SECOND: i64 = 253_402_300_799;

/// A time as both databases give it back: whole microseconds, year 9999 at the latest.
pub(super) fn stored_time(at: Timestamp) -> Timestamp {
    let at = crate::domain::timestamp::to_stored_precision(at);
    match Timestamp::from_timestamp(LAST_SECOND, 0) {
        Some(last) => at.min(last),
        None => at,
    }
}
