//! A file of lines that several processes may append to.
//!
//! Lines that could not be written are kept and written later, after the last whole line. If the path names
//! another file, that one is opened.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::private;

/// Limit of bytes that are kept while writing fails.
const MAX_PENDING_BYTES: usize = 1024 * 1024;
/// Block size of the search for the last whole line.
const SCAN_BYTES: u64 = 64 * 1024;

#[derive(Debug)]
pub struct LineFile {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines that it is known to hold. Others only append, and cut torn lines off behind them.
    known: u64,
    /// Whole lines that are not yet written.
    pending: Vec<u8>,
    is_synced: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Whether lines may be gone: the path named another file or none, which was then opened or created, or the file
    /// was cut.
    pub missed: bool,
}

/// Lines that were not written.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct NotAppended {
    /// The cause.
    #[source]
    pub source: io::Error,
    /// Whether they are lost; otherwise they are written with the next ones.
    pub lost: bool,
}

impl LineFile {
    /// Opens or creates the file, private to its owner.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        Ok(Self {
            path: path.to_owned(),
            known: end_of_lines(&file)?,
            file,
            pending: Vec::new(),
            is_synced: false,
        })
    }

    /// Appends whole lines, after those that could not be appended earlier.
    ///
    /// # Errors
    ///
    /// [`NotAppended`]; a torn line is cut off before the next write.
    pub fn append(&mut self, lines: &[u8]) -> Result<Appended, NotAppended> {
        let lost = self.pending.len() + lines.len() > MAX_PENDING_BYTES;
        if !lost {
            self.pending.extend_from_slice(lines);
        }
        let appended = self
            .write_pending()
            .map_err(|source| NotAppended { source, lost })?;
        if lost {
            // Writing works again, and the kept lines are written.
            self.pending.extend_from_slice(lines);
            self.write_pending().map_err(|source| NotAppended {
                source,
                lost: false,
            })?;
        }
        Ok(appended)
    }

    /// Appends what could not be appended earlier, and returns the file if it must be synced. The
    /// caller syncs it, so that others can append meanwhile.
    pub fn to_sync(&mut self) -> io::Result<(Appended, Option<File>)> {
        let appended = self.write_pending()?;
        if self.is_synced {
            return Ok((appended, None));
        }
        let file = self.file.try_clone()?;
        self.is_synced = true;
        Ok((appended, Some(file)))
    }

    /// Records that the sync of the returned file failed.
    pub const fn mark_unsynced(&mut self) {
        self.is_synced = false;
    }

    /// Appends what could not be appended earlier and syncs the file.
    pub fn sync(&mut self) -> io::Result<()> {
        let (_, file) = self.to_sync()?;
        file.map_or(Ok(()), |file| file.sync_data())
            .inspect_err(|_| self.mark_unsynced())
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
        let missed = moved || self.file.metadata()?.len() < self.known;
        if missed {
            self.known = end_of_lines(&self.file)?;
        }
        if !self.pending.is_empty() {
            // With the lock held, a partial line is torn and not another process's write in progress.
            self.file.lock()?;
            let written = cut_torn_line(&self.file).and_then(|()| {
                self.is_synced = false;
                write_lines(&self.file, &mut self.pending)?;
                self.file.metadata()
            });
            let unlocked = self.file.unlock();
            self.known = written?.len();
            unlocked?;
        }
        Ok(Appended { missed })
    }
}

fn open(path: &Path) -> io::Result<File> {
    let file = private::open(
        path,
        OpenOptions::new().read(true).append(true).create(true),
    )?;
    // The process that created it may have failed to sync its name.
    private::sync_dir_of(path)?;
    Ok(file)
}

/// Removes from `lines` what was written. A line that was torn stays: what is there of it is cut off before the next
/// write.
fn write_lines(mut file: impl io::Write, lines: &mut Vec<u8>) -> io::Result<()> {
    let mut written = 0;
    let result = loop {
        match lines.get(written..) {
            None | Some([]) => break Ok(()),
            Some(rest) => match file.write(rest) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            },
        }
    };
    let written = lines.get(..written).unwrap_or_default();
    let whole = written.iter().rposition(|byte| *byte == b'\n');
    lines.drain(..whole.map_or(0, |end| end + 1));
    result
}

/// Removes an incomplete line at the end, left by a failed write or a crash.
fn cut_torn_line(file: &File) -> io::Result<()> {
    let length = file.metadata()?.len();
    let end = end_of_lines(file)?;
    if end < length {
        tracing::warn!(
            bytes = length - end,
            "removed an incomplete line at the end of a file"
        );
        file.set_len(end)?;
    }
    Ok(())
}

/// Where the last whole line ends, in bytes.
fn end_of_lines(file: &File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(SCAN_BYTES);
        let mut bytes = vec![0; usize::try_from(end - start).unwrap_or_default()];
        // Usually the last byte is a line feed.
        if end == length {
            let mut last = [0];
            file.read_exact_at(&mut last, length - 1)?;
            if last == *b"\n" {
                return Ok(length);
            }
        }
        file.read_exact_at(&mut bytes, start)?;
        if let Some(feed) = memchr::memrchr(b'\n', &bytes) {
            return Ok(start + feed as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has room for so many bytes.
    struct Disk(usize, Vec<u8>);

    impl io::Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let fitting = bytes.len().min(self.0).min(4);
            if fitting == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0 -= fitting;
            self.1.extend(bytes.iter().take(fitting));
            Ok(fitting)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn whole_lines_before_a_failed_write_are_not_written_again() {
        for (room, left) in [
            (0, "one\ntwo\nthree\n"),
            (3, "one\ntwo\nthree\n"),
            (4, "two\nthree\n"),
            (10, "three\n"),
            (13, "three\n"),
            (14, ""),
        ] {
            let (mut disk, mut lines) = (Disk(room, Vec::new()), b"one\ntwo\nthree\n".to_vec());
            let written = write_lines(&mut disk, &mut lines);
            assert_eq!(
                (written.is_ok(), lines.as_slice()),
                (room == 14, left.as_bytes()),
                "room for {room}"
            );
        }
    }
}
