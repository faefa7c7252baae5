//! A file of the log, named `decisions-{number}-{milliseconds}.jsonl`: numbers have no gaps, and the Unix time in
//! milliseconds is when the file began.

use std::path::{Path, PathBuf};

use charter_domain::timestamp;

const PREFIX: &str = "decisions-";
const EXTENSION: &str = ".jsonl";
/// Longer than any line. The last line is searched in this many bytes at the end of a file.
pub(super) const MAX_LINE_BYTES: u64 = 4 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LogFile {
    /// From 1.
    pub(super) number: u64,
    /// Unix time in milliseconds.
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

    /// `None` if the name is not one of the log's.
    pub(super) fn named(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let inner = name.strip_prefix(PREFIX)?.strip_suffix(EXTENSION)?;
        let (number, begun) = inner.split_once('-')?;
        let file = Self::new(path.parent()?, number.parse().ok()?, begun.parse().ok()?);
        (file.path == path).then_some(file)
    }

    /// Whether the time in the name matches the first line's.
    pub(super) fn is_begun_at(&self, at: &str) -> bool {
        timestamp::parse(at).is_ok_and(|at| at.timestamp_millis() == self.begun)
    }

    pub(super) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}
