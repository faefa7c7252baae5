//! Finds one decision by its id: in the stretches of files that may have it, and with what its
//! line refers to.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memchr::memmem;
use parking_lot::Mutex;

use super::definitions::Defined;
use super::expand::{Definitions, Line};
use super::files;
use super::index::{Index, first_of};
use super::log_file::LogFile;
use super::read::Record;
use charter_authz::json::JsonError;
use charter_domain::id::DecisionId;

/// Indexes of finished files that are kept in memory, at most.
const MOST: usize = 1_024;

/// The indexes of a log's files.
#[derive(Default)]
pub(super) struct Indexes {
    finished: Mutex<HashMap<PathBuf, Arc<Index>>>,
    /// Held by who makes one: no two read the same file for it.
    making: Mutex<()>,
    /// Of the file that this process writes.
    current: Mutex<Option<(PathBuf, Index)>>,
}

impl Indexes {
    /// Another file is written from now on; the one before is finished.
    pub(super) fn begin(&self, file: &Path, index: Index) {
        let before = self.current.lock().replace((file.to_owned(), index));
        // One that somebody took away needs none.
        if let Some((file, index)) = before.filter(|(file, _)| file.exists()) {
            if let Err(error) = index.save(&file) {
                tracing::warn!(file = %file.display(), %error, "the index of a decision file cannot be kept, it will be made again");
            }
            self.remember(file, index);
        }
    }

    /// The file that is written has more lines.
    pub(super) fn grow(&self, grow: impl FnOnce(&mut Index)) {
        if let Some((_, index)) = &mut *self.current.lock() {
            grow(index);
        }
    }

    /// Makes the missing ones of finished files, as after an update.
    pub(super) fn make(files: &[LogFile]) {
        for file in files {
            let made = Index::build(&file.path).and_then(|index| index.save(&file.path));
            if let Err(error) = made {
                tracing::warn!(file = file.name(), %error, "a decision file cannot be indexed");
            }
        }
    }

    fn remember(&self, file: PathBuf, index: Index) -> Arc<Index> {
        let index = Arc::new(index);
        let mut finished = self.finished.lock();
        if finished.len() >= MOST {
            finished.clear();
        }
        finished.insert(file, Arc::clone(&index));
        index
    }

    fn get(&self, file: &Path) -> io::Result<Arc<Index>> {
        if let Some((current, index)) = &*self.current.lock()
            && current == file
        {
            return Ok(Arc::new(index.clone()));
        }
        let known = self.finished.lock().get(file).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let index = if let Some(index) = Index::load(file) {
            index
        } else {
            // It is being made, or the file is that of another process.
            let _making = self.making.lock();
            Index::build(file)?
        };
        Ok(self.remember(file.to_owned(), index))
    }

    /// Finds a decision; `None` if it is not there, or no longer.
    pub(super) fn find(&self, dir: &Path, id: DecisionId) -> io::Result<Option<Record>> {
        let (files, _) = match files::list(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            listed => listed?,
        };
        for file in files.iter().rev() {
            match self.find_in(file, id) {
                // Its time was over meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Ok(None) => {}
                found => return found,
            }
        }
        Ok(None)
    }

    fn find_in(&self, file: &LogFile, id: DecisionId) -> io::Result<Option<Record>> {
        let index = self.get(&file.path)?;
        let mut candidates = index.candidates(id.made_at_millis()).peekable();
        if candidates.peek().is_none() {
            return Ok(None);
        }
        let text = format!("\"id\":\"{id}\"");
        let finder = memmem::Finder::new(&text);
        let mut open = File::open(&file.path)?;
        for stretch in candidates {
            let mut definitions = Definitions::default();
            let found = first_of(&mut open, stretch, |line| {
                finder.find(line).is_some().then(|| line.to_vec())
            })?;
            let Some(line) = found else { continue };
            let record = gather(&mut open, &index, &mut definitions, &line)
                .and_then(|()| definitions.read(&line));
            // A client's text might contain the same: the record itself decides.
            if let Ok(Line::Decision(record)) = record
                && record.id == id.to_string()
            {
                return Ok(Some(*record));
            }
        }
        Ok(None)
    }
}

/// Finds a decision in the log of a directory, which another process may be writing. `None` if it
/// is not there, or no longer. Files without an index are read once.
///
/// # Errors
///
/// A file cannot be read.
pub fn find(dir: &Path, id: DecisionId) -> io::Result<Option<Record>> {
    Indexes::default().find(dir, id)
}

/// Finds what a line refers to.
fn gather(
    open: &mut File,
    index: &Index,
    definitions: &mut Definitions,
    line: &[u8],
) -> Result<(), JsonError> {
    // A line of version 1 refers to nothing.
    let Ok((case, context)) = Definitions::case_of(line) else {
        return Ok(());
    };
    let mut define =
        |definitions: &mut Definitions, defined: Defined, number: u32| -> Result<(), JsonError> {
            let Some(stretch) = index.definition(defined, number) else {
                return Ok(());
            };
            let wanted = format!("\"kind\":\"{}\",\"number\":{number},", defined.kind());
            let found = first_of(open, stretch, |line| {
                let start = line.get(..128).unwrap_or(line);
                memmem::find(start, wanted.as_bytes()).map(|_| line.to_vec())
            })?;
            found.map_or(Ok(()), |line| definitions.define(&line))
        };
    define(definitions, Defined::Case, case)?;
    if let Some(context) = context {
        define(definitions, Defined::Context, context)?;
    }
    for entity in definitions.entities_of(case) {
        define(definitions, Defined::Entity, entity)?;
    }
    Ok(())
}
