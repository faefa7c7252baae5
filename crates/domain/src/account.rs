//! A workspace inside an organization.

use super::code::Code;
use super::id::{AccountId, OrganizationId};
use super::metadata::Metadata;
use super::text::Name;
use super::timestamp::Timestamp;

/// An account as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The tenant it belongs to.
    pub organization_id: OrganizationId,
    /// Six characters that never change.
    pub code: Code,
    /// Its name.
    pub name: Name,
    /// The one that service accounts land in unless told otherwise; cannot go inactive.
    pub is_default: bool,
    /// False refuses its service accounts' requests.
    pub is_active: bool,
    /// The tenant's own notes.
    pub metadata: Metadata,
    /// Grows by one with every change; the `etag`.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}
