//! One password attempt: queued, constant cost, counted.

use secrecy::{ExposeSecret, SecretString};

use crate::limits::{KnownClient, SignInAttempt, site};
use crate::secrets::device::Device;
use crate::secrets::password_pool::{PasswordCheck, Permit, Requester};
use charter_domain::email::EmailAddress;
use charter_domain::id::{SessionId, UserId};
use charter_domain::user::User;
use charter_store::{Login, VerifiedLogin};

use super::anonymous_client::AnonymousClient;
use super::error::UserError;
use super::service::PortalUsers;

/// An attempt that may start now. Dropped, it is not counted.
pub(super) struct Guess {
    attempt: Box<dyn SignInAttempt>,
    permit: Permit,
    device: Option<Device>,
    /// Whether the hash was charged before; an anonymous client's is charged once it was right.
    is_charged: bool,
}

/// A right password. What it is for may still fail.
pub(super) struct RightGuess {
    /// Must be told the result.
    pub(super) attempt: Box<dyn SignInAttempt>,
    pub(super) login: VerifiedLogin,
    /// The browser, if it is known to the account.
    pub(super) device: Option<Device>,
}

impl PortalUsers {
    /// Waits until a guess may be made; `None` is a guess at no account. Who shows a device cookie of
    /// the account waits for nobody but itself. No guess is made under a precondition that fails: the answer would
    /// tell whether it was right, and nothing would be on record.
    ///
    /// # Errors
    ///
    /// [`UserError::TooMany`], [`UserError::Busy`], and the store's; its `Stale` if a precondition fails.
    pub(super) async fn begin_guess(
        &self,
        account: Option<&EmailAddress>,
        client: &AnonymousClient,
    ) -> Result<Guess, UserError> {
        client.require_precondition()?;
        let known = match account {
            Some(account) => self.device_of(account, client).await?,
            None => None,
        };
        if let (Some(account), Some((device, user))) = (account, known) {
            self.charge_hash(user.id.uuid(), user.organization_id)
                .await?;
            let known = KnownClient::Device(device.id());
            return self.begin_known(account, known, Some(device), client).await;
        }
        let limits = &self.parts.limits;
        let attempt = limits.begin_sign_in(client.ip, account).await?;
        let permit = self
            .parts
            .passwords
            .permit(anonymous_requester(client))
            .await?;
        Ok(Guess {
            attempt,
            permit,
            device: None,
            is_charged: false,
        })
    }

    /// The same for a signed-in user, whose hash was charged.
    ///
    /// # Errors
    ///
    /// As [`Self::begin_guess`].
    pub(super) async fn begin_guess_in_session(
        &self,
        account: &EmailAddress,
        session: SessionId,
        client: &AnonymousClient,
    ) -> Result<Guess, UserError> {
        self.begin_known(account, KnownClient::Session(session), None, client)
            .await
    }

    async fn begin_known(
        &self,
        account: &EmailAddress,
        known: KnownClient,
        device: Option<Device>,
        client: &AnonymousClient,
    ) -> Result<Guess, UserError> {
        let limits = &self.parts.limits;
        let begun = limits.begin_known_sign_in(client.ip, account, known);
        let attempt = begun.await?;
        let permit = self.parts.passwords.permit(known_requester(known)).await?;
        Ok(Guess {
            attempt,
            permit,
            device,
            is_charged: true,
        })
    }

    /// The known browser of the account under its current password, and the account's user. Reads the store only for
    /// valid cookies.
    async fn device_of(
        &self,
        account: &EmailAddress,
        client: &AnonymousClient,
    ) -> Result<Option<(Device, User)>, UserError> {
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

    /// Checks the password, with the same work for no user or a disabled one. `None` for a wrong password, which is
    /// counted.
    ///
    /// # Errors
    ///
    /// [`UserError::TooMany`] after too many right ones of that user, which are not counted; [`UserError::Internal`].
    pub(super) async fn make_guess(
        &self,
        guess: Guess,
        login: Option<Login>,
        password: SecretString,
    ) -> Result<Option<RightGuess>, UserError> {
        let Guess {
            attempt,
            permit,
            device,
            is_charged,
        } = guess;
        let login = login.filter(|login| login.user.is_active);
        let stored = login.as_ref().map(|login| login.password_hash.clone());
        let checked = self.parts.passwords.check(permit, password, stored).await?;
        if let (PasswordCheck::Right { rehashed }, Some(login)) = (checked, login) {
            if !is_charged {
                let user = &login.user;
                self.charge_hash(user.id.uuid(), user.organization_id)
                    .await?;
            }
            Ok(Some(RightGuess {
                attempt,
                login: VerifiedLogin { login, rehashed },
                device,
            }))
        } else {
            attempt.failed().await;
            Ok(None)
        }
    }

    /// A device cookie for a client that has proved the password; a known browser keeps its id.
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

/// The queue key of an anonymous client.
pub(super) fn anonymous_requester(client: &AnonymousClient) -> Requester {
    Requester::Anonymous(site(client.ip))
}

pub(super) fn known_requester(known: KnownClient) -> Requester {
    Requester::Known(match known {
        KnownClient::Device(id) => id,
        KnownClient::Session(id) => id.uuid().into_bytes(),
    })
}
