//! The replay guard: a nonce is claimed once for each access key and remembered until its request's
//! date has left the window (contract section 3). It answers for never forgetting early; when it is
//! full, broken, or may have forgotten, it refuses. It knows nothing of signatures or of HTTP.

mod bucket;
mod closed;
mod directory;
mod fingerprint;
mod half_minute;
mod journal;
mod memory;
mod quota;
mod recovery;
mod set;
mod telemetry;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretBox;
use tokio_util::sync::CancellationToken;

use self::memory::{Attempt, Memory};
use crate::domain::clock::Clock;
use crate::domain::id::AccessKeyId;
use crate::domain::timestamp::Timestamp;

/// How often [`ReplayGuard::run`] drops and opens buckets; far below a bucket's half minute.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(1);

/// What a guard is opened with.
pub struct Config {
    /// How far a request's date may lie from the server's clock, either way.
    pub window: Duration,
    /// The most nonces remembered of one access key; beyond, that key is refused.
    pub per_key_quota: usize,
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

/// Why a guard could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Two processes on one journal would each accept the same nonce.
    #[error(
        "the replay journal in `{}` belongs to another running process, stop it or set another \
         data directory", .0.display()
    )]
    Locked(PathBuf),
    /// The directory cannot be made, read or written.
    #[error("the replay journal in `{}` cannot be used, check the directory and its disk", .path.display())]
    Directory {
        /// The journal's directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Why a nonce was not claimed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// This key has used this nonce before.
    #[error("the nonce has been used before")]
    Replayed,
    /// The date is at or below the newest that was forgotten: the clock was set back.
    #[error("the date lies before the oldest that can still be told from a replay")]
    BelowFloor,
    /// The date is not, or no longer, within the window of the server's clock.
    #[error("the date lies outside the window")]
    OutsideWindow,
    /// This key's own quota is used up.
    #[error("the access key has used up its quota of remembered nonces")]
    KeyQuota {
        /// The quota, in nonces.
        limit: u64,
        /// When some of it is forgotten.
        retry_after: Duration,
    },
    /// The total is used up.
    #[error("the replay guard is full")]
    Full {
        /// When some of it is forgotten.
        retry_after: Duration,
    },
    /// Nonces of this date may have been lost with the machine.
    #[error("nonces of this date may have been forgotten")]
    Closed {
        /// When a request signed anew is accepted.
        retry_after: Duration,
    },
    /// The journal cannot be written, so the nonce could be forgotten.
    #[error("the replay journal cannot be written")]
    Unavailable(#[source] io::Error),
}

/// How the guard is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Nonces remembered now.
    pub remembered: usize,
    /// Bytes that their sets take.
    pub bytes: usize,
    /// Buckets held.
    pub buckets: usize,
    /// Set while requests dated now are refused because their nonces may have been forgotten.
    pub closed_until: Option<Timestamp>,
    /// The last error of the disk, until something is written again.
    pub last_error: Option<String>,
}

/// Remembers nonces. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct ReplayGuard {
    store: Store,
    /// One bucket is opened at a time: those who wait for it wait here, not in threads.
    opening: Arc<tokio::sync::Mutex<()>>,
}

/// Where nonces are kept.
#[derive(Clone)]
enum Store {
    /// In this process, with a journal beside the database.
    Memory(Arc<Memory>),
}

impl ReplayGuard {
    /// Opens the guard of a single process: takes the journal's lock, reads it back, and opens the
    /// buckets that the first requests need. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when another process holds the journal or its directory cannot be used. A
    /// damaged bucket is no error: it stays closed.
    pub fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Ok(Self {
            store: Store::Memory(Arc::new(recovery::open(config, clock)?)),
            opening: Arc::default(),
        })
    }

    /// Claims `nonce` for `key`. `Ok` at most once for each pair while a request dated `date` can
    /// be accepted; the claim is in the journal by then. Never waits on the disk in normal running.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; the request must not be answered as if it had passed.
    pub async fn claim(
        &self,
        key: AccessKeyId,
        nonce: &str,
        date: Timestamp,
    ) -> Result<(), Refusal> {
        let Store::Memory(memory) = &self.store;
        // Twice at most: a bucket that is gone again was dropped, for its time is over.
        for _ in 0..2 {
            match memory.claim(key, nonce, date)? {
                Attempt::Claimed => return Ok(()),
                Attempt::NoBucket(id) => {
                    let _turn = self.opening.lock().await;
                    if memory.is_open(id) {
                        continue;
                    }
                    let opener = Arc::clone(memory);
                    tokio::task::spawn_blocking(move || opener.open_bucket(id))
                        .await
                        .map_err(|stopped| Refusal::Unavailable(io::Error::other(stopped)))??;
                }
            }
        }
        Err(Refusal::OutsideWindow)
    }

    /// Drops the buckets whose time is over and opens the next ones. Blocks on the disk.
    pub fn maintain(&self) {
        let Store::Memory(memory) = &self.store;
        memory.maintain();
    }

    /// Maintains the guard every second until `stop`, off the requests' path.
    pub async fn run(self, stop: CancellationToken) {
        let maintenance = async {
            loop {
                tokio::time::sleep(MAINTENANCE_INTERVAL).await;
                let guard = self.clone();
                if let Err(stopped) = tokio::task::spawn_blocking(move || guard.maintain()).await {
                    tracing::error!(error = %stopped, "the replay guard's maintenance failed");
                }
            }
        };
        stop.run_until_cancelled(maintenance).await;
    }

    /// How the guard is doing, for readiness.
    #[must_use]
    pub fn status(&self) -> Status {
        let Store::Memory(memory) = &self.store;
        memory.status()
    }

    /// Syncs the journal and leaves the mark by which the next start, even after the machine went
    /// down, trusts it. Every claim from then on is refused.
    ///
    /// # Errors
    ///
    /// When the disk refuses; the mark is then missing and the next start is a careful one.
    pub fn clean_stop(&self) -> io::Result<()> {
        let Store::Memory(memory) = &self.store;
        memory.clean_stop()
    }
}
