//! What a replay guard is opened with.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretBox;

use super::open_error::OpenError;
use super::quota::Bounds;

/// What a guard is opened with.
pub struct Config {
    /// How far a request's date may lie from the server's clock, either way.
    pub window: Duration,
    pub bounds: Bounds,
    /// Where the journal is kept; made if missing, locked against a second process.
    pub directory: PathBuf,
    /// Keys the nonces' hashes, so that nobody can aim a collision. A change of it closes the
    /// buckets that were written under the old one.
    pub hash_key: SecretBox<[u8; 32]>,
    /// Whether the database existed before this start: then a missing journal was lost, and what
    /// it held may be replayed.
    pub installation_is_older: bool,
}

impl Config {
    pub(super) fn unusable(&self, source: io::Error) -> OpenError {
        OpenError::Directory {
            path: self.directory.clone(),
            source,
        }
    }
}
