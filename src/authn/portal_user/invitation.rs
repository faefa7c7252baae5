//! Inviting somebody into an organization, and accepting.

use std::time::Duration;

use secrecy::SecretString;

use crate::authn::opaque_token::OpaqueToken;
use crate::domain::email::EmailAddress;
use crate::domain::id::{InvitationId, UserId};
use crate::domain::letter::{Letter, Matter};
use crate::domain::organization::Organization;
use crate::store::{NewInvitation, NewUser};

use super::{PortalUsers, Refusal, SignedIn, Stranger, invalid_link};

/// How long an invitation is valid (contract section 5).
const LIFETIME: Duration = Duration::from_hours(48);

impl PortalUsers {
    /// An invitation with its mail, not stored yet.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooMany`] mails to that address or of that organization; [`Refusal::Internal`] if the mail cannot be sealed.
    pub fn prepare_invitation(
        &self,
        email: EmailAddress,
        role: String,
        into: &Organization,
    ) -> Result<NewInvitation, Refusal> {
        self.0.limits.mails.count(email.clone())?;
        self.0.limits.invitations.count(into.id)?;
        let now = self.now();
        let expires_at = now + LIFETIME;
        let token = OpaqueToken::generate(&*self.0.entropy);
        let letter = |link| Letter {
            to: email.to_string(),
            matter: Matter::Invitation {
                organization: into.name.as_str().to_owned(),
                role: role.clone(),
            },
            link,
        };
        Ok(NewInvitation {
            id: InvitationId::generate(now, &*self.0.entropy),
            hash: token.hash(),
            expires_at,
            mail: self.mail(&token, "accept-invitation", letter, expires_at)?,
            role,
            email,
        })
    }

    /// To be called once an invitation is stored: its mail can be sent.
    pub fn invitation_is_stored(&self) {
        self.0.outbox.notify_one();
    }

    /// Makes the invited person a member, whose address is verified by the link it got, and signs it
    /// in.
    ///
    /// # Errors
    ///
    /// [`Refusal::InvalidLink`], also where the address has come to belong to somebody;
    /// [`Refusal::Busy`], and the store's.
    pub async fn accept_invitation(
        &self,
        token: &str,
        password: SecretString,
        stranger: &Stranger,
    ) -> Result<SignedIn, Refusal> {
        let hash = OpaqueToken::parse(token)
            .ok_or(Refusal::InvalidLink)?
            .hash();
        let found = self.0.store.find_invitation(hash, self.now()).await?;
        let invitation = found.ok_or(Refusal::InvalidLink)?;
        let password_hash = self.hash(password).await?;
        let now = self.now();
        let new = NewUser {
            id: UserId::generate(now, &*self.0.entropy),
            email: invitation.email.clone(),
            password_hash,
            role: invitation.role.clone(),
            email_verified_at: Some(now),
        };
        let by = self.by(new.id, stranger);
        let beginning = self.begin_session();
        let user = self
            .0
            .store
            .accept_invitation(&invitation, hash, new, beginning.session, &by)
            .await
            .map_err(invalid_link)?;
        self.begun(beginning, &user)
    }
}
