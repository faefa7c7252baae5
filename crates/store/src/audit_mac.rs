//! The MACs of the audit chains: each covers an event and the previous MAC.

use hmac::Mac as _;
use secrecy::{ExposeSecret, SecretSlice};
use serde::Serialize;

use super::Error;
use super::entity::audit_event;
use charter_domain::id::OrganizationId;
use charter_domain::keyed_hash::keyed_hash;

pub(super) type Mac = [u8; 32];

/// The previous MAC of a chain's first event.
pub(super) const ORIGIN: Mac = [0; 32];

/// The end of a chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    /// Number of the last event; 0 if there is none.
    pub(super) sequence: i64,
    pub(super) mac: Mac,
}

impl Link {
    pub(super) const ORIGIN: Self = Self {
        sequence: 0,
        mac: ORIGIN,
    };

    pub(super) fn new(sequence: i64, mac: &[u8]) -> Result<Self, Error> {
        let mac = to_mac(mac)?;
        Ok(Self { sequence, mac })
    }
}

#[derive(Debug)]
pub struct AuditKey {
    /// Recorded in each event.
    pub id: String,
    /// At least 32 bytes.
    pub secret: SecretSlice<u8>,
}

pub(super) fn to_mac(bytes: &[u8]) -> Result<Mac, Error> {
    bytes
        .try_into()
        .map_err(|_| Error::corrupt("audit_events.mac", "not 32 bytes"))
}

/// HMAC-SHA256 over the previous MAC and the event as JSON with its fields in this order.
pub(super) fn compute(
    key: &AuditKey,
    previous: &Mac,
    event: &audit_event::Model,
) -> Result<Mac, Error> {
    #[derive(Serialize)]
    struct Canonical<'a> {
        organization: String,
        sequence: i64,
        at_microseconds: i64,
        actor: &'a str,
        action: &'a str,
        resource: &'a str,
        request_id: Option<&'a str>,
        policy_digest: Option<&'a str>,
        changes: &'a str,
        key_id: &'a str,
    }
    let canonical = Canonical {
        organization: OrganizationId::from_uuid(event.organization_id).to_string(),
        sequence: event.sequence,
        at_microseconds: event.occurred_at.timestamp_micros(),
        actor: &event.actor,
        action: &event.action,
        resource: &event.resource,
        request_id: event.request_id.as_deref(),
        policy_digest: event.policy_digest.as_deref(),
        changes: &event.changes,
        key_id: &event.key_id,
    };
    let canonical =
        serde_json::to_vec(&canonical).map_err(|error| Error::Unexpected(error.into()))?;
    let mac = keyed_hash(key.secret.expose_secret())
        .chain_update(previous)
        .chain_update(&canonical);
    Ok(mac.finalize().into_bytes().into())
}
