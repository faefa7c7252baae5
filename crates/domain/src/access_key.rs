//! An access key: a public text, and a secret that is stored encrypted.

use std::time::Duration;

use super::caller::ServiceAccountCaller;
use super::grants::Grants;
use super::id::{AccessKeyId, OrganizationId, ServiceAccountId};
use super::ip_allowlist::IpAllowlist;
use super::text::Description;
use super::timestamp::{self, Timestamp};

/// Limit of active keys for one service account; keys in overlap do not count.
pub const MAX_ACTIVE_KEYS: usize = 5;

/// An access key as it is stored, without its secret.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessKey {
    pub id: AccessKeyId,
    pub organization_id: OrganizationId,
    /// The service account that signs with it.
    pub service_account_id: ServiceAccountId,
    /// The public text, `sa_…`; opaque.
    pub access_key: String,
    pub description: Description,
    pub ip_allowlist: IpAllowlist,
    /// Requests are refused from then on.
    pub expires_at: Option<Timestamp>,
    /// Since then it is in overlap, until `expires_at`.
    pub rotated_at: Option<Timestamp>,
    /// Of a rotated key, `expires_at` before the rotation, [`timestamp::latest`] if it never expired. `None` for keys
    /// that were rotated when this was not yet recorded.
    pub expiry_before_rotation: Option<Timestamp>,
    /// Revocation is final.
    pub revoked_at: Option<Timestamp>,
    /// Time of the last accepted request that it signed, to the minute.
    pub last_used_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// The key and the grants that the request was authorized with. Each write compares them with the locked rows and
/// fails if they have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyGuard {
    /// Must not be revoked or expired.
    pub key: AccessKeyId,
    /// Must be active and not deleted, and so must its account.
    pub service_account: ServiceAccountId,
    /// Must be unchanged.
    pub roles: Grants,
    /// Must be unchanged.
    pub permissions: Grants,
    /// The nonce of the request, if the replay guard keeps the nonces of writes in the database.
    pub nonce: Option<SpentNonce>,
}

/// The nonce of a signed request, which a write inserts in its own transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpentNonce {
    /// Hash of the key and the nonce.
    pub fingerprint: [u8; 16],
    /// Random for each accepted request; all writes of one request share it.
    pub claim: [u8; 16],
    /// Unix time in seconds from which requests with that date are refused.
    pub over_at: i64,
}

impl KeyGuard {
    /// `None` if the caller has no key because an operator named it.
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
    /// Whether it may sign a request dated `now`.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && !self.is_expired(now)
    }

    /// The default expiry of its replacement: `now` plus the lifetime of this key (contract section 4, rotate),
    /// whatever an overlap has cut off it.
    #[must_use]
    pub fn successor_expiry(&self, now: Timestamp) -> Option<Timestamp> {
        let end = match self.expiry_before_rotation {
            Some(end) => Some(end).filter(|end| *end < timestamp::latest()),
            None => self.expires_at,
        };
        end.map(|end| (now + (end - self.created_at)).min(timestamp::latest()))
    }

    /// The key in overlap until `overlap_until` at the latest, from `now` on.
    #[must_use]
    pub fn rotated(&self, now: Timestamp, overlap_until: Timestamp) -> Self {
        let end = self.expires_at.unwrap_or_else(timestamp::latest);
        Self {
            expires_at: Some(end.min(overlap_until)),
            rotated_at: self.rotated_at.or(Some(now)),
            expiry_before_rotation: match self.rotated_at {
                Some(_) => self.expiry_before_rotation,
                None => Some(end),
            },
            ..self.clone()
        }
    }

    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }
}

/// How long a rotated key stays valid beside the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap(Duration);

/// The overlap is negative or too long; the text is for the client.
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

/// A secret encrypted for one row: AES-256-GCM under a key-encryption key from the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// The key-encryption key.
    pub sealing_key_id: String,
    /// Version, nonce and ciphertext, as `authn` writes them.
    pub bytes: Vec<u8>,
}
