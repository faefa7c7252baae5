//! What requests about keys say.

use std::time::Duration;

use salvo::oapi::{Components, Operation as OpenApiOperation, ToSchema};

use crate::extract::fields::{Fields, Nullable};
use crate::extract::input::{Input, RequestInput};
use crate::extract::json_body::BodyInput;
use crate::extract::path::{PathId, describe_path};
use crate::machine::parse;
use crate::respond::ApiError;
use charter_domain::id::{AccessKeyId, ServiceAccountId};
use charter_domain::ip_allowlist::IpAllowlist;
use charter_domain::text::Description;
use charter_domain::timestamp::Timestamp;

const DEFAULT_OVERLAP: Duration = Duration::from_hours(24);

/// `{id}` and `{key_id}` of the path.
#[derive(Debug, Clone, Copy)]
pub struct KeyPath {
    service_account: Option<ServiceAccountId>,
    key: Option<AccessKeyId>,
}

impl KeyPath {
    pub(super) const fn ids(&self) -> (Option<ServiceAccountId>, Option<AccessKeyId>) {
        (self.service_account, self.key)
    }
}

impl Input for KeyPath {
    fn read(request: &mut RequestInput<'_>) -> Result<Self, ApiError> {
        let PathId(service_account) = PathId::read(request)?;
        Ok(Self {
            service_account,
            key: request.path_id("key_id"),
        })
    }

    fn describe(components: &mut Components, operation: &mut OpenApiOperation) {
        PathId::<ServiceAccountId>::describe(components, operation);
        describe_path::<AccessKeyId>(components, operation, "key_id");
    }
}

/// What a POST says.
#[derive(Debug, Clone)]
pub struct KeyInput {
    pub(super) description: Description,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) ip_allowlist: IpAllowlist,
}

impl BodyInput for KeyInput {
    type Schema = NewKeyBody;
    const MAY_BE_ABSENT: bool = true;

    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            description: fields
                .optional("description", parse::description)
                .unwrap_or_default(),
            expires_at: match fields.nullable("expires_at", parse::timestamp) {
                Nullable::Absent | Nullable::Null => None,
                Nullable::Value(at) => Some(at),
            },
            ip_allowlist: fields
                .optional("ip_allowlist", parse::ip_allowlist)
                .unwrap_or_default(),
        })
    }
}

/// What a rotation says.
#[derive(Debug, Clone)]
pub struct RotationInput {
    pub(super) overlap: Duration,
    /// `None`: the old key's length of life again; `Some(None)`: never.
    pub(super) expires_at: Option<Option<Timestamp>>,
}

impl BodyInput for RotationInput {
    type Schema = RotationBody;
    const MAY_BE_ABSENT: bool = true;

    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            overlap: fields
                .optional("overlap_seconds", parse::overlap)
                .unwrap_or(DEFAULT_OVERLAP),
            expires_at: match fields.nullable("expires_at", parse::timestamp) {
                Nullable::Absent => None,
                Nullable::Null => Some(None),
                Nullable::Value(at) => Some(Some(at)),
            },
        })
    }
}

/// The members of a POST; each may be left out.
#[derive(ToSchema)]
#[salvo(schema(name = "NewKey"))]
#[expect(dead_code, reason = "describes a request body, which `Fields` reads")]
pub struct NewKeyBody {
    /// At most 1,000 characters.
    #[salvo(schema(
        nullable = false,
        max_length = 1000,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]*$",
        example = "Reads the organization every night"
    ))]
    description: Option<String>,
    /// In the future; null or absent: never.
    #[salvo(schema(
        format = "date-time",
        pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?Z$",
        nullable = true,
        example = "2030-01-01T00:00:00Z"
    ))]
    expires_at: Option<String>,
    /// Networks in CIDR form or bare addresses, at most 50; empty or absent: anywhere.
    #[salvo(schema(nullable = false, max_items = 50, example = json!(["127.0.0.0/8", "::1"])))]
    ip_allowlist: Option<Vec<String>>,
}

/// The members of a rotation; each may be left out.
#[derive(ToSchema)]
#[salvo(schema(name = "Rotation"))]
#[expect(dead_code, reason = "describes a request body, which `Fields` reads")]
pub struct RotationBody {
    /// How long the old key lives on, 0 to 604,800 seconds; a day if left out.
    #[salvo(schema(nullable = false, minimum = 0, maximum = 604_800, default = json!(86_400), example = 3600))]
    overlap_seconds: Option<i64>,
    /// When the new key expires; the old key's length of life again if left out.
    #[salvo(schema(
        format = "date-time",
        pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?Z$",
        nullable = true,
        example = "2030-01-01T00:00:00Z"
    ))]
    expires_at: Option<String>,
}
