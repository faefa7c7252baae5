//! Verifies that a user receives emails at their address.

use std::sync::Arc;

use secrecy::SecretString;

use crate::limits::LimitedAction;
use charter_domain::caller::UserCaller;
use charter_domain::email::EmailAddress;
use charter_domain::user::User;
use charter_store::Purpose;

use super::anonymous_client::AnonymousClient;
use super::error::{UserError, invalid_link};
use super::service::PortalUsers;

/// Proves, in addition to the link, that its user registered the account: a recipient who did not must not verify an
/// account that an attacker registered for their address (contract section 5).
#[derive(Debug)]
pub enum Proof {
    /// The account's password.
    Password(SecretString),
    /// An access token of that user.
    Session(Arc<UserCaller>),
}

impl PortalUsers {
    /// Verifies the address that a link was sent to. All earlier sessions end.
    ///
    /// # Errors
    ///
    /// [`UserError::InvalidLink`], for a wrong password too, which counts as a failed sign-in;
    /// [`UserError::TooMany`], [`UserError::Busy`], and the store's.
    pub async fn verify_email(
        &self,
        token: &str,
        proof: Proof,
        client: &AnonymousClient,
    ) -> Result<(), UserError> {
        let (hash, user) = self.find_link(token, Purpose::VerifyEmail).await?;
        let (proved, by) = match proof {
            Proof::Session(caller) if caller.user().id == user.id => {
                (None, self.by_session(&caller, client)?)
            }
            Proof::Session(_) => return Err(UserError::InvalidLink),
            Proof::Password(password) => {
                let proved = self.prove(&user, password, client).await?;
                (Some(proved), self.by(user.id, client))
            }
        };
        self.parts
            .store
            .verify_email(&user, hash, proved, &by)
            .await
            .map_err(invalid_link)
    }

    /// Checks the password; returns the stored hash.
    async fn prove(
        &self,
        user: &User,
        password: SecretString,
        client: &AnonymousClient,
    ) -> Result<String, UserError> {
        let account = EmailAddress::from_stored(user.email.clone());
        let guess = self.begin_guess(Some(&account), client).await?;
        let login = self.parts.store.find_login(&account).await?;
        let guessed = self.make_guess(guess, login, password).await?;
        let right = guessed.ok_or(UserError::InvalidLink)?;
        right.attempt.succeeded().await;
        Ok(right.login.login.password_hash)
    }

    /// Sends the link again if the user's address is not verified.
    ///
    /// # Errors
    ///
    /// [`UserError::TooMany`], and the store's.
    pub async fn resend_verification(
        &self,
        caller: &UserCaller,
        client: &AnonymousClient,
    ) -> Result<(), UserError> {
        if caller.user().email_verified {
            return client.require_precondition();
        }
        let mail = LimitedAction::VerificationMail(caller.user().id);
        self.parts.limits.count(mail).await?;
        let email = EmailAddress::from_stored(caller.user().email.clone());
        let link = self.parts.links.link(Purpose::VerifyEmail, &email)?;
        let by = self.by_session(caller, client)?;
        self.parts
            .store
            .create_link(caller.user(), link, client.ip, &by)
            .await?;
        self.parts.outbox.notify_one();
        Ok(())
    }
}
