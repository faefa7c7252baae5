//! Lists, creates and opens the files of the log.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use super::file_index::FileIndex;
use super::log_file::LogFile;
use charter_system::{atomic, private};

/// Lock file of earlier versions, which did not lock the directory itself.
pub(super) const LOCK: &str = "lock";

/// The log's files by number, and the names of other files.
pub(super) fn list(dir: &Path) -> io::Result<(Vec<LogFile>, Vec<String>)> {
    let (mut files, mut foreign) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        match LogFile::named(&path) {
            Some(file) if path.is_file() => files.push(file),
            _ => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                if name != LOCK && !atomic::is_temporary(&path) && !FileIndex::is_index_path(&path)
                {
                    foreign.push(name.into_owned());
                }
            }
        }
    }
    files.sort_unstable();
    foreign.sort_unstable();
    Ok((files, foreign))
}

/// Creates a file with its first line atomically.
pub(super) fn begin(file: &LogFile, first_line: &[u8]) -> io::Result<File> {
    atomic::replace_private(&file.path, first_line)?;
    append(&file.path)
}

pub(super) fn append(path: &Path) -> io::Result<File> {
    private::open(path, OpenOptions::new().append(true))
}
