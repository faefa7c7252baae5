//! A file of the log, by its name.
//!
//! `decisions-{number}-{milliseconds}.jsonl`: numbers grow without a gap, the milliseconds of Unix
//! time say when the file was begun.

use std::path::{Path, PathBuf};

use charter_domain::timestamp;

const PREFIX: &str = "decisions-";
const EXTENSION: &str = ".jsonl";
/// More than any line has: so much of a file's end is looked at for its last one.
pub(super) const MAX_LINE_BYTES: u64 = 4 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LogFile {
    /// From 1.
    pub(super) number: u64,
    /// When it was begun, in milliseconds of Unix time.
    pub(super) begun: i64,
    pub(super) path: PathBuf,
}

impl LogFile {
    pub(super) fn new(dir: &Path, number: u64, begun: i64) -> Self {
        let name = format!("{PREFIX}{number:010}-{begun:013}{EXTENSION}");
        Self {
            number,
            begun,
            path: dir.join(name),
        }
    }

    /// The file of that path, if its name is one of the log's.
    pub(super) fn named(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let inner = name.strip_prefix(PREFIX)?.strip_suffix(EXTENSION)?;
        let (number, begun) = inner.split_once('-')?;
        let file = Self::new(path.parent()?, number.parse().ok()?, begun.parse().ok()?);
        (file.path == path).then_some(file)
    }

    /// Whether its name has the time that its first line has, in that line's form.
    pub(super) fn is_begun_at(&self, at: &str) -> bool {
        timestamp::parse(at).is_ok_and(|at| at.timestamp_millis() == self.begun)
    }

    /// Its name without the directory's.
    pub(super) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}
