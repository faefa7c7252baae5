//! Registering an organization with its first owner.

use secrecy::SecretString;

use crate::limits::{LimitedAction, network};
use charter_domain::email::EmailAddress;
use charter_domain::id::{OrganizationId, UserId};
use charter_domain::user::OWNER;
use charter_store::{NewOrganization, NewUser, Purpose, Registration};

use super::anonymous_client::AnonymousClient;
use super::error::UserError;
use super::guess::anonymous_requester;
use super::service::PortalUsers;

/// The owner who registers.
#[derive(Debug)]
pub struct NewOwner {
    pub email: EmailAddress,
    pub password: SecretString,
}

impl PortalUsers {
    /// Creates an organization and its owner, and sends the owner a link.
    ///
    /// # Errors
    ///
    /// [`UserError::RegistrationClosed`], [`UserError::TooMany`], [`UserError::Busy`]; the store's, `SlugTaken` and
    /// `EmailTaken` among them.
    pub async fn register(
        &self,
        organization: NewOrganization,
        owner: NewOwner,
        client: &AnonymousClient,
    ) -> Result<(OrganizationId, UserId), UserError> {
        if !self.parts.registration_is_open {
            return Err(UserError::RegistrationClosed);
        }
        let registration = LimitedAction::Registration(network(client.ip));
        self.parts.limits.count(registration).await?;
        let password_hash = self
            .hash(owner.password, anonymous_requester(client))
            .await?;
        let now = self.now();
        let id = UserId::generate(now, &*self.parts.entropy);
        let registration = Registration {
            organization,
            link: self.parts.links.link(Purpose::VerifyEmail, &owner.email)?,
            owner: NewUser {
                id,
                email: owner.email,
                password_hash,
                role: OWNER.to_owned(),
                email_verified_at: None,
            },
        };
        let by = self.by(id, client);
        let (organization, user) = self.parts.store.register(registration, &by).await?;
        self.parts.outbox.notify_one();
        Ok((organization.id, user.id))
    }
}
