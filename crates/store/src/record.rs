//! What the store must know of a record in order to save it.

use sea_orm::{ActiveModelTrait, Condition, EntityTrait};
use serde_json::Value;

use charter_domain::id::OrganizationId;
use charter_domain::timestamp::Timestamp;

/// A record whose changes are on record.
pub(super) trait Audited {
    fn tenant(&self) -> OrganizationId;
    /// Its typed id.
    fn resource(&self) -> String;
    /// What the audit log shows of it: never a secret, sealed or hashed or not.
    fn view(&self) -> Value;
}

/// A record whose row has a version, which makes its entity tag and guards its updates.
pub(super) trait Versioned: Audited + Clone + PartialEq {
    type Row: ActiveModelTrait;
    const VERSION: <<Self::Row as ActiveModelTrait>::Entity as EntityTrait>::Column;

    fn version(&self) -> i64;
    fn stamp(&mut self, version: i64, updated_at: Timestamp);
    /// The new values of what an update may change, all else as it was `before`.
    fn over(self, before: &Self) -> Self;
    /// Which row it is.
    fn row(&self) -> Condition;
    /// The columns that an update writes.
    fn changeable(&self) -> Self::Row;
}
