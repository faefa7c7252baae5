//! The head: the last line written, stored outside the log's directory. It reveals that a log was truncated.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::chain::{self, Position};
use charter_system::private;

/// Length of the line. It is overwritten in place, so its length is fixed.
const LENGTH: usize = 128;

/// Limits file and line numbers, so that the chain can continue after them.
const MAX_NUMBER: u64 = 1 << 53;

/// The content of the head file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LogHead {
    pub(super) file: u64,
    pub(super) sequence: u64,
    mac: String,
}

impl LogHead {
    pub(super) fn new(file: u64, position: Position) -> Self {
        Self {
            file,
            sequence: position.sequence,
            mac: chain::encode(&position.mac),
        }
    }

    /// Head of a log without lines.
    pub(super) fn origin() -> Self {
        let mac = chain::ORIGIN;
        Self::new(0, Position { sequence: 0, mac })
    }

    pub(super) fn is_origin(&self) -> bool {
        self.sequence == 0 && self.file == 0 && self.mac() == Some(chain::ORIGIN)
    }

    pub(super) fn mac(&self) -> Option<chain::Mac> {
        chain::decode(&self.mac)
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let head: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if head.file.max(head.sequence) > MAX_NUMBER {
            return Err("its numbers are too large".to_owned());
        }
        Ok(head)
    }

    /// Reads a head; `None` if there is none, `Err` text if it cannot be parsed.
    pub(super) fn read(path: &Path) -> io::Result<Option<Result<Self, String>>> {
        match std::fs::read(path) {
            // It was created and never written: the process died during its first start.
            Ok(bytes) if bytes.is_empty() => Ok(None),
            Ok(bytes) => Ok(Some(Self::parse(&bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The open head file.
pub(super) struct LogHeadFile {
    path: PathBuf,
    file: File,
}

impl LogHeadFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: open(path)?,
        })
    }

    /// Whether the head was moved, removed or cut. Reopens it if its path names another file; the next write completes
    /// it.
    pub(super) fn reopen_if_missed(&mut self) -> io::Result<bool> {
        let moved = !private::is_at(&self.file, &self.path)?;
        if moved {
            if let Some(parent) = self.path.parent().filter(|it| !it.as_os_str().is_empty()) {
                private::create_dir(parent)?;
            }
            self.file = open(&self.path)?;
        }
        Ok(moved || self.file.metadata()?.len() < LENGTH as u64)
    }

    pub(super) fn try_clone(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// A single write of constant length: a reader sees the old or the new head.
    pub(super) fn write(&self, head: &LogHead) -> io::Result<()> {
        let mut line = serde_json::to_vec(head)?;
        line.resize(LENGTH - 1, b' ');
        line.push(b'\n');
        self.file.write_all_at(&line, 0)
    }

    /// Truncates everything after the line.
    pub(super) fn shorten(&self) -> io::Result<()> {
        if self.file.metadata()?.len() > LENGTH as u64 {
            self.file.set_len(LENGTH as u64)?;
        }
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut how = OpenOptions::new();
    how.write(true).create(true).truncate(false);
    private::open(path, &mut how)
}
