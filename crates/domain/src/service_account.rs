//! Service accounts: identities of programs.

use super::grants::Grants;
use super::id::{AccountId, OrganizationId, ServiceAccountId};
use super::metadata::Metadata;
use super::text::{Description, Name};
use super::timestamp::Timestamp;

/// Names of roles or permissions granted to a service account, without duplicates. Whether the schema declares
/// them is not checked here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GrantNames(Vec<String>);

/// Why a list of names was refused; the text is for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrantNamesError {
    #[error("must have at most {} entries", GrantNames::MAX)]
    TooMany,
    /// The index of the duplicate.
    #[error("is repeated")]
    Twice(usize),
}

impl GrantNames {
    /// More than the catalogue has.
    pub const MAX: usize = 200;

    pub fn new(names: Vec<String>) -> Result<Self, GrantNamesError> {
        if names.len() > Self::MAX {
            return Err(GrantNamesError::TooMany);
        }
        for (at, name) in names.iter().enumerate() {
            if names.iter().take(at).any(|other| other == name) {
                return Err(GrantNamesError::Twice(at));
            }
        }
        Ok(Self(names))
    }

    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    pub fn into_vec(self) -> Vec<String> {
        self.0
    }
}

/// A service account as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceAccount {
    pub id: ServiceAccountId,
    pub organization_id: OrganizationId,
    /// Never changes.
    pub account_id: AccountId,
    pub name: Name,
    pub description: Description,
    /// If false, its requests are refused.
    pub is_active: bool,
    /// Names of roles, without duplicates, in the order given.
    pub roles: Grants,
    /// Names of permissions, without duplicates, in the order given. A name that the schema no longer declares has
    /// no effect.
    pub permissions: Grants,
    pub metadata: Metadata,
    /// After deletion its keys are revoked and lists omit it.
    pub deleted_at: Option<Timestamp>,
    /// Time of the last accepted request that one of its keys signed, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// Incremented by each change; the `etag`.
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}
