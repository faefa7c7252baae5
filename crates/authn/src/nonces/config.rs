//! Configuration of the replay guard of one process.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretBox;

use super::open_error::OpenError;
use super::quota::Bounds;

pub struct ReplayGuardConfig {
    /// How far a request's date may lie from the server's clock, either way.
    pub window: Duration,
    pub bounds: Bounds,
    /// Directory of the journals; created if missing, locked against a second process.
    pub directory: PathBuf,
    /// Key of the nonces' hashes, so that nobody can construct a collision. Another key closes the buckets written
    /// under the old one.
    pub hash_key: SecretBox<[u8; 32]>,
    /// Whether the database existed before this start: then a missing journal was lost.
    pub installation_is_older: bool,
}

impl ReplayGuardConfig {
    #[cfg(test)]
    pub(super) fn of_test(directory: &std::path::Path) -> Self {
        Self {
            window: Duration::from_mins(5),
            bounds: Bounds {
                per_key: 10,
                per_organization: 10,
                total: 10,
            },
            directory: directory.to_owned(),
            hash_key: SecretBox::new(Box::new([7; 32])),
            installation_is_older: false,
        }
    }

    pub(super) fn unusable(&self, source: io::Error) -> OpenError {
        OpenError::Directory {
            path: self.directory.clone(),
            source,
        }
    }
}
