//! Invitations into an organization (contract section 5).

use super::email::EmailAddress;
use super::id::{InvitationId, OrganizationId, UserId};
use super::timestamp::Timestamp;

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
