//! Traits of records that can be saved.

use sea_orm::{ActiveModelTrait, Condition, EntityTrait};
use serde_json::Value;

use charter_domain::id::OrganizationId;
use charter_domain::timestamp::Timestamp;

/// A record whose changes are audited.
pub(super) trait Audited {
    fn tenant(&self) -> OrganizationId;
    /// Its typed id.
    fn resource(&self) -> String;
    /// Its view in the audit log: never a secret, sealed or hashed or not.
    fn view(&self) -> Value;
}

/// A record with a version, which makes its entity tag and guards its updates.
pub(super) trait Versioned: Audited + Clone + PartialEq {
    type Row: ActiveModelTrait;
    const VERSION: <<Self::Row as ActiveModelTrait>::Entity as EntityTrait>::Column;

    fn version(&self) -> i64;
    fn stamp(&mut self, version: i64, updated_at: Timestamp);
    /// Takes the changeable fields from `self` and all others from `before`.
    fn over(self, before: &Self) -> Self;
    fn row(&self) -> Condition;
    /// The columns that an update writes.
    fn changeable(&self) -> Self::Row;
}
