//! The decision log: writing, verification and reading.

mod advised;
mod advised_accounts;
mod advised_coverage;
mod advised_paths;
mod chain;
mod domain_questions;
mod domain_tools;
mod domains;
mod endpoint;
mod erased;
mod forged;
mod format;
mod kills;
mod lines;
mod listed;
mod listed_log;
mod masked;
mod moved;
mod new_domain;
mod overflow;
mod replay;
mod retention;
mod sampled;
mod shadow;
mod stand_alone;

use std::path::{Path, PathBuf};
use std::time::Duration;

use charter_decision_log::{DefinitionReader, LogLine};
use serde_json::Value;
use test_support::service::Service;

/// Longer than any write takes: reaching it is a failure.
const WAIT_TIMEOUT: Duration = Duration::from_mins(1);

/// The files of a log, oldest first.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("the log's directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|it| it == "jsonl"))
        .collect();
    files.sort();
    files
}

/// The lines of a log.
fn lines(dir: &Path) -> Vec<Value> {
    let read = |path: PathBuf| std::fs::read_to_string(path).expect("a file of the log");
    let texts: Vec<String> = files(dir).into_iter().map(read).collect();
    texts
        .iter()
        .flat_map(|text| text.lines())
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// The decisions among them, whole.
fn decisions(dir: &Path) -> Vec<Value> {
    files(dir).iter().flat_map(|file| records(file)).collect()
}

/// The decisions of a file, whole.
fn records(file: &Path) -> Vec<Value> {
    let bytes = std::fs::read(file).expect("a file of the log");
    let mut definitions = DefinitionReader::default();
    let mut records = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        definitions.define(line).expect("a line");
        if let LogLine::Decision(record) = definitions.read(line).expect("a line") {
            records.push(serde_json::to_value(record).expect("JSON"));
        }
    }
    records
}

/// Puts a log's directory out of reach: a plain file stands in its place.
struct OutOfReach<'a> {
    dir: PathBuf,
    away: &'a Path,
}

impl<'a> OutOfReach<'a> {
    fn put(dir: PathBuf, away: &'a Path) -> Self {
        std::fs::rename(&dir, away).expect("moved away");
        std::fs::write(&dir, "").expect("a file");
        Self { dir, away }
    }

    fn back(self) {
        std::fs::remove_file(&self.dir).expect("removed");
        std::fs::rename(self.away, &self.dir).expect("moved back");
    }
}

/// The decision log of a running service.
pub(crate) trait Logged {
    /// Where it is.
    fn log_dir(&self) -> PathBuf;

    /// The decisions taken so far.
    fn logged(&self) -> Vec<Value>;

    /// The recorded decision of that id.
    #[track_caller]
    fn logged_as(&self, id: &str) -> Value {
        let found = self.logged().into_iter().find(|line| line["id"] == id);
        found.unwrap_or_else(|| panic!("`{id}` is not in the log"))
    }
}

impl Logged for Service {
    fn log_dir(&self) -> PathBuf {
        self.directory().join("decisions")
    }

    fn logged(&self) -> Vec<Value> {
        assert!(self.state().decisions.flush(WAIT_TIMEOUT), "not written");
        decisions(&self.log_dir())
    }
}
