//! Registering an organization with its first owner, and verifying that owner's address.

use std::time::Duration;

use secrecy::SecretString;

use crate::authn::attempts::network;
use crate::authn::opaque_token::OpaqueToken;
use crate::domain::email::EmailAddress;
use crate::domain::id::{OrganizationId, UserId};
use crate::domain::letter::{Letter, Matter};
use crate::domain::user::OWNER;
use crate::store::{NewLink, NewOrganization, NewUser, Purpose, Registration};

use super::{PortalUsers, Refusal, Stranger, invalid_link};

/// How long the link is valid (contract section 5).
const LINK_LIFETIME: Duration = Duration::from_hours(24);

/// Who registers.
#[derive(Debug)]
pub struct NewOwner {
    /// The address.
    pub email: EmailAddress,
    /// The password.
    pub password: SecretString,
}

impl PortalUsers {
    /// Makes an organization and its owner, who is sent a link.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooMany`], [`Refusal::Busy`]; the store's `SlugTaken` and `EmailTaken`, and others.
    pub async fn register(
        &self,
        organization: NewOrganization,
        owner: NewOwner,
        stranger: &Stranger,
    ) -> Result<(OrganizationId, UserId), Refusal> {
        self.0.limits.register.count(network(stranger.client))?;
        let password_hash = self.hash(owner.password).await?;
        let now = self.now();
        let id = UserId::generate(now, &*self.0.entropy);
        let registration = Registration {
            organization,
            link: self.link(Purpose::VerifyEmail, &owner.email)?,
            owner: NewUser {
                id,
                email: owner.email,
                password_hash,
                role: OWNER.to_owned(),
                email_verified_at: None,
            },
        };
        let by = self.by(id, stranger);
        let (organization, user) = self.0.store.register(registration, &by).await?;
        self.0.outbox.notify_one();
        Ok((organization.id, user.id))
    }

    /// Verifies the address that a link was sent to.
    ///
    /// # Errors
    ///
    /// [`Refusal::InvalidLink`], and the store's.
    pub async fn verify_email(&self, token: &str, stranger: &Stranger) -> Result<(), Refusal> {
        let hash = OpaqueToken::parse(token)
            .ok_or(Refusal::InvalidLink)?
            .hash();
        let found = self
            .0
            .store
            .find_link(hash, Purpose::VerifyEmail, self.now())
            .await?;
        let user = found.ok_or(Refusal::InvalidLink)?;
        let by = self.by(user.id, stranger);
        self.0
            .store
            .verify_email(&user, hash, &by)
            .await
            .map_err(invalid_link)
    }

    /// A link of that kind with its mail to that address.
    pub(super) fn link(&self, purpose: Purpose, to: &EmailAddress) -> Result<NewLink, Refusal> {
        let (page, lifetime, matter) = match purpose {
            Purpose::VerifyEmail => ("verify-email", LINK_LIFETIME, Matter::VerifyEmail),
            Purpose::ResetPassword => (
                "reset-password",
                super::recovery::LINK_LIFETIME,
                Matter::ResetPassword,
            ),
        };
        let expires_at = self.now() + lifetime;
        let token = OpaqueToken::generate(&*self.0.entropy);
        let letter = |link| Letter {
            to: to.to_string(),
            matter,
            link,
        };
        Ok(NewLink {
            purpose,
            hash: token.hash(),
            expires_at,
            mail: self.mail(&token, page, letter, expires_at)?,
        })
    }
}
