//! One guess at a password: it waits for its turn, costs the same whoever is meant, and counts.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::limits::{Attempt, KnownClient, site};
use crate::secrets::device::Device;
use crate::secrets::password_pool::{Checked, Permit, Waiter};
use charter_domain::email::EmailAddress;
use charter_domain::id::{SessionId, UserId};
use charter_domain::user::User;
use charter_store::{Login, VerifiedLogin};

use super::anonymous_client::AnonymousClient;
use super::refusal::Refusal;
use super::service::PortalUsers;

/// How long a guess waits for its turn among others of the same network or account.
const TURN_TIMEOUT: Duration = Duration::from_secs(14);

/// A guess that may be made now. Dropped, it counts as no guess.
pub(super) struct Guess {
    attempt: Attempt,
    permit: Permit,
    device: Option<Device>,
    /// Whether the hash was charged before: a stranger's is, once it was right.
    is_charged: bool,
}

/// A guess that was right. Whatever it was made for may still fail.
pub(super) struct RightGuess {
    /// To be told what came of it.
    pub(super) attempt: Attempt,
    pub(super) login: VerifiedLogin,
    /// The browser, if it was known to the account.
    pub(super) device: Option<Device>,
}

impl PortalUsers {
    /// Waits until a guess may be made; `None` is a guess at no account. Who shows a device cookie of
    /// the account waits for nobody but itself.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooMany`], [`Refusal::Busy`], and the store's.
    pub(super) async fn begin_guess(
        &self,
        account: Option<&EmailAddress>,
        client: &AnonymousClient,
    ) -> Result<Guess, Refusal> {
        let known = match account {
            Some(account) => self.device_of(account, client).await?,
            None => None,
        };
        if let (Some(account), Some((device, user))) = (account, known) {
            self.charge_hash(user.id.uuid(), user.organization_id)?;
            let known = KnownClient::Device(device.id());
            return self.begin_known(account, known, Some(device), client).await;
        }
        let turn = self.parts.limits.sign_in.begin(client.ip, account);
        let attempt = tokio::time::timeout(TURN_TIMEOUT, turn)
            .await
            .map_err(|_elapsed| Refusal::Busy)??;
        let permit = self.parts.passwords.permit(of_anonymous(client)).await?;
        Ok(Guess {
            attempt,
            permit,
            device: None,
            is_charged: false,
        })
    }

    /// The same for a person who is signed in, and whose hash was charged.
    ///
    /// # Errors
    ///
    /// As [`Self::begin_guess`].
    pub(super) async fn begin_guess_in_session(
        &self,
        account: &EmailAddress,
        session: SessionId,
        client: &AnonymousClient,
    ) -> Result<Guess, Refusal> {
        self.begin_known(account, KnownClient::Session(session), None, client)
            .await
    }

    async fn begin_known(
        &self,
        account: &EmailAddress,
        known: KnownClient,
        device: Option<Device>,
        client: &AnonymousClient,
    ) -> Result<Guess, Refusal> {
        let limits = &self.parts.limits.sign_in;
        let turn = limits.begin_known(client.ip, account, known);
        let attempt = tokio::time::timeout(TURN_TIMEOUT, turn)
            .await
            .map_err(|_elapsed| Refusal::Busy)??;
        let permit = self.parts.passwords.permit(of_known(known)).await?;
        Ok(Guess {
            attempt,
            permit,
            device,
            is_charged: true,
        })
    }

    /// The browser that somebody signed in to the account with, under the password it has now, and the
    /// account's person. The store is asked only about cookies that this service made.
    async fn device_of(
        &self,
        account: &EmailAddress,
        client: &AnonymousClient,
    ) -> Result<Option<(Device, User)>, Refusal> {
        let read = |value: &SecretString| self.parts.devices.read(value.expose_secret());
        let devices: Vec<_> = client.device_cookies.iter().filter_map(read).collect();
        if devices.is_empty() {
            return Ok(None);
        }
        let login = self.parts.store.find_login(account).await?;
        Ok(login.and_then(|login| {
            let is_its = |device: &Device| device.is_of(login.user.id, &login.password_hash);
            let device = devices.into_iter().find(is_its);
            device.map(|device| (device, login.user))
        }))
    }

    /// Checks the password, with the same work where nobody is meant or somebody who is disabled.
    /// `None` is a wrong guess, which has been counted.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooMany`] right ones of that person, which count as no guess; [`Refusal::Internal`].
    pub(super) async fn make_guess(
        &self,
        guess: Guess,
        login: Option<Login>,
        password: SecretString,
    ) -> Result<Option<RightGuess>, Refusal> {
        let Guess {
            attempt,
            permit,
            device,
            is_charged,
        } = guess;
        let login = login.filter(|login| login.user.is_active);
        let stored = login.as_ref().map(|login| login.password_hash.clone());
        let checked = self.parts.passwords.check(permit, password, stored).await?;
        if let (Checked::Right { rehashed }, Some(login)) = (checked, login) {
            if !is_charged {
                self.spend_hash(login.user.id.uuid(), login.user.organization_id)?;
            }
            Ok(Some(RightGuess {
                attempt,
                login: VerifiedLogin { login, rehashed },
                device,
            }))
        } else {
            attempt.failed();
            Ok(None)
        }
    }

    /// A device cookie for who has shown to know that password; the browser keeps its name.
    pub(super) fn device_cookie(
        &self,
        device: Option<Device>,
        user: UserId,
        password_hash: &str,
    ) -> Option<SecretString> {
        let device = match device {
            Some(device) => device.renewed(user, password_hash),
            None => Device::generate(user, password_hash, &*self.parts.entropy),
        };
        self.parts.devices.write(&device)
    }
}

/// Who waits to have a password hashed, where nothing is known.
pub(super) fn of_anonymous(client: &AnonymousClient) -> Waiter {
    Waiter::AnonymousClient(site(client.ip))
}

pub(super) fn of_known(known: KnownClient) -> Waiter {
    Waiter::Known(match known {
        KnownClient::Device(id) => id,
        KnownClient::Session(id) => id.uuid().into_bytes(),
    })
}
