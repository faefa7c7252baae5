//! The files of the log: which a directory has, and how one is begun and gone on with.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use super::index::Index;
use super::log_file::LogFile;
use charter_system::private;

/// A file that is being begun.
pub(super) const TEMPORARY: &str = "decisions.new";
/// Held by the one process that wrote, before the directory itself was locked.
pub(super) const LOCK: &str = "lock";

/// What a directory holds: the log's files by number, and the names of others.
pub(super) fn list(dir: &Path) -> io::Result<(Vec<LogFile>, Vec<String>)> {
    let (mut files, mut foreign) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        match LogFile::named(&path) {
            Some(file) if path.is_file() => files.push(file),
            _ => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                if name != LOCK && name != TEMPORARY && !Index::is_of_log(&path) {
                    foreign.push(name.into_owned());
                }
            }
        }
    }
    files.sort_unstable();
    foreign.sort_unstable();
    Ok((files, foreign))
}

/// Begins a file with its first line, whole or not at all.
pub(super) fn begin(file: &LogFile, first_line: &[u8]) -> io::Result<File> {
    let dir = file.path.parent().unwrap_or(Path::new("."));
    private::replace(&file.path, &dir.join(TEMPORARY), first_line)?;
    append(&file.path)
}

/// Opens a file to go on with it.
pub(super) fn append(path: &Path) -> io::Result<File> {
    private::open(path, OpenOptions::new().append(true))
}
