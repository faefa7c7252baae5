//! Access keys in responses.

use salvo::oapi::ToSchema;
use serde::Serialize;

use crate::extract::values::IdSchema;
use charter_authn::signed::last_used::LastUsed;
use charter_domain::access_key::AccessKey;
use charter_domain::id::{AccessKeyId, ServiceAccountId};
use charter_domain::timestamp::{self, Timestamp};

/// An access key without its secret.
#[derive(Serialize, ToSchema)]
#[salvo(schema(name = "AccessKey"))]
pub(crate) struct AccessKeyBody {
    /// `key-…`
    #[salvo(schema(value_type = IdSchema<AccessKeyId>))]
    id: String,
    /// The text that goes into the `Authorization` header; opaque.
    #[salvo(schema(example = "sa_a1b2c3_d4e5f6_0123456789abcdefghij"))]
    access_key: String,
    /// Its purpose.
    #[salvo(schema(example = "Reads the organization every night"))]
    description: String,
    /// The service account that signs with it.
    #[salvo(schema(value_type = IdSchema<ServiceAccountId>))]
    service_account_id: String,
    /// When it expires; null if never.
    #[salvo(schema(
        format = "date-time",
        required = true,
        example = "2026-09-30T12:00:00Z"
    ))]
    expires_at: Option<String>,
    /// The addresses from which it may be used; empty means all.
    #[salvo(schema(example = json!(["192.0.2.0/24"])))]
    ip_allowlist: Vec<String>,
    /// False once it is revoked or expired.
    is_active: bool,
    /// When it was created.
    #[salvo(schema(format = "date-time", example = "2025-09-30T12:00:00Z"))]
    created_at: String,
    /// When it last signed an accepted request, to the minute; null if never.
    #[salvo(schema(
        format = "date-time",
        required = true,
        example = "2025-09-30T12:00:00Z"
    ))]
    last_used_at: Option<String>,
    /// When it was revoked; null if it was not.
    #[salvo(schema(format = "date-time", required = true, example = json!(null)))]
    revoked_at: Option<String>,
}

impl AccessKeyBody {
    pub(super) fn new(key: &AccessKey, now: Timestamp, last_used: &LastUsed) -> Self {
        Self {
            id: key.id.to_string(),
            access_key: key.access_key.clone(),
            description: key.description.as_str().to_owned(),
            service_account_id: key.service_account_id.to_string(),
            expires_at: key.expires_at.map(timestamp::format),
            ip_allowlist: key.ip_allowlist.to_texts(),
            is_active: key.is_active(now),
            created_at: timestamp::format(key.created_at),
            last_used_at: last_used
                .of_key(key.id, key.last_used_at)
                .map(timestamp::format),
            revoked_at: key.revoked_at.map(timestamp::format),
        }
    }
}

/// A new access key with its secret.
#[derive(Serialize, ToSchema)]
#[salvo(schema(name = "NewAccessKey"))]
pub(crate) struct NewAccessKeyBody {
    /// The key.
    #[serde(flatten)]
    pub(super) key: AccessKeyBody,
    /// Shown only here; store it safely.
    #[salvo(schema(
        pattern = "^charter_sk_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}$",
        example = "charter_sk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA059GZ6"
    ))]
    pub(super) secret_key: String,
}
