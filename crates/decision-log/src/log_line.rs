//! What a line of the log says to those who read all of it.

use serde::Deserialize;

use super::record::DecisionRecord;
use charter_authz::json::{JsonError, Uid};
use charter_domain::timestamp::{self, Timestamp};

#[derive(Debug)]
pub enum LogLine {
    Decision(Box<DecisionRecord>),
    Counted(Box<CountedDecisions>),
    /// The first line of a file.
    File(FileStart),
    Gap(LogGap),
    /// A definition.
    Other,
}

/// Allowed decisions of one case that are only counted.
#[derive(Debug, Clone)]
pub struct CountedDecisions {
    /// Time of the last of them.
    pub until: Timestamp,
    pub count: u64,
    /// The domain of one's own that decided.
    pub domain: Option<String>,
    pub principal: Uid,
    pub action: Uid,
    pub resource: Uid,
    /// `@id`s of the determining policies.
    pub determining: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
pub struct FileStart {
    pub number: u64,
    pub at: Timestamp,
    /// Whether the service found lines missing when it began the file.
    pub has_loss_before: bool,
}

/// Decisions that were not recorded.
#[derive(Debug, Clone, Copy)]
pub struct LogGap {
    pub lost: u64,
    pub since: Timestamp,
    pub until: Timestamp,
}

#[derive(Deserialize)]
struct FileLine<'a> {
    file: u64,
    #[serde(borrow)]
    at: &'a str,
    #[serde(default)]
    missing_through: Option<u64>,
    #[serde(default)]
    head_lost: bool,
    #[serde(default)]
    first_line_lost: bool,
}

#[derive(Deserialize)]
struct GapLine<'a> {
    lost: u64,
    #[serde(borrow)]
    since: &'a str,
    #[serde(borrow)]
    until: &'a str,
}

impl FileStart {
    pub(super) fn parse(line: &[u8]) -> Result<Self, JsonError> {
        let line: FileLine<'_> = serde_json::from_slice(line)?;
        Ok(Self {
            number: line.file,
            at: timestamp::parse(line.at)?,
            has_loss_before: line.missing_through.is_some()
                || line.head_lost
                || line.first_line_lost,
        })
    }
}

impl LogGap {
    pub(super) fn parse(line: &[u8]) -> Result<Self, JsonError> {
        let line: GapLine<'_> = serde_json::from_slice(line)?;
        Ok(Self {
            lost: line.lost,
            since: timestamp::parse(line.since)?,
            until: timestamp::parse(line.until)?,
        })
    }
}
