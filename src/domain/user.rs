//! A person of an organization.

use super::id::{OrganizationId, UserId};
use super::timestamp::Timestamp;

/// What a person may be made (contract section 5). What each may do is policy's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TeamRole {
    /// Everything; there is always at least one.
    Owner,
    /// Everything but deactivating, and no say over owners.
    Admin,
    /// Reads.
    Member,
}

impl TeamRole {
    /// Its name, in the API, the store and policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Owner, Self::Admin, Self::Member]
            .into_iter()
            .find(|role| role.as_str() == text)
    }
}

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
