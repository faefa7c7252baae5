//! Sign-in and sign-out.

use secrecy::SecretString;

use crate::secrets::opaque_token::{OpaqueToken, REFRESH_LIFETIME};
use charter_domain::caller::UserCaller;
use charter_domain::email::EmailAddress;
use charter_domain::id::SessionId;
use charter_store::{self as store, Ending, NewSession, SessionRow};

use super::anonymous_client::AnonymousClient;
use super::error::{UserError, internal};
use super::guess::{Guess, RightGuess};
use super::service::PortalUsers;

/// The tokens of a new session.
#[derive(Debug)]
pub struct SignedIn {
    /// For the `authorization` header.
    pub access_token: SecretString,
    /// For the refresh cookie.
    pub refresh_token: OpaqueToken,
    /// For the device cookie, if a password was checked.
    pub device: Option<SecretString>,
}

impl PortalUsers {
    /// Signs a user in. An unknown or disabled user and a wrong password take the same work and have the same error; so
    /// has a malformed address, `None`.
    ///
    /// # Errors
    ///
    /// [`UserError::InvalidLogin`], [`UserError::TooMany`], [`UserError::Busy`], and the store's.
    pub async fn login(
        &self,
        email: Option<EmailAddress>,
        password: SecretString,
        client: &AnonymousClient,
    ) -> Result<SignedIn, UserError> {
        let guess = self.begin_guess(email.as_ref(), client).await?;
        // On the heap: the store's future is large, and hundreds of requests may wait above.
        Box::pin(self.sign_in(email, password, client, guess)).await
    }

    async fn sign_in(
        &self,
        email: Option<EmailAddress>,
        password: SecretString,
        client: &AnonymousClient,
        guess: Guess,
    ) -> Result<SignedIn, UserError> {
        let login = match &email {
            Some(email) => self.parts.store.find_login(email).await?,
            None => None,
        };
        let guessed = self.make_guess(guess, login, password).await?;
        let RightGuess {
            attempt,
            login: verified,
            device,
        } = guessed.ok_or(UserError::InvalidLogin)?;
        let user = &verified.login.user;
        let (session, token) = self.begin_session(client);
        let row = SessionRow {
            id: session.id,
            user: user.id,
            organization: user.organization_id,
        };
        let stored = &verified.login.password_hash;
        let stored = verified.rehashed.as_ref().unwrap_or(stored);
        let device = self.device_cookie(device, user.id, stored);
        let by = self.by(user.id, client);
        match self.parts.store.sign_in(verified, session, &by).await {
            Ok(()) => {
                attempt.succeeded().await;
                self.signed_in(row, token, device)
            }
            Err(store::Error::SignInVoid | store::Error::NotFound) => {
                attempt.failed().await;
                Err(UserError::InvalidLogin)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Ends the caller's session, and those of its cookies if they are the same user's.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn logout(
        &self,
        caller: &UserCaller,
        cookies: &[OpaqueToken],
        client: &AnonymousClient,
    ) -> Result<(), UserError> {
        let by = self.by(caller.user().id, client);
        let own = caller.session().map(|id| SessionRow {
            id,
            user: caller.user().id,
            organization: caller.organization().id,
        });
        let mut ended: Vec<_> = own.into_iter().collect();
        for cookie in cookies {
            let found = self
                .parts
                .store
                .find_session_of_refresh_token(cookie.hash())
                .await?;
            let is_another =
                |row: &SessionRow| row.user == caller.user().id && !ended.contains(row);
            ended.extend(found.filter(is_another));
        }
        for session in ended {
            self.parts
                .store
                .end_session(session, Ending::SignOut, &by)
                .await?;
        }
        Ok(())
    }

    /// Ends one of the user's own sessions.
    ///
    /// # Errors
    ///
    /// The store's; `NotFound` for another user's session or one that has ended.
    pub async fn end_session(
        &self,
        caller: &UserCaller,
        id: SessionId,
        client: &AnonymousClient,
    ) -> Result<(), UserError> {
        let by = self.by_session(caller, client)?;
        let tenant = self.parts.store.write_within(caller, by);
        Ok(tenant.end_open_session(caller.user().id, id).await?)
    }

    /// A new session and its refresh token.
    pub(super) fn begin_session(&self, client: &AnonymousClient) -> (NewSession, OpaqueToken) {
        let now = self.now();
        let token = OpaqueToken::generate(&*self.parts.entropy);
        let session = NewSession {
            id: SessionId::generate(now, &*self.parts.entropy),
            refresh_hash: token.hash(),
            refresh_expires_at: now + REFRESH_LIFETIME,
            user_agent: client.user_agent.clone(),
        };
        (session, token)
    }

    pub(super) fn signed_in(
        &self,
        session: SessionRow,
        refresh_token: OpaqueToken,
        device: Option<SecretString>,
    ) -> Result<SignedIn, UserError> {
        let SessionRow {
            id,
            user,
            organization,
        } = session;
        self.refresh_tokens.note(refresh_token.hash(), session);
        let token = self
            .parts
            .tokens
            .issue(user, organization, id, self.now(), &*self.parts.entropy)
            .map_err(internal)?;
        Ok(SignedIn {
            access_token: SecretString::from(token),
            refresh_token,
            device,
        })
    }
}
