//! Reads lines of the log.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::chain::{self, Chain};
use super::log_file::LogFile;
use charter_authz::json::Uid;

/// No first line is longer.
const LONGEST: u64 = 64 * 1024;

/// What every line says, and what the first of a file adds; the rest is not looked at.
#[derive(Debug, Deserialize)]
pub(super) struct Meta {
    /// Of a line of version 1, and of a file's first line.
    pub(super) v: Option<u8>,
    pub(super) sequence: u64,
    #[serde(default)]
    pub(super) kind: Kind,
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
    /// Of a `rest`.
    pub(super) count: Option<u64>,
    /// Of a decision.
    pub(super) rest: Option<u64>,
}

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    File,
    /// What says nothing else.
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
pub struct Record {
    /// `dec-…`
    pub id: String,
    /// When it was asked for.
    pub at: String,
    /// The request's id.
    pub request_id: String,
    /// `evaluation` where it was only asked about; `None` where somebody was about to act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// The principal's organization, `org-…`.
    pub organization: String,
    /// The digest of the policies that decided.
    pub policy_digest: String,
    /// Who asked.
    pub principal: Uid,
    /// For what.
    pub action: Uid,
    /// About what.
    pub resource: Uid,
    /// The facts around it; `None` where the question could not be put.
    pub context: Option<Box<RawValue>>,
    /// The entities that were used, without those that the schema brings.
    pub entities: Box<RawValue>,
    /// `allow` or `deny`.
    pub decision: String,
    /// `not_permitted` or `forbidden`, of a denial.
    pub reason: Option<String>,
    /// The error's code that the forbid that refuses gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The error's sentence that the forbid that refuses gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The `@id`s of the policies that decided.
    pub determining: Vec<String>,
    /// Policies that could not be evaluated.
    pub errors: Vec<RecordedError>,
    /// What the shadow policies answered, where they answered otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Value>,
    /// What is masked.
    #[serde(default)]
    pub masked: Vec<String>,
    /// How many of its kind before it were allowed and are not written one by one.
    #[serde(default)]
    pub rest: u64,
}

/// A policy that could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedError {
    /// Its `@id`.
    pub policy: String,
    /// What went wrong.
    pub message: String,
}

/// The first line of a file; `None` if none of the keys made it, as the first of this very file.
pub(super) fn authentic_first_line(file: &LogFile, keys: &[Chain]) -> io::Result<Option<Meta>> {
    let mut line = first_bytes(&file.path)?;
    line.pop_if(|last| *last == b'\n');
    let by = |(body, code): (&[u8], chain::Code)| keys.iter().any(|key| key.made(body, code));
    let is_its = |meta: &Meta| meta.kind == Kind::File && meta.file == Some(file.number);
    Ok(chain::split(&line)
        .filter(|parts| by(*parts))
        .and_then(|_| serde_json::from_slice(&line).ok())
        .filter(is_its))
}

fn first_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(File::open(path)?.take(LONGEST)).read_until(b'\n', &mut line)?;
    Ok(line)
}
