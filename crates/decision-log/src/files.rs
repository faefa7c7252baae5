//! The files of the log: their names, their order, and what the newest one ends with.
//!
//! `decisions-{number}-{milliseconds}.jsonl`: numbers grow without a gap, the milliseconds of Unix
//! time say when the file was begun.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::chain::{self, Chain};
use super::head::Head;
use super::index::Index;
use super::line::Position;
use charter_domain::timestamp;
use charter_system::private;

const PREFIX: &str = "decisions-";
const EXTENSION: &str = ".jsonl";
/// A file that is being begun.
pub(super) const TEMPORARY: &str = "decisions.new";
/// Held by the one process that wrote, before the directory itself was locked.
pub(super) const LOCK: &str = "lock";
/// How much of a file's end is looked at for its last line, more than any line has.
pub(super) const TAIL: u64 = 4 * 1024 * 1024;

/// A file of the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LogFile {
    /// From 1.
    pub(super) number: u64,
    /// When it was begun, in milliseconds of Unix time.
    pub(super) begun: i64,
    /// Where it is.
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

    /// Whether it has the line that a head attests.
    pub(super) fn has_line(&self, head: &Head) -> io::Result<bool> {
        let mut reader = BufReader::with_capacity(256 * 1024, File::open(&self.path)?);
        let mut line = Vec::new();
        loop {
            line.clear();
            (&mut reader).take(TAIL).read_until(b'\n', &mut line)?;
            if line.is_empty() {
                return Ok(false);
            }
            line.pop_if(|last| *last == b'\n');
            let is_it = chain::split(&line).is_some_and(|(_, code)| head.mac() == Some(code.mac()));
            if is_it && let Ok(Numbered { sequence }) = serde_json::from_slice(&line) {
                return Ok(sequence == head.sequence);
            }
        }
    }

    /// Its name without the directory's.
    pub(super) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

/// What a directory holds: the log's files by number, and the names of others.
///
/// # Errors
///
/// It cannot be listed.
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

/// How the newest file ends.
#[derive(Debug)]
pub(super) struct Tail {
    /// The last line that is whole and authentic, and the key it is under.
    pub(super) last: Option<(Position, String)>,
    /// Bytes behind it.
    pub(super) unreadable_bytes: u64,
    pub(super) length: u64,
}

#[derive(Deserialize)]
struct Numbered {
    sequence: u64,
}

/// Looks at a file's end.
pub(super) fn tail(path: &Path, keys: &[Chain]) -> io::Result<Tail> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    let mut end = bytes.len();
    let mut last = None;
    while let Some(feed) = bytes.get(..end).and_then(|it| memchr::memrchr(b'\n', it)) {
        let before = bytes.get(..feed).unwrap_or_default();
        let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        last = before.get(start..).and_then(|line| authentic(line, keys));
        if last.is_some() {
            end = feed + 1;
            break;
        }
        end = start;
    }
    let readable = if last.is_some() { end } else { 0 };
    Ok(Tail {
        last,
        unreadable_bytes: (bytes.len() - readable) as u64,
        length,
    })
}

/// Where a line stands in the chain, if one of the keys made it, and which.
fn authentic(line: &[u8], keys: &[Chain]) -> Option<(Position, String)> {
    let (body, code) = chain::split(line)?;
    let key = keys.iter().find(|key| key.made(body, code))?;
    let Numbered { sequence } = serde_json::from_slice(line).ok()?;
    let mac = code.mac();
    Some((Position { sequence, mac }, key.id().to_owned()))
}
