//! Inviting somebody into an organization, and accepting.

use std::time::Duration;

use secrecy::SecretString;

use crate::limits::LimitedAction;
use crate::secrets::opaque_token::OpaqueToken;
use crate::secrets::password_pool::Requester;
use charter_budgets::Resource;
use charter_domain::email::EmailAddress;
use charter_domain::id::UserId;
use charter_domain::organization::Organization;
use charter_store::{NewInvitation, NewUser, SessionRow};

use super::anonymous_client::AnonymousClient;
use super::error::{UserError, invalid_link};
use super::service::PortalUsers;
use super::sign_in::SignedIn;

/// An organization that young may have been made in order to send mail (contract section 5).
const FIRST_DAY: Duration = Duration::from_hours(24);

impl PortalUsers {
    /// An invitation with its mail, not stored yet.
    ///
    /// # Errors
    ///
    /// [`UserError::TooMany`] mails to that address, [`UserError::Exhausted`]; [`UserError::Internal`] if the mail cannot be sealed.
    pub async fn prepare_invitation(
        &self,
        email: EmailAddress,
        role: String,
        into: &Organization,
    ) -> Result<NewInvitation, UserError> {
        let now = self.now();
        let budget = if now < into.created_at + FIRST_DAY {
            Resource::InvitationsFirstDay
        } else {
            Resource::Invitations
        };
        self.parts.budgets.charge(budget, into.id, 1)?;
        let limits = &self.parts.limits;
        let from_organization = LimitedAction::InvitationMail(into.id, email.clone());
        limits.count(from_organization).await?;
        let from_anybody = LimitedAction::InvitationMailToAddress(email.clone());
        limits.count(from_anybody).await?;
        let (new, _link) = self.parts.links.invitation(email, role, into)?;
        Ok(new)
    }

    /// To be called once an invitation is stored: its mail can be sent.
    pub fn invitation_is_stored(&self) {
        self.parts.outbox.notify_one();
    }

    /// Makes the invited person a member, whose address is verified by the link it got, and signs it
    /// in.
    ///
    /// # Errors
    ///
    /// [`UserError::InvalidLink`], also where the address has come to belong to somebody;
    /// [`UserError::Busy`], and the store's.
    pub async fn accept_invitation(
        &self,
        token: &str,
        password: SecretString,
        client: &AnonymousClient,
    ) -> Result<SignedIn, UserError> {
        let hash = OpaqueToken::parse(token)
            .ok_or(UserError::InvalidLink)?
            .hash();
        let found = self.parts.store.find_invitation(hash, self.now()).await?;
        let invitation = found.ok_or(UserError::InvalidLink)?;
        self.charge_hash(invitation.organization_id)?;
        // Who has the link is no stranger any more.
        let requester = Requester::Known(invitation.id.uuid().into_bytes());
        let password_hash = self.hash(password, requester).await?;
        let now = self.now();
        let new = NewUser {
            id: UserId::generate(now, &*self.parts.entropy),
            email: invitation.email.clone(),
            password_hash,
            role: invitation.role.clone(),
            email_verified_at: Some(now),
        };
        let by = self.by(new.id, client);
        let device = self.device_cookie(None, new.id, &new.password_hash);
        let (session, token) = self.begin_session(client);
        let row = SessionRow {
            id: session.id,
            user: new.id,
            organization: invitation.organization_id,
        };
        self.parts
            .store
            .accept_invitation(&invitation, hash, new, session, &by)
            .await
            .map_err(invalid_link)?;
        self.signed_in(row, token, device)
    }
}
