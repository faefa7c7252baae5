//! An access key: a public text and a secret, which is sealed at rest.

use std::time::Duration;

use super::caller::ServiceAccountCaller;
use super::grants::Grants;
use super::id::{AccessKeyId, OrganizationId, ServiceAccountId};
use super::ip_allowlist::IpAllowlist;
use super::text::Description;
use super::timestamp::{self, Timestamp};

/// The most keys of one service account that may be active at once, those in overlap not counted.
pub const MAX_ACTIVE_KEYS: usize = 5;

/// An access key as it is stored, without its secret.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessKey {
    /// Its id.
    pub id: AccessKeyId,
    /// The tenant it belongs to.
    pub organization_id: OrganizationId,
    /// Who signs with it.
    pub service_account_id: ServiceAccountId,
    /// The public text, `sa_…`; opaque.
    pub access_key: String,
    /// What it is for.
    pub description: Description,
    /// Where it may be used from.
    pub ip_allowlist: IpAllowlist,
    /// From then on it is refused.
    pub expires_at: Option<Timestamp>,
    /// When it was rotated: from then on it is in overlap, living until `expires_at`.
    pub rotated_at: Option<Timestamp>,
    /// When it was revoked, for good.
    pub revoked_at: Option<Timestamp>,
    /// When it last signed an accepted request; exact to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A service account that signed a request, as policy saw it. A write that rests on it finds it unchanged,
/// or does not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyGuard {
    /// The key, neither revoked nor expired.
    pub key: AccessKeyId,
    /// The service account, active and not deleted, as its account is.
    pub service_account: ServiceAccountId,
    /// Its roles, the same.
    pub roles: Grants,
    /// Its permissions, the same.
    pub permissions: Grants,
    /// The nonce of the request, where writes remember theirs.
    pub nonce: Option<SpentNonce>,
}

/// The nonce of a signed request, as a write remembers it in its own transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpentNonce {
    /// Stands for the key and its nonce.
    pub fingerprint: [u8; 16],
    /// Another one for each time that a request was accepted: the writes of one request share it.
    pub claim: [u8; 16],
    /// The second, since 1970, from which no request with that date is accepted.
    pub over_at: i64,
}

impl KeyGuard {
    /// `None` for a service account without a key, which an operator asks about.
    pub fn of(caller: &ServiceAccountCaller) -> Option<Self> {
        let service_account = caller.service_account();
        caller.access_key().map(|key| Self {
            key,
            service_account: service_account.id,
            roles: service_account.roles.clone(),
            permissions: service_account.permissions.clone(),
            nonce: None,
        })
    }
}

impl AccessKey {
    /// Whether a request dated `now` may be signed with it.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && !self.is_expired(now)
    }

    /// When the key that replaces it expires, unless the client says otherwise: after the old
    /// key's length of life again (contract section 4, rotate).
    #[must_use]
    pub fn successor_expiry(&self, now: Timestamp) -> Option<Timestamp> {
        self.expires_at.map(|expires_at| {
            let again = now + (expires_at - self.created_at);
            again.min(timestamp::latest())
        })
    }

    /// Whether its time is over.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }
}

/// How long a key that is rotated lives on beside the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap(Duration);

/// The overlap is negative or too long; the sentence is for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must lie within 0 and {}", Overlap::MAX_SECONDS)]
pub struct BadOverlap;

impl Overlap {
    /// A week.
    pub const MAX_SECONDS: u64 = 604_800;
    /// A day.
    pub const DEFAULT_SECONDS: u64 = 86_400;

    pub fn from_seconds(seconds: i64) -> Result<Self, BadOverlap> {
        u64::try_from(seconds)
            .ok()
            .filter(|seconds| *seconds <= Self::MAX_SECONDS)
            .map(|seconds| Self(Duration::from_secs(seconds)))
            .ok_or(BadOverlap)
    }

    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl Default for Overlap {
    fn default() -> Self {
        Self(Duration::from_secs(Self::DEFAULT_SECONDS))
    }
}

/// A secret sealed for one row: AES-256-GCM under a key-encryption key from the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// Which key-encryption key opens it.
    pub sealing_key_id: String,
    /// Version, nonce and ciphertext, as `authn` writes them.
    pub bytes: Vec<u8>,
}
