//! Invitations into an organization (contract section 5).

use super::email::EmailAddress;
use super::id::{InvitationId, OrganizationId, UserId};
use super::timestamp::Timestamp;
use super::user::OWNER;

/// The role that somebody is invited to: any name but the owner's, since an owner is made of a
/// member. Whether the schema has it is not checked here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitedRole(String);

/// The sentence is for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody is invited as an owner; invite a member and change the role")]
pub struct OwnerInvited;

impl InvitedRole {
    pub fn parse(name: &str) -> Result<Self, OwnerInvited> {
        if name == OWNER {
            return Err(OwnerInvited);
        }
        Ok(Self(name.to_owned()))
    }

    pub fn into_name(self) -> String {
        self.0
    }
}

/// An invitation as it is stored, without what proves that somebody got it.
#[derive(Debug, Clone, PartialEq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// The tenant it leads into.
    pub organization_id: OrganizationId,
    /// Whom it was sent to.
    pub email: EmailAddress,
    /// The role that its accepting gives.
    pub role: String,
    /// Who invites; `None` for an operator.
    pub invited_by: Option<UserId>,
    /// When it was sent.
    pub created_at: Timestamp,
    /// From then on it is void.
    pub expires_at: Timestamp,
}
