//! Invitations into an organization (contract section 5).

use super::email::EmailAddress;
use super::id::{InvitationId, OrganizationId, UserId};
use super::timestamp::Timestamp;
use super::user::OWNER;

/// The role of an invitation: any name but `owner`, since only members can become owners. Whether the schema
/// declares it is not checked here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitedRole(String);

/// The text is for the client.
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

/// An invitation as it is stored, without its token.
#[derive(Debug, Clone, PartialEq)]
pub struct Invitation {
    pub id: InvitationId,
    pub organization_id: OrganizationId,
    /// The invited address.
    pub email: EmailAddress,
    /// The role of the new member.
    pub role: String,
    /// `None` for an operator.
    pub invited_by: Option<UserId>,
    pub created_at: Timestamp,
    /// Invalid from then on.
    pub expires_at: Timestamp,
}
