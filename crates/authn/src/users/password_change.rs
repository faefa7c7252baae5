//! Password changes of signed-in users.

use secrecy::SecretString;

use crate::limits::KnownClient;
use charter_domain::audit::Actor;
use charter_domain::caller::UserCaller;
use charter_domain::email::EmailAddress;
use charter_domain::session::SessionGuard;
use charter_store as store;

use super::anonymous_client::AnonymousClient;
use super::error::{UserError, internal};
use super::guess::known_requester;
use super::service::PortalUsers;

impl PortalUsers {
    /// Sets a new password. The user's other sessions end, and password reset links become invalid. Returns the
    /// browser's device cookie under the new password.
    ///
    /// # Errors
    ///
    /// [`UserError::WrongPassword`], counted as a failed sign-in of this session; [`UserError::TooMany`],
    /// [`UserError::Busy`], and the store's.
    pub async fn change_password(
        &self,
        caller: &UserCaller,
        current: SecretString,
        new: SecretString,
        client: &AnonymousClient,
    ) -> Result<Option<SecretString>, UserError> {
        // As of any guess at a password.
        client.require_precondition()?;
        let guard =
            SessionGuard::of(caller).ok_or_else(|| internal("a signed-in user has no session"))?;
        let session = guard.session;
        let account = EmailAddress::from_stored(caller.user().email.clone());
        // One to check the old password, one to hash the new one.
        for _ in 0..2 {
            self.charge_hash(caller.user().id.uuid(), caller.organization().id)
                .await?;
        }
        let guess = self
            .begin_guess_in_session(&account, session, client)
            .await?;
        let login = self.parts.store.find_login(&account).await?;
        let login = login.filter(|login| login.user.id == caller.user().id);
        let guessed = self.make_guess(guess, login, current).await?;
        let right = guessed.ok_or(UserError::WrongPassword)?;
        let known = known_requester(KnownClient::Session(session));
        let password_hash = self.hash(new, known).await?;
        let by = self.audit_context(Actor::Session(guard), client);
        let cookie = self.device_cookie(None, caller.user().id, &password_hash);
        let changed = self
            .parts
            .store
            .change_password(&right.login.login, password_hash, &by)
            .await;
        match changed {
            Ok(()) => {
                right.attempt.succeeded().await;
                self.parts.limits.forgive(&account).await;
                Ok(cookie)
            }
            Err(store::Error::SignInVoid) => Err(UserError::WrongPassword),
            Err(error) => Err(error.into()),
        }
    }
}
