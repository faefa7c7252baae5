//! A person of an organization.

use super::id::{OrganizationId, UserId};
use super::timestamp::Timestamp;

/// The role that the service itself gives and counts: who registers an organization becomes its
/// owner, and an organization keeps one (contract section 5). Every other role is a name that the
/// policy folder's schema declares.
pub const OWNER: &str = "owner";

/// A user as it is stored, without what proves who it is.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The tenant it belongs to.
    pub organization_id: OrganizationId,
    /// The address it signs in with, in its stored normal form.
    pub email: String,
    /// A role's name. Text, because a stored name that the schema no longer has must still load:
    /// it then counts for nothing.
    pub role: String,
    /// False while an operator has disabled it. Who is removed is gone altogether.
    pub is_active: bool,
    /// Whether it has shown that it reads mail sent to its address.
    pub email_verified: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last signed in.
    pub last_login_at: Option<Timestamp>,
}
