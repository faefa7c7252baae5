//! Limits on anonymous clients (contract section 5).

use std::net::IpAddr;

use async_trait::async_trait;
use ipnet::IpNet;
use uuid::Uuid;

use super::window::Exceeded;
use crate::secrets::device::DeviceId;
use charter_domain::email::EmailAddress;
use charter_domain::id::{OrganizationId, SessionId, UserId};

/// An action that is limited.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LimitedAction {
    /// Registering an organization, by client network.
    Registration(IpNet),
    /// Requesting a password reset link, by client network.
    ForgottenPassword(IpNet),
    /// Reporting a leaked key, by client network.
    LeakReport(IpNet),
    /// A password reset email to one address.
    ResetMail(EmailAddress),
    /// A further verification email to one user.
    VerificationMail(UserId),
    /// An invitation from one organization to one address.
    InvitationMail(OrganizationId, EmailAddress),
    /// An invitation to one address from any organization.
    InvitationMailToAddress(EmailAddress),
    /// A refresh of one session.
    Refresh(SessionId),
    /// A refresh of any session of one user.
    RefreshOfUser(UserId),
    /// Hashing a password for one user or invitation.
    PasswordHash(Uuid),
}

/// A client that is known to the account.
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
    /// The queue is full, or the wait timed out.
    Busy,
}

#[async_trait]
pub trait AnonymousLimits: Send + Sync {
    /// Counts an action.
    ///
    /// # Errors
    ///
    /// [`Exceeded`] if the limit is reached; then it is not counted.
    async fn count(&self, action: LimitedAction) -> Result<(), Exceeded>;

    /// Uncounts an action that failed.
    async fn give_back(&self, action: &LimitedAction);

    /// Waits until a sign-in may be attempted; `None` for no account.
    ///
    /// # Errors
    ///
    /// [`AttemptError`].
    async fn begin_sign_in(
        &self,
        client: IpAddr,
        account: Option<&EmailAddress>,
    ) -> Result<Box<dyn SignInAttempt>, AttemptError>;

    /// The same for a known client, which is limited by its own failures only.
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

    /// Removes an account's failures and known networks, because it has a new password.
    async fn forgive(&self, account: &EmailAddress);
}

/// An attempt in progress, which counts as a failure. Dropped, it is not counted.
#[async_trait]
pub trait SignInAttempt: Send {
    /// The password was wrong.
    async fn failed(self: Box<Self>);

    /// The password was right: the network becomes known to the account, and the failures that made this attempt wait
    /// are removed. The network's other failures stay.
    async fn succeeded(self: Box<Self>);
}
