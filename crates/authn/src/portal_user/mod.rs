//! People: how they come in, prove who they are and get back in (contract section 5).
//!
//! Each of its files is one part of that; all end in the store's transactions. It knows nothing of
//! cookies and status codes.

mod batches;
mod bearer;
mod guess;
mod invitation;
mod password_change;
mod recovery;
mod refresh;
mod registration;
mod rotations;
mod session_reads;
mod sign_in;
mod verification;

use std::net::IpAddr;
use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::Notify;

use charter_budgets::{Budgets, Exhausted, Resource};
use charter_domain::audit::Provenance;
use charter_domain::clock::Clock;
use charter_domain::email::EmailAddress;
use charter_domain::entropy::Entropy;
use charter_domain::id::{OrganizationId, UserId};
use charter_domain::timestamp::Timestamp;
use charter_store::{self as store, Store};

use super::access_token::AccessTokens;
use super::attempts::{Exceeded, NetworkLimit, NoPlace, SignInAttempts, SlidingLimit};
use super::device::DeviceKeys;
use super::link_mails::{LinkMails, NotSealed};
use super::opaque_token::{OpaqueToken, SuccessorKeys};
use super::password_pool::{PasswordPool, PoolError, Waiter};
use super::rate_limit::RateLimits;

pub use registration::NewOwner;
use rotations::Rotations;
use session_reads::SessionReads;
pub use verification::Proof;

/// What people's affairs are made with.
pub struct Parts {
    /// Their rows.
    pub store: Arc<Store>,
    /// Signs and verifies access tokens.
    pub tokens: AccessTokens,
    /// Derives successors of refresh tokens.
    pub successors: SuccessorKeys,
    /// Makes and reads device cookies.
    pub devices: DeviceKeys,
    /// Hashes passwords.
    pub passwords: PasswordPool,
    /// Makes links that are mailed.
    pub links: LinkMails,
    /// How often strangers may try.
    pub limits: Limits,
    /// How often people may ask.
    pub rates: Arc<RateLimits>,
    /// What organizations use of what everybody pays for.
    pub budgets: Arc<Budgets>,
    /// Told when a mail was put into the outbox.
    pub outbox: Arc<Notify>,
    /// Whether anybody may register an organization.
    pub registration_is_open: bool,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// How often strangers may try (contract section 5).
pub struct Limits {
    /// Registering, for each network.
    pub register: NetworkLimit,
    /// Signing in.
    pub sign_in: SignInAttempts,
    /// Asking for a link that resets a password, for each network.
    pub forgot: NetworkLimit,
    /// Mails that reset a password, to one address.
    pub reset_mails: SlidingLimit<EmailAddress>,
    /// Mails that verify an address, to one person beyond the first.
    pub verification_mails: SlidingLimit<UserId>,
    /// Invitations to one address from one organization.
    pub invitation_mails: SlidingLimit<(OrganizationId, EmailAddress)>,
    /// Invitations to one address, whoever invites.
    pub invitation_mails_in_all: SlidingLimit<EmailAddress>,
}

/// People's affairs.
pub struct PortalUsers(Parts, SessionReads, Rotations);

/// Who asks, as far as anybody knows.
#[derive(Debug, Clone)]
pub struct Stranger {
    /// Trusted proxies already looked through.
    pub client: IpAddr,
    /// The request, for the audit log.
    pub request_id: String,
    /// What the browser calls itself.
    pub user_agent: Option<String>,
    /// The device cookies that it shows.
    pub device_cookies: Vec<SecretString>,
}

/// What a person is signed in with.
#[derive(Debug)]
pub struct SignedIn {
    /// For the `authorization` header.
    pub access_token: SecretString,
    /// For the cookie.
    pub refresh_token: OpaqueToken,
    /// For the other cookie, where a password was shown.
    pub device: Option<SecretString>,
}

/// Why a person's affair came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Unknown, disabled and wrong are not told apart.
    #[error("the e-mail address or the password is wrong")]
    InvalidLogin,
    /// The password that a signed-in person gave is not its own.
    #[error("the password is wrong")]
    WrongPassword,
    /// The refresh token is nobody's (any more).
    #[error("the refresh token is not valid")]
    InvalidToken,
    /// The link is unknown, used or expired, or who follows it has not shown to be its person.
    #[error("the link is not valid")]
    InvalidLink,
    /// Nobody may register by itself.
    #[error("registration is closed")]
    RegistrationClosed,
    /// Too many tries.
    #[error("too many tries")]
    TooMany(Exceeded),
    /// The organization sends or hashes too much.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// Too much is going on.
    #[error("too many others wait to sign in")]
    Busy,
    /// The store's.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The inside is broken.
    #[error("{0}")]
    Internal(String),
}

impl From<Exceeded> for Refusal {
    fn from(exceeded: Exceeded) -> Self {
        Self::TooMany(exceeded)
    }
}

impl From<NoPlace> for Refusal {
    fn from(no_place: NoPlace) -> Self {
        match no_place {
            NoPlace::Exceeded(exceeded) => Self::TooMany(exceeded),
            NoPlace::Crowded => Self::Busy,
        }
    }
}

impl From<PoolError> for Refusal {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Busy => Self::Busy,
            PoolError::Hash(_) | PoolError::Panicked | PoolError::NoThread(_) => internal(error),
        }
    }
}

impl From<NotSealed> for Refusal {
    fn from(error: NotSealed) -> Self {
        internal(error)
    }
}

fn internal(error: impl std::fmt::Display) -> Refusal {
    Refusal::Internal(error.to_string())
}

impl PortalUsers {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let reads = SessionReads::new(Arc::clone(&parts.store), Arc::clone(&parts.clock));
        let rotations = Rotations::new(Arc::clone(&parts.store), Arc::clone(&parts.clock));
        Self(parts, reads, rotations)
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// What an audit event records of somebody who acts for itself, without asking policy.
    fn by(&self, who: UserId, stranger: &Stranger) -> Provenance {
        self.by_actor(who.to_string(), stranger)
    }

    /// The same of somebody who has not shown to be the person it is about.
    fn by_anybody(&self, stranger: &Stranger) -> Provenance {
        self.by_actor("anonymous".to_owned(), stranger)
    }

    fn by_actor(&self, actor: String, stranger: &Stranger) -> Provenance {
        Provenance {
            actor,
            access_key: None,
            standing: None,
            request_id: Some(stranger.request_id.clone()),
            policy_digest: None,
            at: self.now(),
        }
    }

    /// Counts a password that is about to be hashed for somebody whose organization is known to have
    /// asked for it: never a stranger's guess, which would use up others' budget.
    fn charge_hash(&self, organization: OrganizationId) -> Result<(), Refusal> {
        let budgets = &self.0.budgets;
        Ok(budgets.charge(Resource::PasswordHashes, organization, 1)?)
    }

    async fn hash(&self, password: SecretString, waiter: Waiter) -> Result<String, Refusal> {
        let permit = self.0.passwords.permit(waiter).await?;
        Ok(self.0.passwords.hash(permit, password).await?)
    }
}

/// An invalid link, whatever made it so.
fn invalid_link(error: store::Error) -> Refusal {
    match error {
        store::Error::InvalidLink | store::Error::NotFound => Refusal::InvalidLink,
        other => other.into(),
    }
}
