//! A file of lines that is only ever appended to, by several processes if need be.
//!
//! A line that could not be written is kept and written later, behind the last whole one. A file
//! that is no longer where its path says is left, and another begun.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::private;

/// What waits for a disk that takes nothing, at most, in bytes.
const MOST_PENDING: usize = 1024 * 1024;
/// How far back the last whole line is looked for at once.
const STEP: u64 = 64 * 1024;

/// The file, open.
#[derive(Debug)]
pub struct LineFile {
    path: PathBuf,
    file: File,
    /// Whole lines that no file has yet.
    pending: Vec<u8>,
    is_synced: bool,
}

/// What became of lines.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The path named another file, or none: another one was begun, or gone on with.
    pub moved: bool,
}

/// Lines that are not in the file.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct NotAppended {
    /// Why.
    #[source]
    pub source: io::Error,
    /// Whether they are lost; else they are written with the next ones.
    pub lost: bool,
}

impl LineFile {
    /// Opens the file, or makes one for its owner only.
    ///
    /// # Errors
    ///
    /// It cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: open(path)?,
            pending: Vec::new(),
            is_synced: false,
        })
    }

    /// Appends whole lines, and before them what could not be appended earlier.
    ///
    /// # Errors
    ///
    /// [`NotAppended`]; the file ends with a whole line all the same, as soon as it is written again.
    pub fn append(&mut self, lines: &[u8]) -> Result<Appended, NotAppended> {
        let lost = self.pending.len() + lines.len() > MOST_PENDING;
        if !lost {
            self.pending.extend_from_slice(lines);
        }
        let appended = self
            .write_pending()
            .map_err(|source| NotAppended { source, lost })?;
        if lost {
            // The disk takes lines again, and what was kept is out of the way.
            self.pending.extend_from_slice(lines);
            self.write_pending().map_err(|source| NotAppended {
                source,
                lost: false,
            })?;
        }
        Ok(appended)
    }

    /// Appends what could not be appended earlier, and hands out what is to be synced, if anything
    /// is: that takes as long as the disk likes, and others should be able to append meanwhile.
    ///
    /// # Errors
    ///
    /// That failed; it is to be tried again.
    pub fn to_sync(&mut self) -> io::Result<(Appended, Option<File>)> {
        let appended = self.write_pending()?;
        if self.is_synced {
            return Ok((appended, None));
        }
        let file = self.file.try_clone()?;
        self.is_synced = true;
        Ok((appended, Some(file)))
    }

    /// What was handed out could not be synced: it is to be tried again.
    pub const fn is_not_synced(&mut self) {
        self.is_synced = false;
    }

    /// Appends what could not be appended earlier, and writes everything through to the disk.
    ///
    /// # Errors
    ///
    /// That failed; it is to be tried again.
    pub fn sync(&mut self) -> io::Result<()> {
        let (_, file) = self.to_sync()?;
        file.map_or(Ok(()), |file| file.sync_data())
            .inspect_err(|_| self.is_not_synced())
    }

    fn write_pending(&mut self) -> io::Result<Appended> {
        let moved = !private::is_at(&self.file, &self.path)?;
        if moved {
            if let Some(parent) = self.path.parent().filter(|it| !it.as_os_str().is_empty()) {
                private::create_dir(parent)?;
            }
            self.file = open(&self.path)?;
            self.is_synced = false;
        }
        if !self.pending.is_empty() {
            // Several processes append: nobody may take another's half line for a torn one.
            self.file.lock()?;
            let written = cut_torn_line(&self.file).and_then(|()| {
                self.is_synced = false;
                (&self.file).write_all(&self.pending)
            });
            let unlocked = self.file.unlock();
            written?;
            unlocked?;
            self.pending.clear();
        }
        Ok(Appended { moved })
    }
}

fn open(path: &Path) -> io::Result<File> {
    let file = private::open(
        path,
        OpenOptions::new().read(true).append(true).create(true),
    )?;
    // Whoever made it may have failed to.
    private::sync_dir_of(path)?;
    Ok(file)
}

/// Removes what stands behind the last line feed: a write that failed, or a crash, left it.
fn cut_torn_line(file: &File) -> io::Result<()> {
    let length = file.metadata()?.len();
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(STEP);
        let mut bytes = vec![0; usize::try_from(end - start).unwrap_or_default()];
        // Nearly always the last byte tells.
        if end == length {
            let mut last = [0];
            file.read_exact_at(&mut last, length - 1)?;
            if last == *b"\n" {
                return Ok(());
            }
        }
        file.read_exact_at(&mut bytes, start)?;
        if let Some(feed) = memchr::memrchr(b'\n', &bytes) {
            end = start + feed as u64 + 1;
            break;
        }
        end = start;
    }
    if end < length {
        tracing::warn!(
            bytes = length - end,
            "the end of a file was no whole line, it was cut off"
        );
        file.set_len(end)?;
    }
    Ok(())
}
