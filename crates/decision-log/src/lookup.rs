//! Finds recorded decisions, wherever they are stored.

use std::io;
use std::path::PathBuf;

use super::find::FileIndexes;
use super::list::{DecisionPage, DecisionQuery};
use super::page::LogPosition;
use super::record::DecisionRecord;
use super::record_list::{RecordFilter, RecordList, RecordPosition};
use super::recorder::Recorder;
use charter_domain::id::DecisionId;

pub trait DecisionLookup: Send + Sync {
    /// `None` if the decision does not exist or has expired. Blocks.
    fn find(&self, id: DecisionId) -> io::Result<Option<DecisionRecord>>;

    /// A page of an organization's decisions; it reads a bounded part of the log. Blocks.
    fn list(&self, query: &DecisionQuery) -> io::Result<DecisionPage>;

    /// Decisions of all organizations and domains, newest first, for operators; it reads a bounded part. Blocks.
    fn records(
        &self,
        filter: &RecordFilter,
        before: Option<RecordPosition>,
        limit: usize,
    ) -> io::Result<RecordList>;

    /// Names the list that the positions of such a query's pages belong to: with another one they mean nothing.
    fn list_id(&self, query: &DecisionQuery) -> String;
}

/// This process's log, including the latest decisions.
impl DecisionLookup for Recorder {
    fn find(&self, id: DecisionId) -> io::Result<Option<DecisionRecord>> {
        self.find_logged(id)
    }

    fn list(&self, query: &DecisionQuery) -> io::Result<DecisionPage> {
        self.list_logged(query)
    }

    fn records(
        &self,
        filter: &RecordFilter,
        before: Option<RecordPosition>,
        limit: usize,
    ) -> io::Result<RecordList> {
        let page = self.logged_records(filter, before.map(in_log), limit);
        page.map(RecordList::of)
    }

    fn list_id(&self, _: &DecisionQuery) -> String {
        self.log_id()
    }
}

const fn in_log([file, offset, ..]: RecordPosition) -> LogPosition {
    LogPosition { file, offset }
}

/// A log directory that another process may be writing. Files without an index are read once.
pub struct LogDirectory {
    dir: PathBuf,
    indexes: FileIndexes,
}

impl LogDirectory {
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            indexes: FileIndexes::default(),
        }
    }
}

impl DecisionLookup for LogDirectory {
    fn find(&self, id: DecisionId) -> io::Result<Option<DecisionRecord>> {
        self.indexes.find(&self.dir, id)
    }

    fn list(&self, query: &DecisionQuery) -> io::Result<DecisionPage> {
        self.indexes.list(&self.dir, query)
    }

    fn records(
        &self,
        filter: &RecordFilter,
        before: Option<RecordPosition>,
        limit: usize,
    ) -> io::Result<RecordList> {
        let page = self
            .indexes
            .records(&self.dir, filter, before.map(in_log), limit);
        page.map(RecordList::of)
    }

    fn list_id(&self, _: &DecisionQuery) -> String {
        self.dir.display().to_string()
    }
}
