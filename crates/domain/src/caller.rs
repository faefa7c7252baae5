//! Who is asking, and the tenant that this lets them see.

use std::sync::Arc;

use super::account::Account;
use super::id::{AccessKeyId, OrganizationId, ServiceAccountId, SessionId};
use super::organization::Organization;
use super::service_account::ServiceAccount;
use super::session::SessionGuard;
use super::user::User;

/// The tenant that a piece of work is confined to. Repositories of tenant data are reached only
/// through one, and only authentication and operator commands make one (the floor-plan test
/// counts the places).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope(OrganizationId);

impl Scope {
    /// The scope of a caller whose credentials were verified. For `authn` only.
    #[must_use]
    pub const fn of_authenticated(organization: OrganizationId) -> Self {
        Self(organization)
    }

    /// The scope of an operator's command on that organization. For `cli`, the demo and who shows an
    /// operator's token only.
    #[must_use]
    pub const fn of_operator(organization: OrganizationId) -> Self {
        Self(organization)
    }

    /// The tenant.
    #[must_use]
    pub const fn organization_id(self) -> OrganizationId {
        self.0
    }
}

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
    /// The service account.
    pub service_account: ServiceAccount,
    /// The account it belongs to.
    pub account: Account,
    /// The tenant.
    pub organization: Organization,
    /// The key it signed with; `None` where an operator asks about it.
    pub access_key: Option<AccessKeyId>,
}

/// A person whose bearer token was verified, or that an operator asks about.
#[derive(Debug, PartialEq)]
pub struct UserCaller {
    /// The session of the token; `None` where an operator asks about the person.
    pub session: Option<SessionId>,
    /// The person.
    pub user: User,
    /// The tenant.
    pub organization: Organization,
}

impl Caller {
    /// The tenant's scope.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope(self.organization().id)
    }

    /// The tenant.
    #[must_use]
    pub fn organization(&self) -> &Organization {
        match self {
            Self::ServiceAccount(caller) => &caller.organization,
            Self::User(caller) => &caller.organization,
        }
    }

    /// The principal's typed id, as logs, audit events and policies name it.
    #[must_use]
    pub fn principal_id(&self) -> String {
        match self {
            Self::ServiceAccount(caller) => caller.service_account.id.to_string(),
            Self::User(caller) => caller.user.id.to_string(),
        }
    }

    /// The key it signed with, if it signed.
    #[must_use]
    pub fn access_key_id(&self) -> Option<AccessKeyId> {
        match self {
            Self::ServiceAccount(caller) => caller.access_key,
            Self::User(_) => None,
        }
    }

    /// The service account, if it is one.
    #[must_use]
    pub fn service_account_id(&self) -> Option<ServiceAccountId> {
        match self {
            Self::ServiceAccount(caller) => Some(caller.service_account.id),
            Self::User(_) => None,
        }
    }

    /// What a write must find unchanged, if it is a person.
    #[must_use]
    pub fn session_guard(&self) -> Option<SessionGuard> {
        match self {
            Self::ServiceAccount(_) => None,
            Self::User(caller) => caller.session.map(|session| SessionGuard {
                session,
                user: caller.user.id,
                role: caller.user.role.clone(),
            }),
        }
    }
}
