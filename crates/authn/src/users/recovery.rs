//! Password recovery: a link by email, then a new password.

use secrecy::SecretString;

use crate::limits::{LimitedAction, network};
use crate::secrets::password_pool::Requester;
use charter_domain::audit::Actor;
use charter_domain::email::EmailAddress;
use charter_store::{self as store, Purpose};

use super::anonymous_client::AnonymousClient;
use super::error::{UserError, invalid_link};
use super::service::PortalUsers;

impl PortalUsers {
    /// Counts a request for a link, to whichever address.
    ///
    /// # Errors
    ///
    /// [`UserError::TooMany`]; the store's `Stale` if a precondition fails.
    pub async fn count_forgotten(&self, client: &AnonymousClient) -> Result<(), UserError> {
        let action = LimitedAction::ForgottenPassword(network(client.ip));
        self.parts.limits.count(action).await?;
        client.require_precondition()
    }

    /// Counts a report of a leaked key, valid or not.
    ///
    /// # Errors
    ///
    /// [`UserError::TooMany`]; the store's `Stale` if a precondition fails.
    pub async fn count_leak_report(&self, client: &AnonymousClient) -> Result<(), UserError> {
        let action = LimitedAction::LeakReport(network(client.ip));
        self.parts.limits.count(action).await?;
        client.require_precondition()
    }

    /// Sends a link if the user is active. Call it after the response, whose time must not reveal whether there is one.
    ///
    /// # Errors
    ///
    /// [`UserError::TooMany`] for too many emails to one address, and the store's.
    pub async fn send_reset_link(
        &self,
        email: &EmailAddress,
        client: &AnonymousClient,
    ) -> Result<(), UserError> {
        let found = self.parts.store.find_login(email).await?;
        let Some(login) = found.filter(|login| login.user.is_active) else {
            return Ok(());
        };
        let mail = LimitedAction::ResetMail(email.clone());
        self.parts.limits.count(mail).await?;
        let user = login.user;
        let link = self.parts.links.link(Purpose::ResetPassword, email)?;
        match self
            .parts
            .store
            .create_link(
                &user,
                link,
                client.ip,
                &self.audit_context(Actor::Anonymous, client),
            )
            .await
        {
            Ok(()) => {
                self.parts.outbox.notify_one();
                Ok(())
            }
            // Removed or disabled meanwhile.
            Err(store::Error::NotFound) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Sets a new password. The user's sessions end, and their address is verified.
    ///
    /// # Errors
    ///
    /// [`UserError::InvalidLink`], [`UserError::Busy`], and the store's.
    pub async fn reset_password(
        &self,
        token: &str,
        password: SecretString,
        client: &AnonymousClient,
    ) -> Result<(), UserError> {
        let (hash, user) = self.find_link(token, Purpose::ResetPassword).await?;
        self.charge_hash(user.id.uuid(), user.organization_id)
            .await?;
        // The holder of the link is a known client.
        let requester = Requester::Known(user.id.uuid().into_bytes());
        let password_hash = self.hash(password, requester).await?;
        let by = self.by(user.id, client);
        self.parts
            .store
            .reset_password(&user, hash, password_hash, &by)
            .await
            .map_err(invalid_link)?;
        let account = EmailAddress::from_stored(user.email);
        self.parts.limits.forgive(&account).await;
        Ok(())
    }
}
