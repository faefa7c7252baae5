//! Parses lines of the log.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::chain::{self, Chain};
use super::log_file::LogFile;
use charter_authz::json::Uid;

/// Maximal length of a first line.
const LONGEST: u64 = 64 * 1024;

/// The members of every line, and those that the first line of a file adds.
#[derive(Debug, Deserialize)]
pub(super) struct LineHeader {
    /// In format version 1, and in a file's first line.
    pub(super) v: Option<u8>,
    pub(super) sequence: u64,
    #[serde(default)]
    pub(super) kind: LineKind,
    pub(super) at: Option<String>,
    pub(super) prev: String,
    pub(super) file: Option<u64>,
    pub(super) oldest: Option<u64>,
    pub(super) key: Option<String>,
    pub(super) unreadable_bytes: Option<u64>,
    pub(super) missing_through: Option<u64>,
    pub(super) head_lost: Option<bool>,
    pub(super) first_line_lost: Option<bool>,
    pub(super) lost: Option<u64>,
    /// In `rest` lines.
    pub(super) count: Option<u64>,
    /// In decisions.
    pub(super) rest: Option<u64>,
    /// In definitions.
    pub(super) number: Option<u32>,
    /// In decisions and `rest` lines.
    pub(super) case: Option<u32>,
    /// In cases of a domain of one's own.
    pub(super) domain: Option<String>,
}

/// The kind of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LineKind {
    File,
    /// Lines without a `kind`.
    #[default]
    Decision,
    Entity,
    Context,
    Case,
    Rest,
    Gap,
}

/// A recorded decision.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// `dec-…`
    pub id: String,
    /// Time of the decision.
    pub at: String,
    pub request_id: String,
    /// `evaluation` for the evaluation endpoint, `forward_auth` for a gateway; `None` for a request that acts on the
    /// decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// The domain of one's own that decided; `None` for the built-in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The principal's organization, `org-…`; decisions of other domains belong to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Digest of the policies that decided.
    pub policy_digest: String,
    pub principal: Uid,
    pub action: Uid,
    pub resource: Uid,
    /// The facts of the question; `None` if the schema did not allow the question.
    pub context: Option<Box<RawValue>>,
    /// The entities that were used, without the schema's actions.
    pub entities: Box<RawValue>,
    /// `allow` or `deny`.
    pub decision: String,
    /// `not_permitted` or `forbidden`, for a denial.
    pub reason: Option<String>,
    /// The error code of the forbid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The error message of the forbid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// `@id`s of the determining policies.
    pub determining: Vec<String>,
    /// Policies that failed to evaluate.
    pub errors: Vec<RecordedError>,
    /// The decision of the shadow policies, where it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Value>,
    /// Names of the masked parts.
    #[serde(default)]
    pub masked: Vec<String>,
    /// Number of preceding allowed decisions of the same kind that are only counted.
    #[serde(default)]
    pub rest: u64,
}

impl DecisionRecord {
    /// Whether an organization may be shown it: what another domain decides is none of its business.
    #[must_use]
    pub fn belongs_to(&self, organization: &str) -> bool {
        self.domain.is_none() && self.organization.as_deref() == Some(organization)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedError {
    /// The `@id`.
    pub policy: String,
    pub message: String,
}

/// The first line of a file; `None` unless one of the keys authenticates it for this very file.
pub(super) fn authentic_first_line(
    file: &LogFile,
    keys: &[Chain],
) -> io::Result<Option<LineHeader>> {
    let mut line = first_bytes(&file.path)?;
    line.pop_if(|last| *last == b'\n');
    let by = |(body, code): (&[u8], chain::Code)| keys.iter().any(|key| key.made(body, code));
    let is_its = |meta: &LineHeader| meta.kind == LineKind::File && meta.file == Some(file.number);
    Ok(chain::split(&line)
        .filter(|parts| by(*parts))
        .and_then(|_| serde_json::from_slice(&line).ok())
        .filter(is_its))
}

/// With its line feed.
pub(super) fn first_line_length(path: &Path) -> io::Result<u64> {
    Ok(first_bytes(path)?.len() as u64)
}

fn first_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(File::open(path)?.take(LONGEST)).read_until(b'\n', &mut line)?;
    Ok(line)
}
