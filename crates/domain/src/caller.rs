//! Who is asking.
//!
//! The store alone makes callers: where it finds a credential or a session, or what an operator
//! names. `clippy.toml` bans both constructors everywhere else.

use std::sync::Arc;

use super::account::Account;
use super::id::{AccessKeyId, ServiceAccountId, SessionId};
use super::organization::Organization;
use super::service_account::ServiceAccount;
use super::user::User;

/// Names, addresses and regions of one record, about.
const TEXT_BYTES: usize = 256;

/// An authenticated principal, with the facts that policy may look at.
#[derive(Debug, Clone)]
pub enum Caller {
    /// A program that signed its request.
    ServiceAccount(Arc<ServiceAccountCaller>),
    /// A person with a session.
    User(Arc<UserCaller>),
}

/// A service account that proved it holds one of its keys' secrets, or that an operator asks about.
#[derive(Debug)]
pub struct ServiceAccountCaller {
    service_account: ServiceAccount,
    account: Account,
    organization: Organization,
    access_key: Option<AccessKeyId>,
}

impl ServiceAccountCaller {
    /// For the store alone. Without an access key it is one that an operator asks about.
    pub const fn new(
        service_account: ServiceAccount,
        account: Account,
        organization: Organization,
        access_key: Option<AccessKeyId>,
    ) -> Self {
        Self {
            service_account,
            account,
            organization,
            access_key,
        }
    }

    pub const fn service_account(&self) -> &ServiceAccount {
        &self.service_account
    }

    /// The account it belongs to.
    pub const fn account(&self) -> &Account {
        &self.account
    }

    pub const fn organization(&self) -> &Organization {
        &self.organization
    }

    /// About how many bytes of memory its records take.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + 3 * TEXT_BYTES
            + self.service_account.roles.bytes()
            + self.service_account.permissions.bytes()
            + self.service_account.metadata.bytes()
            + self.account.metadata.bytes()
            + self.organization.metadata.bytes()
    }

    /// The key it signed with; `None` where an operator asks about it.
    pub const fn access_key(&self) -> Option<AccessKeyId> {
        self.access_key
    }
}

/// A person whose bearer token was verified, or that an operator asks about.
#[derive(Debug, PartialEq)]
pub struct UserCaller {
    session: Option<SessionId>,
    user: User,
    organization: Organization,
}

impl UserCaller {
    /// For the store alone. Without a session it is a person that an operator asks about.
    pub const fn new(session: Option<SessionId>, user: User, organization: Organization) -> Self {
        Self {
            session,
            user,
            organization,
        }
    }

    /// About how many bytes of memory its records take.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + 2 * TEXT_BYTES + self.organization.metadata.bytes()
    }

    /// The session of the token; `None` where an operator asks about the person.
    pub const fn session(&self) -> Option<SessionId> {
        self.session
    }

    pub const fn user(&self) -> &User {
        &self.user
    }

    pub const fn organization(&self) -> &Organization {
        &self.organization
    }
}

impl Caller {
    pub fn organization(&self) -> &Organization {
        match self {
            Self::ServiceAccount(caller) => &caller.organization,
            Self::User(caller) => &caller.organization,
        }
    }

    /// The principal's typed id, as logs, audit events and policies name it.
    pub fn principal_id(&self) -> String {
        match self {
            Self::ServiceAccount(caller) => caller.service_account.id.to_string(),
            Self::User(caller) => caller.user.id.to_string(),
        }
    }

    /// The key it signed with, if it signed.
    pub fn access_key_id(&self) -> Option<AccessKeyId> {
        match self {
            Self::ServiceAccount(caller) => caller.access_key,
            Self::User(_) => None,
        }
    }

    pub fn service_account_id(&self) -> Option<ServiceAccountId> {
        match self {
            Self::ServiceAccount(caller) => Some(caller.service_account.id),
            Self::User(_) => None,
        }
    }
}
