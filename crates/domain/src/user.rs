//! Users of an organization.

use super::id::{OrganizationId, UserId};
use super::timestamp::Timestamp;

/// The only role that the service itself assigns: the client that registers an organization becomes its owner, and
/// an organization keeps at least one (contract section 5). All other roles are names that the policy folder's
/// schema declares.
pub const OWNER: &str = "owner";

/// A user as it is stored, without credentials.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    pub id: UserId,
    pub organization_id: OrganizationId,
    /// In the stored normal form.
    pub email: String,
    /// The name of a role. A name that the schema no longer declares has no effect.
    pub role: String,
    /// False while an operator has disabled the user. Removed users are deleted.
    pub is_active: bool,
    /// Whether the user has followed a link sent to the address.
    pub email_verified: bool,
    pub created_at: Timestamp,
    pub last_login_at: Option<Timestamp>,
}
