//! Why the log cannot be opened.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or a file in it.
    #[error("`{path}` cannot be used: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("another process uses the directory `{0}`")]
    Locked(PathBuf),
    #[error("no audit key is set")]
    NoKey,
    #[error("its thread cannot be started: {0}")]
    Thread(io::Error),
}
