//! Finds one decision by its id, whose time says which files to look into first.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use memchr::memmem;

use super::files::{self, LogFile, TAIL};
use super::read::Record;
use crate::domain::id::DecisionId;

/// How long nearly all decisions take at most from their ids to their lines, in milliseconds.
const SLACK: i64 = 60_000;

/// Finds a decision in the log of a directory, which another process may be writing. `None` if it
/// is not there, or no longer.
///
/// # Errors
///
/// A file cannot be read.
pub fn find(dir: &Path, id: DecisionId) -> io::Result<Option<Record>> {
    let made_at = id.made_at_millis();
    let (files, _) = match files::list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        listed => listed?,
    };
    let wanted = format!("\"id\":\"{id}\"");
    let finder = memmem::Finder::new(&wanted);
    let ends = |index: usize| files.get(index + 1).map_or(i64::MAX, |next| next.begun);
    let is_likely = |index: usize, file: &LogFile| {
        file.begun <= made_at.saturating_add(SLACK) && ends(index) >= made_at.saturating_sub(SLACK)
    };
    let (likely, others): (Vec<_>, Vec<_>) = files
        .iter()
        .enumerate()
        .partition(|(index, file)| is_likely(*index, file));
    // The queue may have been long, or the clock set: it may be in any other file as well.
    for (_, file) in likely.into_iter().chain(others.into_iter().rev()) {
        let open = match File::open(&file.path) {
            // Its time was over meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        if let Some(record) = find_in(open, &finder, id)? {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

fn find_in(file: File, finder: &memmem::Finder<'_>, id: DecisionId) -> io::Result<Option<Record>> {
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    let mut line = Vec::new();
    loop {
        // What is longer is read in pieces, and only the first is where a line begins.
        let begins = line.last().is_none_or(|last| *last == b'\n');
        line.clear();
        (&mut reader).take(TAIL).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        // A client's text might contain the same: the record itself decides.
        if begins
            && finder.find(&line).is_some()
            && let Ok(record) = serde_json::from_slice::<Record>(&line)
            && record.id == id.to_string()
        {
            return Ok(Some(record));
        }
    }
}
