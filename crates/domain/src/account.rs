//! A workspace inside an organization.

use super::code::Code;
use super::id::{AccountId, OrganizationId};
use super::metadata::Metadata;
use super::text::Name;
use super::timestamp::Timestamp;

/// An account as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    pub id: AccountId,
    pub organization_id: OrganizationId,
    /// Never changes.
    pub code: Code,
    pub name: Name,
    /// New service accounts are created in it by default; it cannot be deactivated.
    pub is_default: bool,
    /// If false, requests of its service accounts are refused.
    pub is_active: bool,
    pub metadata: Metadata,
    /// Incremented by each change; the `etag`.
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}
