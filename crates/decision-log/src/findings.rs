//! What checking a log can find, in words.

use std::fmt;

/// What was checked and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Files that were read.
    pub files: u64,
    /// Whole lines in them.
    pub lines: u64,
    /// Decisions among them.
    pub decisions: u64,
    /// Allowed ones of the same kinds, which are counted in the lines and not written one by one.
    pub counted: u64,
    /// What is wrong, in the order it was found; empty for an intact log.
    pub findings: Vec<Located>,
    /// What is to be known and is not wrong.
    pub notes: Vec<String>,
}

/// A finding and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The file's name.
    pub file: String,
    /// From 1; `None` where it is about the whole file.
    pub line: Option<usize>,
    /// What is wrong.
    pub finding: Finding,
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.finding),
            None => write!(f, "{}: {}", self.file, self.finding),
        }
    }
}

/// Something that an untouched log does not show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The code does not fit.
    #[error("line {0} of the chain was changed")]
    Altered(u64),
    /// It is no line of the log.
    #[error("this is no line of a decision log")]
    Malformed,
    /// Numbers are not there.
    #[error("lines {0} to {1} of the chain are missing before it")]
    Missing(u64, u64),
    /// It does not follow the line before it.
    #[error("line {0} of the chain does not belong here: it was moved, repeated or inserted")]
    OutOfPlace(u64),
    /// A first line elsewhere, another line first, or another file's first line.
    #[error("a first line that is not this file's, or none")]
    WrongFile,
    /// The file is empty.
    #[error("the file has no first line")]
    NoFirstLine,
    /// The end of a file is no whole line, and no later file tells of it.
    #[error("the file ends in the middle of a line ({0} bytes), which no later file tells of")]
    Torn(u64),
    /// The end of the file before is not the one that the service found when it started.
    #[error(
        "the file before ended with {0} bytes that are no line when the service started here; now they are {1}"
    )]
    OtherEnd(u64, u64),
    /// The format is of another version.
    #[error("the format's version {0} is not known")]
    UnknownVersion(u8),
    /// The key is not among those given.
    #[error(
        "the file is under the key `{0}`, which the settings do not have: its lines cannot be checked"
    )]
    UnknownKey(String),
    /// The first line names no key.
    #[error("the file does not say under which key it is: its lines cannot be checked")]
    NoKey,
    /// Files are not there.
    #[error("files {0} to {1} are missing")]
    MissingFiles(u64, u64),
    /// Two files have one number.
    #[error("another file has the same number")]
    SameNumber,
    /// Not the log's.
    #[error("the file is not the log's")]
    Foreign,
    /// The head is no head.
    #[error("this is no head: {0}")]
    BadHead(String),
    /// There is no head.
    #[error("there is no head; without it a cut end does not show")]
    NoHead,
    /// The head shows that the log was longer.
    #[error("the log is cut off behind line {0} of the chain; the head attests line {1}")]
    CutOff(u64, u64),
    /// Lines were missing when the service started.
    #[error("lines up to {0} were missing when the service started here")]
    MissingSinceRestart(u64),
    /// The head was gone or another one when the service started.
    #[error(
        "when the service started here, the head was missing, broken or not this log's: what was cut off before it does not show"
    )]
    HeadLost,
    /// The newest file's first line was another one when the service started.
    #[error(
        "when the service started here, the first line of the file before was not as it was written: which files were kept then is taken from an earlier one"
    )]
    FirstLineLost,
    /// The head attests another line.
    #[error("line {0} of the chain is not the one that the head attests")]
    OtherHead(u64),
}

/// What is to be known and is not wrong.
#[derive(Debug)]
pub(super) enum Note {
    Lost(u64),
    TornBefore(u64),
    Unfinished(u64),
    OldHead(u64),
}

impl Report {
    pub(super) fn add(&mut self, file: &str, line: Option<usize>, finding: Finding) {
        self.findings.push(Located {
            file: file.to_owned(),
            line,
            finding,
        });
    }

    pub(super) fn note(&mut self, file: &str, line: usize, note: Note) {
        let text = match note {
            Note::Lost(count) => format!("{count} decisions were not recorded: the queue was full"),
            Note::TornBefore(bytes) => format!(
                "the file before ends in the middle of a line ({bytes} bytes): the process died while it wrote"
            ),
            Note::Unfinished(bytes) => format!(
                "the last line is not whole ({bytes} bytes): it is being written, or the process died while it wrote"
            ),
            Note::OldHead(sequence) => {
                format!("the head attests line {sequence} of the chain, which is not kept any more")
            }
        };
        self.notes.push(format!("{file}:{line}: {text}"));
    }
}
