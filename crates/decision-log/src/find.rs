//! Finds a decision by its id: in the ranges that may contain it, with the definitions that its
//! line refers to.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memchr::memmem;
use parking_lot::Mutex;

use super::definitions::DefinitionKind;
use super::expand::DefinitionReader;
use super::file_index::{FileIndex, find_line_in};
use super::files;
use super::log_file::LogFile;
use super::log_line::LogLine;
use super::record::DecisionRecord;
use charter_authz::json::JsonError;
use charter_domain::id::DecisionId;

/// Cached indexes of finished files.
const MAX_CACHED_INDEXES: usize = 1_024;

#[derive(Default)]
pub(super) struct FileIndexes {
    finished: Mutex<HashMap<PathBuf, Arc<FileIndex>>>,
    /// Held while an index is built, so that a file is read only once.
    making: Mutex<()>,
    /// Index of the file being written.
    current: Mutex<Option<(PathBuf, FileIndex)>>,
}

impl FileIndexes {
    /// Switches to a new file and saves the index of the previous one.
    pub(super) fn begin(&self, file: &Path, index: FileIndex) {
        let before = self.current.lock().replace((file.to_owned(), index));
        // The file may have been moved or cut.
        let fits = |(file, index): &(PathBuf, FileIndex)| {
            std::fs::metadata(file).is_ok_and(|found| found.len() == index.length)
        };
        if let Some((file, index)) = before.filter(fits) {
            if let Err(error) = index.save(&file) {
                tracing::warn!(file = %file.display(), %error, "cannot save the index of a decision file; it will be built again");
            }
            self.remember(file, index);
        }
    }

    /// Extends the index of the file being written.
    pub(super) fn grow(&self, grow: impl FnOnce(&mut FileIndex)) {
        if let Some((_, index)) = &mut *self.current.lock() {
            grow(index);
        }
    }

    /// Builds and saves missing indexes of finished files.
    pub(super) fn make(files: &[LogFile]) {
        for file in files {
            let made = FileIndex::build(&file.path).and_then(|index| index.save(&file.path));
            if let Err(error) = made {
                tracing::warn!(file = file.name(), %error, "a decision file cannot be indexed");
            }
        }
    }

    fn remember(&self, file: PathBuf, index: FileIndex) -> Arc<FileIndex> {
        let index = Arc::new(index);
        let mut finished = self.finished.lock();
        if finished.len() >= MAX_CACHED_INDEXES {
            finished.clear();
        }
        finished.insert(file, Arc::clone(&index));
        index
    }

    pub(super) fn get(&self, file: &Path) -> io::Result<Arc<FileIndex>> {
        self.get_or_build(file).map(|(index, _)| index)
    }

    /// The index, and how many bytes of the file were read to build it.
    pub(super) fn get_or_build(&self, file: &Path) -> io::Result<(Arc<FileIndex>, u64)> {
        if let Some((current, index)) = &*self.current.lock()
            && current == file
        {
            return Ok((Arc::new(index.clone()), 0));
        }
        let known = self.finished.lock().get(file).cloned();
        if let Some(known) = known {
            return Ok((known, 0));
        }
        let (index, read) = if let Some(index) = FileIndex::load(file) {
            (index, 0)
        } else {
            // The index is missing, or another process writes the file.
            let _making = self.making.lock();
            let index = FileIndex::build(file)?;
            let read = index.length;
            (index, read)
        };
        Ok((self.remember(file.to_owned(), index), read))
    }

    /// `None` if the decision does not exist or has expired.
    pub(super) fn find(&self, dir: &Path, id: DecisionId) -> io::Result<Option<DecisionRecord>> {
        let (files, _) = match files::list(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            listed => listed?,
        };
        for file in files.iter().rev() {
            match self.find_in(file, id) {
                // The file has expired meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Ok(None) => {}
                found => return found,
            }
        }
        Ok(None)
    }

    fn find_in(&self, file: &LogFile, id: DecisionId) -> io::Result<Option<DecisionRecord>> {
        let index = self.get(&file.path)?;
        let mut candidates = index.candidates(id.made_at_millis()).peekable();
        if candidates.peek().is_none() {
            return Ok(None);
        }
        let text = format!("\"id\":\"{id}\"");
        let finder = memmem::Finder::new(&text);
        let mut open = File::open(&file.path)?;
        for range in candidates {
            let mut definitions = DefinitionReader::default();
            let found = find_line_in(&mut open, range, |_, line| {
                finder.find(line).is_some().then(|| line.to_vec())
            })?;
            let Some(line) = found else { continue };
            let record = gather(&mut open, &index, &mut definitions, &line)
                .and_then(|()| definitions.read(&line));
            // A masked or client-provided text may contain the same bytes: compare the parsed id.
            if let Ok(LogLine::Decision(record)) = record
                && record.id == id.to_string()
            {
                return Ok(Some(*record));
            }
        }
        Ok(None)
    }
}

/// Loads the definitions that a line refers to.
pub(super) fn gather(
    open: &mut File,
    index: &FileIndex,
    definitions: &mut DefinitionReader,
    line: &[u8],
) -> Result<(), JsonError> {
    // In format version 1 a line refers to nothing.
    let Ok((case, context)) = DefinitionReader::case_of(line) else {
        return Ok(());
    };
    let mut define = |definitions: &mut DefinitionReader,
                      defined: DefinitionKind,
                      number: u32|
     -> Result<(), JsonError> {
        let Some(range) = index.definition(defined, number) else {
            return Ok(());
        };
        let wanted = format!("\"kind\":\"{}\",\"number\":{number},", defined.kind());
        let found = find_line_in(open, range, |_, line| {
            let start = line.get(..128).unwrap_or(line);
            memmem::find(start, wanted.as_bytes()).map(|_| line.to_vec())
        })?;
        found.map_or(Ok(()), |line| definitions.define(&line))
    };
    define(definitions, DefinitionKind::Case, case)?;
    if let Some(context) = context {
        define(definitions, DefinitionKind::Context, context)?;
    }
    for entity in definitions.entities_of(case) {
        define(definitions, DefinitionKind::Entity, entity)?;
    }
    Ok(())
}
