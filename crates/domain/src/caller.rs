//! Authenticated callers.
//!
//! Only the store creates callers: where it finds a credential or a session, or for a principal that an operator
//! names. `clippy.toml` bans both constructors elsewhere.

use std::sync::Arc;

use super::account::Account;
use super::id::{AccessKeyId, ServiceAccountId, SessionId};
use super::organization::Organization;
use super::service_account::ServiceAccount;
use super::user::User;

/// Approximate size of names, addresses and regions of one record.
const TEXT_BYTES: usize = 160;

/// An authenticated principal with the attributes that policies may read.
#[derive(Debug, Clone)]
pub enum Caller {
    /// A program that signed its request.
    ServiceAccount(Arc<ServiceAccountCaller>),
    /// A user with a session.
    User(Arc<UserCaller>),
}

/// A service account that signed a request, or that an operator named.
#[derive(Debug)]
pub struct ServiceAccountCaller {
    service_account: ServiceAccount,
    account: Account,
    organization: Organization,
    access_key: Option<AccessKeyId>,
}

impl ServiceAccountCaller {
    /// For the store alone. `access_key` is `None` if an operator named the service account.
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

    pub const fn account(&self) -> &Account {
        &self.account
    }

    pub const fn organization(&self) -> &Organization {
        &self.organization
    }

    /// Approximate memory of its records in bytes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + 3 * TEXT_BYTES
            + self.service_account.roles.bytes()
            + self.service_account.permissions.bytes()
            + self.service_account.metadata.bytes()
            + self.account.metadata.bytes()
            + self.organization.metadata.bytes()
    }

    /// The key that signed the request; `None` if an operator named the service account.
    pub const fn access_key(&self) -> Option<AccessKeyId> {
        self.access_key
    }
}

/// A user with a verified access token, or that an operator named.
#[derive(Debug, PartialEq)]
pub struct UserCaller {
    session: Option<SessionId>,
    user: User,
    organization: Organization,
}

impl UserCaller {
    /// For the store alone. `session` is `None` if an operator named the user.
    pub const fn new(session: Option<SessionId>, user: User, organization: Organization) -> Self {
        Self {
            session,
            user,
            organization,
        }
    }

    /// Approximate memory of its records in bytes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + 2 * TEXT_BYTES + self.organization.metadata.bytes()
    }

    /// The session of the access token; `None` if an operator named the user.
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

    /// The principal's typed id, as in logs, audit events and policies.
    pub fn principal_id(&self) -> String {
        match self {
            Self::ServiceAccount(caller) => caller.service_account.id.to_string(),
            Self::User(caller) => caller.user.id.to_string(),
        }
    }

    /// The key that signed the request; `None` for users.
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
