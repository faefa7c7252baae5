//! The head of the log, kept beside it: the last line that was written. The files alone cannot
//! show that their tail was cut off.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::chain::{self, Position};
use charter_system::private;

/// Of the one line: it is overwritten in place, so it must not change its length.
const LENGTH: usize = 128;

/// No log has so many files or lines: the chain must be able to go on behind them.
const MOST: u64 = 1 << 53;

/// The head, as its file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) file: u64,
    pub(super) sequence: u64,
    mac: String,
}

impl Head {
    pub(super) fn new(file: u64, position: Position) -> Self {
        Self {
            file,
            sequence: position.sequence,
            mac: chain::encode(&position.mac),
        }
    }

    /// Of a log that has no line yet.
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
        if head.file.max(head.sequence) > MOST {
            return Err("its numbers are beyond those of any log".to_owned());
        }
        Ok(head)
    }

    /// Reads a head; `None` where there is none, `Err` text where it is no head.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub(super) fn read(path: &Path) -> io::Result<Option<Result<Self, String>>> {
        match std::fs::read(path) {
            // It was made and never written: the process died at its first start.
            Ok(bytes) if bytes.is_empty() => Ok(None),
            Ok(bytes) => Ok(Some(Self::parse(&bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The file, open to be overwritten.
pub(super) struct HeadFile {
    path: PathBuf,
    file: File,
}

impl HeadFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: open(path)?,
        })
    }

    /// Opens another one if its path names it no more; whether it did.
    pub(super) fn return_to_place(&mut self) -> io::Result<bool> {
        let moved = !private::is_at(&self.file, &self.path)?;
        if moved {
            if let Some(parent) = self.path.parent().filter(|it| !it.as_os_str().is_empty()) {
                private::create_dir(parent)?;
            }
            self.file = open(&self.path)?;
        }
        Ok(moved)
    }

    pub(super) fn try_clone(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// One write of one length: a reader sees the old head or the new one.
    pub(super) fn write(&self, head: &Head) -> io::Result<()> {
        let mut line = serde_json::to_vec(head)?;
        line.resize(LENGTH - 1, b' ');
        line.push(b'\n');
        self.file.write_all_at(&line, 0)
    }

    /// Removes what stands behind the one line: no write would.
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
