//! What a replay guard is opened with.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretBox;

use super::open_error::OpenError;

/// What a guard is opened with.
pub struct Config {
    /// How far a request's date may lie from the server's clock, either way.
    pub window: Duration,
    /// The most nonces remembered of one access key; beyond, that key is refused.
    pub per_key_quota: usize,
    /// The most nonces remembered of one organization; beyond, that organization is refused. Well
    /// below `total`.
    pub per_organization: usize,
    /// The most nonces remembered at all; beyond, everybody is refused.
    pub total: usize,
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
