//! What policy is asked: who, what, about which thing, and the facts around it.

use std::net::IpAddr;

use super::principal::Principal;
use charter_domain::access_key::AccessKey;
use charter_domain::account::Account;
use charter_domain::organization::Organization;
use charter_domain::permission::Permission;
use charter_domain::service_account::ServiceAccount;
use charter_domain::timestamp::Timestamp;
use charter_domain::user::User;

/// One question; see the contract's tables for which resource goes with which permission.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// For what.
    pub permission: Permission,
    /// About what.
    pub resource: Resource<'a>,
    /// Where the request came from; an IPv4-mapped address counts as IPv4.
    pub source_ip: IpAddr,
    /// The server's clock; policies see whole seconds.
    pub now: Timestamp,
}

/// A thing that can be asked about, with the records that policies may look at.
#[derive(Debug, Clone, Copy)]
pub enum Resource<'a> {
    /// A tenant.
    Organization(&'a Organization),
    /// An account.
    Account {
        /// The account.
        account: &'a Account,
        /// Its tenant.
        organization: &'a Organization,
    },
    /// A service account.
    ServiceAccount {
        /// The service account.
        service_account: &'a ServiceAccount,
        /// The account it belongs to.
        account: &'a Account,
        /// Its tenant.
        organization: &'a Organization,
    },
    /// An access key.
    AccessKey {
        /// The key.
        access_key: &'a AccessKey,
        /// Who signs with it.
        service_account: &'a ServiceAccount,
        /// The account of that service account.
        account: &'a Account,
        /// Its tenant.
        organization: &'a Organization,
    },
    /// A person.
    User {
        /// The person.
        user: &'a User,
        /// Its tenant.
        organization: &'a Organization,
    },
    /// A role that is to be given, by name.
    Role(&'a str),
    /// A permission that is to be given, by name.
    Permission(&'a str),
}

/// The types of [`Principal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalKind {
    ServiceAccount,
    User,
}

impl PrincipalKind {
    pub(super) const ALL: [Self; 2] = [Self::ServiceAccount, Self::User];

    pub const fn type_name(self) -> &'static str {
        match self {
            Self::ServiceAccount => "ServiceAccount",
            Self::User => "User",
        }
    }

    pub(super) fn of_type(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_name() == name)
    }
}

/// The types of [`Resource`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    Organization,
    Account,
    ServiceAccount,
    AccessKey,
    User,
    Role,
    Permission,
}

impl ResourceKind {
    const ALL: [Self; 7] = [
        Self::Organization,
        Self::Account,
        Self::ServiceAccount,
        Self::AccessKey,
        Self::User,
        Self::Role,
        Self::Permission,
    ];

    pub const fn type_name(self) -> &'static str {
        match self {
            Self::Organization => "Organization",
            Self::Account => "Account",
            Self::ServiceAccount => "ServiceAccount",
            Self::AccessKey => "AccessKey",
            Self::User => "User",
            Self::Role => "Role",
            Self::Permission => "Permission",
        }
    }

    pub(super) fn of_type(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_name() == name)
    }
}

impl Resource<'_> {
    pub const fn kind(&self) -> ResourceKind {
        match self {
            Self::Organization(_) => ResourceKind::Organization,
            Self::Account { .. } => ResourceKind::Account,
            Self::ServiceAccount { .. } => ResourceKind::ServiceAccount,
            Self::AccessKey { .. } => ResourceKind::AccessKey,
            Self::User { .. } => ResourceKind::User,
            Self::Role(_) => ResourceKind::Role,
            Self::Permission(_) => ResourceKind::Permission,
        }
    }
}
