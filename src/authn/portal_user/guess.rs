//! One guess at a password: it waits for its turn, costs the same whoever is meant, and counts.

use std::time::Duration;

use secrecy::SecretString;

use crate::authn::attempts::Attempt;
use crate::authn::password_pool::{Checked, Permit};
use crate::domain::email::EmailAddress;
use crate::store::{Login, VerifiedLogin};

use super::{PortalUsers, Refusal, Stranger};

/// How long a guess waits for its turn among others of the same network or account.
const TURN_TIMEOUT: Duration = Duration::from_secs(14);

/// A guess that may be made now. Dropped, it counts as no guess.
pub(super) struct Guess {
    attempt: Attempt,
    permit: Permit,
}

/// A guess that was right. Whatever it was made for may still fail.
pub(super) struct RightGuess {
    attempt: Attempt,
    pub(super) login: VerifiedLogin,
}

impl PortalUsers {
    /// Waits until a guess may be made; `None` is a guess at no account.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooMany`] and [`Refusal::Busy`].
    pub(super) async fn begin_guess(
        &self,
        account: Option<&EmailAddress>,
        stranger: &Stranger,
    ) -> Result<Guess, Refusal> {
        let turn = self.0.limits.sign_in.begin(stranger.client, account);
        let attempt = tokio::time::timeout(TURN_TIMEOUT, turn)
            .await
            .map_err(|_elapsed| Refusal::Busy)??;
        let permit = self.0.passwords.permit().await?;
        Ok(Guess { attempt, permit })
    }

    /// Checks the password, with the same work where nobody is meant or somebody who is disabled.
    /// `None` is a wrong guess, which has been counted.
    ///
    /// # Errors
    ///
    /// [`Refusal::Internal`].
    pub(super) async fn make_guess(
        &self,
        guess: Guess,
        login: Option<Login>,
        password: SecretString,
    ) -> Result<Option<RightGuess>, Refusal> {
        let Guess { attempt, permit } = guess;
        let login = login.filter(|login| login.user.is_active);
        let stored = login.as_ref().map(|login| login.password_hash.clone());
        let checked = self.0.passwords.check(permit, password, stored).await?;
        if let (Checked::Right { rehashed }, Some(login)) = (checked, login) {
            let login = VerifiedLogin { login, rehashed };
            Ok(Some(RightGuess { attempt, login }))
        } else {
            attempt.failed();
            Ok(None)
        }
    }
}

impl RightGuess {
    /// The attempt, to be told what came of it, and what was verified.
    pub(super) fn into_parts(self) -> (Attempt, VerifiedLogin) {
        (self.attempt, self.login)
    }
}
