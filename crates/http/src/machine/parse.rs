//! The values of request bodies, parsed into domain values.

use std::str::FromStr;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::extract::fields::{Broken, Nullable};
use crate::respond::{ApiError, Detail};
use charter_domain::ip_allowlist::IpAllowlist;
use charter_domain::metadata::{Metadata, MetadataError, MetadataPatch};
use charter_domain::text::{Description, Name, TextError};
use charter_domain::timestamp::{self, MalformedTimestamp, Timestamp};

/// The most roles or permissions of one service account: far beyond the catalogue, and bounded.
const MAX_GRANTS: usize = 200;
const MAX_OVERLAP_SECONDS: i64 = 604_800;

/// One broken value of a body.
pub(super) fn broken(pointer: &str, rule: impl std::fmt::Display) -> ApiError {
    ApiError::validation_failed(vec![Detail::new(pointer, rule)])
}

pub(super) fn name(text: String) -> Result<Name, TextError> {
    Name::parse(&text)
}

pub(super) fn description(text: String) -> Result<Description, TextError> {
    Description::parse(&text)
}

pub(super) fn boolean(value: bool) -> Result<bool, Broken> {
    Ok(value)
}

pub(super) fn metadata(object: Map<String, Value>) -> Result<Metadata, Broken> {
    Metadata::new(object).map_err(|error| Broken::at(error.pointer.clone(), error))
}

/// An object as it is; what it makes of the stored metadata is checked by [`merged`].
pub(super) fn object(object: Map<String, Value>) -> Result<Map<String, Value>, Broken> {
    Ok(object)
}

pub(super) fn metadata_patch(field: Nullable<Map<String, Value>>) -> Option<MetadataPatch> {
    match field {
        Nullable::Absent => None,
        Nullable::Null => Some(MetadataPatch::Clear),
        Nullable::Value(object) => Some(MetadataPatch::Merge(object)),
    }
}

/// Metadata after a patch.
pub(super) fn merged(metadata: &Metadata, patch: &MetadataPatch) -> Result<Metadata, ApiError> {
    metadata
        .merged(patch)
        .map_err(|error: MetadataError| broken(&format!("/metadata{}", error.pointer), error))
}

/// An id that is answered like a missing one if it is malformed.
pub(super) fn maybe_id<Id: FromStr>(text: String) -> Result<Option<Id>, Broken> {
    Ok(text.parse().ok())
}

pub(super) fn timestamp(text: String) -> Result<Timestamp, MalformedTimestamp> {
    timestamp::parse(&text).map(timestamp::to_stored_precision)
}

pub(super) fn grants(names: Vec<String>) -> Result<Vec<String>, Broken> {
    if names.len() > MAX_GRANTS {
        return Err(format!("must have at most {MAX_GRANTS} entries").into());
    }
    for (at, name) in names.iter().enumerate() {
        if names.iter().take(at).any(|other| other == name) {
            return Err(Broken::at(format!("/{at}"), "is there twice"));
        }
    }
    Ok(names)
}

pub(super) fn ip_allowlist(entries: Vec<String>) -> Result<IpAllowlist, Broken> {
    IpAllowlist::parse(&entries).map_err(|(at, error)| Broken::at(format!("/{at}"), error))
}

pub(super) fn overlap(seconds: i64) -> Result<Duration, Broken> {
    u64::try_from(seconds)
        .ok()
        .filter(|_| seconds <= MAX_OVERLAP_SECONDS)
        .map(Duration::from_secs)
        .ok_or_else(|| format!("must lie within 0 and {MAX_OVERLAP_SECONDS}").into())
}
