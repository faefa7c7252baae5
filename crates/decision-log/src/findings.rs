//! Findings of the verification.

use std::collections::BTreeMap;
use std::fmt;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerificationReport {
    pub files: u64,
    pub lines: u64,
    pub decisions: u64,
    /// Those of them that domains of one's own took, by the domain's name.
    pub of_domains: BTreeMap<String, u64>,
    /// Number of allowed decisions that are only counted.
    pub counted: u64,
    /// In the order in which they were found; empty for an intact log.
    pub findings: Vec<LocatedFinding>,
    /// Remarks that are no findings.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocatedFinding {
    pub file: String,
    /// From 1; `None` if the finding is about the whole file.
    pub line: Option<usize>,
    pub finding: LogFinding,
}

impl fmt::Display for LocatedFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.finding),
            None => write!(f, "{}: {}", self.file, self.finding),
        }
    }
}

/// An anomaly that an intact log does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogFinding {
    /// The MAC is wrong.
    #[error("line {0} of the chain was changed")]
    Altered(u64),
    /// Not a line of a decision log.
    #[error("not a line of a decision log")]
    Malformed,
    #[error("lines {0} to {1} of the chain are missing before it")]
    Missing(u64, u64),
    /// The line does not follow the previous one.
    #[error("line {0} of the chain does not belong here: it was moved, repeated or inserted")]
    OutOfPlace(u64),
    /// A misplaced, missing or foreign first line.
    #[error("the first line is missing, misplaced or of another file")]
    WrongFile,
    #[error("the file has no first line")]
    NoFirstLine,
    /// The file ends within a line, and no later file records it.
    #[error("the file ends within a line ({0} bytes), and no later file records it")]
    Torn(u64),
    /// The end of the previous file is not the recorded one.
    #[error(
        "the previous file ended with {0} bytes of an incomplete line when the service started here; now there are {1}"
    )]
    OtherEnd(u64, u64),
    /// Unknown format version.
    #[error("the format's version {0} is not known")]
    UnknownVersion(u8),
    /// The key is not among those given.
    #[error(
        "the file was written with the key `{0}`, which the settings do not have: its lines cannot be verified"
    )]
    UnknownKey(String),
    /// The first line names no key.
    #[error("the file does not name its key: its lines cannot be verified")]
    NoKey,
    #[error("files {0} to {1} are missing")]
    MissingFiles(u64, u64),
    /// Two files have the same number.
    #[error("another file has the same number")]
    SameNumber,
    /// Not a file of the log.
    #[error("not a file of the log")]
    Foreign,
    #[error("invalid head: {0}")]
    BadHead(String),
    /// There is no head.
    #[error("the head is missing; without it truncation cannot be detected")]
    NoHead,
    /// The head attests more lines than there are.
    #[error("the log is truncated behind line {0} of the chain; the head attests line {1}")]
    CutOff(u64, u64),
    /// Lines were missing when the service started.
    #[error("lines up to {0} were missing when the service started here")]
    MissingSinceRestart(u64),
    /// The head was missing or foreign when the service started.
    #[error(
        "when the service started here, the head was missing, invalid or of another log: earlier truncation cannot be detected"
    )]
    HeadLost,
    /// The first line of the newest file was not authentic when the service started.
    #[error(
        "when the service started here, the first line of the previous file was not authentic: an earlier one says which files were kept"
    )]
    FirstLineLost,
    /// The head attests another line.
    #[error("line {0} of the chain is not the one that the head attests")]
    OtherHead(u64),
}

/// Remarks that are no findings.
#[derive(Debug)]
pub(super) enum VerificationNote {
    Lost(u64),
    TornBefore(u64),
    Unfinished(u64),
    OldHead(u64),
}

impl VerificationReport {
    pub(super) fn add(&mut self, file: &str, line: Option<usize>, finding: LogFinding) {
        self.findings.push(LocatedFinding {
            file: file.to_owned(),
            line,
            finding,
        });
    }

    pub(super) fn note(&mut self, file: &str, line: usize, note: VerificationNote) {
        let text = match note {
            VerificationNote::Lost(count) => {
                format!(
                    "{count} decisions were not recorded: the queue was full, or could not be written before a stop"
                )
            }
            VerificationNote::TornBefore(bytes) => format!(
                "the previous file ends within a line ({bytes} bytes): the process died while writing"
            ),
            VerificationNote::Unfinished(bytes) => format!(
                "the last line is incomplete ({bytes} bytes): it is being written, or the process died while writing"
            ),
            VerificationNote::OldHead(sequence) => {
                format!("the head attests line {sequence} of the chain, which has expired")
            }
        };
        self.notes.push(format!("{file}:{line}: {text}"));
    }
}
