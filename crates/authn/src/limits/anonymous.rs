//! The limits on what is done without a credential, whoever counts (contract section 5).

use std::net::IpAddr;

use async_trait::async_trait;
use ipnet::IpNet;
use uuid::Uuid;

use super::window::Exceeded;
use crate::secrets::device::DeviceId;
use charter_domain::email::EmailAddress;
use charter_domain::id::{OrganizationId, SessionId, UserId};

/// Something that may be done so often in a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LimitedAction {
    /// Registering an organization, by client network.
    Registration(IpNet),
    /// Asking for a link that resets a password, by client network.
    ForgottenPassword(IpNet),
    /// Reporting a leaked key, by client network.
    LeakReport(IpNet),
    /// A mail that resets the password of an address.
    ResetMail(EmailAddress),
    /// A mail that verifies a user's address, beyond the first.
    VerificationMail(UserId),
    /// An invitation from one organization to one address.
    InvitationMail(OrganizationId, EmailAddress),
    /// An invitation to one address from any organization.
    InvitationMailToAddress(EmailAddress),
    /// A refresh of one session.
    Refresh(SessionId),
    /// A refresh of any session of one person.
    RefreshOfPerson(UserId),
    /// A password that is hashed for one person or invitation.
    PasswordHash(Uuid),
}

/// A client that has shown to be an account's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KnownClient {
    /// By its device cookie.
    Device(DeviceId),
    /// By an access token.
    Session(SessionId),
}

/// Why a sign-in attempt may not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptError {
    /// A limit is reached.
    Exceeded(Exceeded),
    /// Too many others wait, or its turn did not come in time.
    Busy,
}

/// Limits on clients that nobody has authenticated.
#[async_trait]
pub trait AnonymousLimits: Send + Sync {
    /// Counts an action.
    ///
    /// # Errors
    ///
    /// [`Exceeded`] if it is one too many; it does not count then.
    async fn count(&self, action: LimitedAction) -> Result<(), Exceeded>;

    /// Takes back an action that was counted and came to nothing.
    async fn give_back(&self, action: &LimitedAction);

    /// Waits until a sign-in may be attempted; `None` is an attempt at no account.
    ///
    /// # Errors
    ///
    /// [`AttemptError`].
    async fn begin_sign_in(
        &self,
        client: IpAddr,
        account: Option<&EmailAddress>,
    ) -> Result<Box<dyn SignInAttempt>, AttemptError>;

    /// The same for a client that is known to be the account's, which only its own failures limit.
    ///
    /// # Errors
    ///
    /// [`AttemptError`].
    async fn begin_known_sign_in(
        &self,
        client: IpAddr,
        account: &EmailAddress,
        known: KnownClient,
    ) -> Result<Box<dyn SignInAttempt>, AttemptError>;

    /// Forgets an account's failures, and which networks knew its password: it has a new one.
    async fn forgive(&self, account: &EmailAddress);
}

/// An attempt under way; it counts as a failure until it is decided. Dropped, it counts as none.
#[async_trait]
pub trait SignInAttempt: Send {
    /// The password was wrong.
    async fn failed(self: Box<Self>);

    /// The password was right: the network is known to the account from now on, and the failures that
    /// made this attempt wait are forgotten. Those of the network at any account stay.
    async fn succeeded(self: Box<Self>);
}
