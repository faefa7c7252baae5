//! Verifying that a person reads mail sent to its address.

use secrecy::SecretString;

use crate::limits::LimitedAction;
use crate::secrets::opaque_token::OpaqueToken;
use charter_domain::caller::UserCaller;
use charter_domain::email::EmailAddress;
use charter_domain::id::UserId;
use charter_domain::user::User;
use charter_store::{self as store, Purpose};

use super::anonymous_client::AnonymousClient;
use super::error::{UserError, invalid_link};
use super::service::PortalUsers;

/// What shows, beside the link, that who follows it is the one who registered: whoever merely reads
/// the mail must not open an account that a stranger made on the address (contract section 5).
#[derive(Debug)]
pub enum Proof {
    /// The account's password.
    Password(SecretString),
    /// An access token of that person.
    Session(UserId),
}

impl PortalUsers {
    /// Verifies the address that a link was sent to. Every session that was opened before ends.
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
        let hash = OpaqueToken::parse(token)
            .ok_or(UserError::InvalidLink)?
            .hash();
        let found = self
            .parts
            .store
            .find_link(hash, Purpose::VerifyEmail, self.now())
            .await?;
        let user = found.ok_or(UserError::InvalidLink)?;
        let proved = match proof {
            Proof::Session(id) if id == user.id => None,
            Proof::Session(_) => return Err(UserError::InvalidLink),
            Proof::Password(password) => Some(self.prove(&user, password, client).await?),
        };
        let by = self.by(user.id, client);
        self.parts
            .store
            .verify_email(&user, hash, proved, &by)
            .await
            .map_err(invalid_link)
    }

    /// The stored hash that the password was checked against.
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

    /// Sends the link again to a person who has not verified its address; nothing to any other.
    ///
    /// # Errors
    ///
    /// [`UserError::TooMany`], and the store's.
    pub async fn resend_verification(
        &self,
        person: &UserCaller,
        client: &AnonymousClient,
    ) -> Result<(), UserError> {
        if person.user().email_verified {
            return client.require_precondition();
        }
        let mail = LimitedAction::VerificationMail(person.user().id);
        self.parts.limits.count(mail).await?;
        let email = EmailAddress::from_stored(person.user().email.clone());
        let link = self.parts.links.link(Purpose::VerifyEmail, &email)?;
        let by = self.by(person.user().id, client);
        let made = self
            .parts
            .store
            .create_link(person.user(), link, client.ip, &by)
            .await;
        match made {
            Ok(()) => {
                self.parts.outbox.notify_one();
                Ok(())
            }
            // Removed or disabled since the request was authenticated.
            Err(store::Error::NotFound) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
