//! A machine identity in one account.

use super::grants::Grants;
use super::id::{AccountId, OrganizationId, ServiceAccountId};
use super::metadata::Metadata;
use super::text::{Description, Name};
use super::timestamp::Timestamp;

/// Names of roles or of permissions that a service account is given, none twice. Whether the schema
/// has them is not checked here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GrantNames(Vec<String>);

/// Which rule a list of names breaks; the sentence is for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrantNamesError {
    #[error("must have at most {} entries", GrantNames::MAX)]
    TooMany,
    /// The name at this index.
    #[error("is there twice")]
    Twice(usize),
}

impl GrantNames {
    /// Far beyond the catalogue, and bounded.
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
    /// Its id.
    pub id: ServiceAccountId,
    /// The tenant it belongs to.
    pub organization_id: OrganizationId,
    /// The account it belongs to; never changes.
    pub account_id: AccountId,
    /// Its name.
    pub name: Name,
    /// What it is for.
    pub description: Description,
    /// False refuses its requests.
    pub is_active: bool,
    /// Role names, none twice, in the order given.
    pub roles: Grants,
    /// Permission names, none twice, in the order given. Text, because a stored name that the
    /// schema no longer has must still load: it then counts for nothing.
    pub permissions: Grants,
    /// The tenant's own notes.
    pub metadata: Metadata,
    /// When it was deleted; its keys are revoked and lists leave it out.
    pub deleted_at: Option<Timestamp>,
    /// When one of its keys last signed an accepted request; exact to the minute.
    pub last_used_at: Option<Timestamp>,
    /// Grows by one with every change; the `etag`.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}
