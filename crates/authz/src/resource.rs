//! What a question is about, with the records that policies may read.

use super::kinds::ResourceKind;
use charter_domain::access_key::AccessKey;
use charter_domain::account::Account;
use charter_domain::organization::Organization;
use charter_domain::service_account::ServiceAccount;
use charter_domain::user::User;

#[derive(Debug, Clone, Copy)]
pub enum Resource<'a> {
    Organization(&'a Organization),
    Account {
        account: &'a Account,
        organization: &'a Organization,
    },
    ServiceAccount {
        service_account: &'a ServiceAccount,
        account: &'a Account,
        organization: &'a Organization,
    },
    AccessKey {
        access_key: &'a AccessKey,
        /// The holder of the key.
        service_account: &'a ServiceAccount,
        account: &'a Account,
        organization: &'a Organization,
    },
    User {
        user: &'a User,
        organization: &'a Organization,
    },
    /// A role to assign, by name.
    Role(&'a str),
    /// A permission to grant, by name.
    Permission(&'a str),
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

    /// Its id in policies.
    pub fn id(&self) -> String {
        match self {
            Self::Organization(organization) => organization.id.to_string(),
            Self::Account { account, .. } => account.id.to_string(),
            Self::ServiceAccount {
                service_account, ..
            } => service_account.id.to_string(),
            Self::AccessKey { access_key, .. } => access_key.id.to_string(),
            Self::User { user, .. } => user.id.to_string(),
            Self::Role(name) | Self::Permission(name) => (*name).to_owned(),
        }
    }
}
