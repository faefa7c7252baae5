//! Signing in, staying signed in, signing out.

use std::time::Duration;

use secrecy::SecretString;

use crate::authn::attempts::Attempt;
use crate::authn::opaque_token::OpaqueToken;
use crate::authn::password_pool::{Checked, Permit};
use crate::domain::caller::UserCaller;
use crate::domain::email::EmailAddress;
use crate::domain::id::SessionId;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::User;
use crate::store::{self, Ending, NewSession, Rotation, SessionRow, VerifiedLogin};

use super::rotations::Presented;
use super::{PortalUsers, Refusal, SignedIn, Stranger, internal};

/// How long a refresh token is valid, from each use on (contract section 5).
pub(super) const REFRESH_LIFETIME: Duration = Duration::from_hours(30 * 24);
/// For how long a spent refresh token gets the same successor again (contract section 5).
const GRACE: Duration = Duration::from_secs(10);
/// How long a sign-in waits for its turn among others of the same network or account.
const PATIENCE: Duration = Duration::from_secs(14);

/// A session about to begin.
pub(super) struct Beginning {
    token: OpaqueToken,
    pub(super) session: NewSession,
}

impl PortalUsers {
    /// Signs a person in. Unknown, disabled and wrong cost the same work and have one answer; so has
    /// what is no address, which comes as `None`.
    ///
    /// # Errors
    ///
    /// [`Refusal::InvalidLogin`], [`Refusal::TooMany`], [`Refusal::Busy`], and the store's.
    pub async fn login(
        &self,
        email: Option<EmailAddress>,
        password: SecretString,
        stranger: &Stranger,
    ) -> Result<SignedIn, Refusal> {
        let turn = self.0.limits.sign_in.begin(stranger.client, email.as_ref());
        let attempt = tokio::time::timeout(PATIENCE, turn)
            .await
            .map_err(|_elapsed| Refusal::Busy)??;
        let permit = self.0.passwords.permit().await?;
        // On the heap, from here on: what the store needs is large, and hundreds may wait above.
        Box::pin(self.check_login(email, password, stranger, attempt, permit)).await
    }

    async fn check_login(
        &self,
        email: Option<EmailAddress>,
        password: SecretString,
        stranger: &Stranger,
        attempt: Attempt,
        permit: Permit,
    ) -> Result<SignedIn, Refusal> {
        let login = match &email {
            Some(email) => self.0.store.find_login(email).await?,
            None => None,
        };
        let login = login.filter(|login| login.user.is_active);
        let stored = login.as_ref().map(|login| login.password_hash.clone());
        let checked = self.0.passwords.check(permit, password, stored).await?;
        let (Checked::Right { rehashed }, Some(login)) = (checked, login) else {
            attempt.failed();
            return Err(Refusal::InvalidLogin);
        };
        let (user, beginning) = (login.user.clone(), self.begin_session());
        let verified = VerifiedLogin { login, rehashed };
        let by = self.by(user.id, stranger);
        match self.0.store.sign_in(verified, beginning.session, &by).await {
            Ok(()) => {
                attempt.succeeded();
                self.begun(beginning, &user)
            }
            Err(store::Error::SignInVoid | store::Error::NotFound) => {
                attempt.failed();
                Err(Refusal::InvalidLogin)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Exchanges a refresh token for its successor and another access token. A spent one gets the
    /// same successor for a moment; after that, its use ends the session.
    ///
    /// # Errors
    ///
    /// [`Refusal::InvalidToken`], and the store's.
    pub async fn refresh(
        &self,
        presented: &OpaqueToken,
        stranger: &Stranger,
    ) -> Result<SignedIn, Refusal> {
        let now = self.now();
        let (successor, key_id) = self
            .0
            .successors
            .next(presented)
            .ok_or_else(|| internal("no refresh key is configured"))?;
        let rotation = self.2.rotate(Presented {
            hash: presented.hash(),
            successor: successor.hash(),
            key_id: key_id.to_owned(),
        });
        match rotation.await? {
            Rotation::Rotated(session) => self.signed_in(session, successor),
            Rotation::Void => Err(Refusal::InvalidToken),
            Rotation::Spent {
                session,
                key_id,
                spent_at,
                is_refreshable,
            } => {
                if is_within_grace(spent_at, now) {
                    if !is_refreshable {
                        return Err(Refusal::InvalidToken);
                    }
                    let again = self.0.successors.again(presented, &key_id);
                    return self.signed_in(session, again.ok_or(Refusal::InvalidToken)?);
                }
                tracing::warn!(
                    session = %session.id,
                    user = %session.user,
                    client_ip = %stranger.client,
                    "a spent refresh token was used again, its session is ended"
                );
                let by = self.by_anybody(stranger);
                let why = Ending::Reuse(stranger.client);
                self.0.store.end_session(session, why, &by).await?;
                Err(Refusal::InvalidToken)
            }
        }
    }

    /// Ends the session of a caller, and that of the cookie it came with if it is the same person's.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn logout(
        &self,
        caller: &UserCaller,
        cookie: Option<&OpaqueToken>,
        stranger: &Stranger,
    ) -> Result<(), Refusal> {
        let by = self.by(caller.user.id, stranger);
        let own = caller.session.map(|id| SessionRow {
            id,
            user: caller.user.id,
            organization: caller.organization.id,
        });
        let mut ended: Vec<_> = own.into_iter().collect();
        if let Some(cookie) = cookie {
            let other = self
                .0
                .store
                .find_session_of_refresh_token(cookie.hash())
                .await?;
            let is_the_callers = |row: &SessionRow| row.user == caller.user.id;
            ended.extend(other.filter(is_the_callers).filter(|row| Some(*row) != own));
        }
        for session in ended {
            self.0
                .store
                .end_session(session, Ending::SignOut, &by)
                .await?;
        }
        Ok(())
    }

    pub(super) fn begin_session(&self) -> Beginning {
        let now = self.now();
        let token = OpaqueToken::generate(&*self.0.entropy);
        Beginning {
            session: NewSession {
                id: SessionId::generate(now, &*self.0.entropy),
                refresh_hash: token.hash(),
                refresh_expires_at: now + REFRESH_LIFETIME,
            },
            token,
        }
    }

    pub(super) fn begun(&self, beginning: Beginning, user: &User) -> Result<SignedIn, Refusal> {
        let row = SessionRow {
            id: beginning.session.id,
            user: user.id,
            organization: user.organization_id,
        };
        self.signed_in(row, beginning.token)
    }

    fn signed_in(
        &self,
        session: SessionRow,
        refresh_token: OpaqueToken,
    ) -> Result<SignedIn, Refusal> {
        let SessionRow {
            id,
            user,
            organization,
        } = session;
        let token = self
            .0
            .tokens
            .issue(user, organization, id, self.now(), &*self.0.entropy)
            .map_err(internal)?;
        Ok(SignedIn {
            access_token: SecretString::from(token),
            refresh_token,
        })
    }
}

/// Either way: a clock that was set back must not make the moment an hour long.
fn is_within_grace(spent_at: Timestamp, now: Timestamp) -> bool {
    (now - spent_at)
        .abs()
        .to_std()
        .is_ok_and(|passed| passed <= GRACE)
}
