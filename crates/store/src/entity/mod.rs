//! One file for each table: its row, and conversions to and from the domain's record.

use std::time::Duration;

use sea_orm::prelude::Uuid;
use sea_orm::{DbErr, FromJsonQueryResult, FromQueryResult, QueryResult};
use serde::{Deserialize, Serialize};

use crate::Error;
use charter_domain::json::LiteralObject;
use charter_domain::metadata::Metadata;
use charter_domain::timestamp::Timestamp;

/// Relations are not used: rows refer to each other by id alone.
macro_rules! without_relations {
    () => {
        #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
        pub(crate) enum Relation {}

        impl ActiveModelBehavior for ActiveModel {}
    };
}

/// The record's tenant, and its view in the audit log: never a secret, sealed or hashed or not.
macro_rules! audited {
    ($record:ident of $tenant:ident, $view:expr) => {
        impl crate::record::Audited for $record {
            fn tenant(&self) -> OrganizationId {
                self.$tenant
            }

            fn resource(&self) -> String {
                self.id.to_string()
            }

            fn view(&self) -> serde_json::Value {
                let view: fn(&Self) -> serde_json::Value = $view;
                view(self)
            }
        }
    };
}

/// A record whose row has a version. Updates change the listed fields only.
macro_rules! versioned {
    ($record:ident of $tenant:ident in $column:ident: $($field:ident),+ $(,)?) => {
        impl crate::record::Versioned for $record {
            type Row = ActiveModel;
            const VERSION: Column = Column::Version;

            fn version(&self) -> i64 {
                self.version
            }

            fn stamp(&mut self, version: i64, updated_at: ChronoDateTimeUtc) {
                (self.version, self.updated_at) = (version, updated_at);
            }

            fn over(self, before: &Self) -> Self {
                Self { $($field: self.$field,)+ ..before.clone() }
            }

            fn row(&self) -> sea_orm::Condition {
                sea_orm::Condition::all()
                    .add(Column::Id.eq(self.id.uuid()))
                    .add(Column::$column.eq(self.$tenant.uuid()))
            }

            fn changeable(&self) -> ActiveModel {
                changeable(self)
            }
        }
    };
}

pub(super) mod access_key;
pub(super) mod account;
pub(super) mod audit_event;
pub(super) mod change;
pub(super) mod denial;
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
pub(super) mod replica;
pub(super) mod service_account;
pub(super) mod session;
pub(super) mod shared_guard;
pub(super) mod spent_refresh_token;
pub(super) mod user;
pub(super) mod write_nonce;

/// A JSON array of strings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub(super) struct Texts(pub(super) Vec<String>);

/// A JSON object of a tenant, kept literally.
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

/// A row, or why it cannot be read: one tenant's corrupt row must not block the others.
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

/// More than the clocks of replicas differ.
const CLOCKS_DIFFER: Duration = Duration::from_mins(1);

/// Later times were stored under a clock that was wrong.
pub(super) fn latest_right_time(now: Timestamp) -> Timestamp {
    stored_time(now + CLOCKS_DIFFER)
}

/// The last second that RFC 3339 can represent. SQLite compares times as text.
const LAST_SECOND: i64 = 253_402_300_799;

/// A time as both databases return it: in whole microseconds, at most in year 9999.
pub(super) fn stored_time(at: Timestamp) -> Timestamp {
    let at = charter_domain::timestamp::to_stored_precision(at);
    match Timestamp::from_timestamp(LAST_SECOND, 0) {
        Some(last) => at.min(last),
        None => at,
    }
}
