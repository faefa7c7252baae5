//! The replay guard: a nonce is claimed once for each access key and remembered until its request's
//! date has left the window (contract section 3). It answers for never forgetting early; when it is
//! full, broken, or may have forgotten, it refuses. It knows nothing of signatures or of HTTP.

mod bucket;
mod directory;
mod fingerprint;
mod half_minute;
mod half_minutes;
mod journal;
mod lease;
mod memory;
mod quota;
mod recovery;
mod set;
mod state;
mod telemetry;
mod upkeep;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretBox;
use tokio_util::sync::CancellationToken;

use self::half_minute::HalfMinute;
use self::lease::{Lease, Turn};
pub use self::lease::{LeaseError, Occupant, live_holder, occupant};
use self::memory::{Attempt, Memory};
use self::recovery::Found;
use charter_budgets::{Exhausted, Near};
use charter_domain::clock::Clock;
use charter_domain::id::{AccessKeyId, OrganizationId};
use charter_domain::timestamp::Timestamp;
use charter_store::Store;

/// How often [`ReplayGuard::run`] drops and opens buckets; far below a bucket's half minute.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(1);

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
    /// It came to no end.
    #[error("opening it was broken off: {0}")]
    Stopped(String),
    /// Another process serves the database.
    #[error(transparent)]
    Lease(#[from] LeaseError),
}

/// Why a nonce was not claimed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// This key has used this nonce before.
    #[error("the nonce has been used before")]
    Replayed,
    /// Nonces of this date were dropped when the clock called it over; then it was set back.
    #[error("nonces of this date are forgotten")]
    Forgotten,
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
    /// The organization's share is used up.
    #[error(transparent)]
    Budget(Exhausted),
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
    /// This process does not hold the database's lease; another one may accept the same nonce.
    #[error("this process does not hold the lease of the database: {0}")]
    NotHeld(String),
    /// The half minute may not be opened before the lease is extended.
    #[error("the lease of the database does not reach that far")]
    NotGranted,
    /// The journal cannot be written, so the nonce could be forgotten.
    #[error("the replay journal cannot be written")]
    Unavailable(#[source] io::Error),
}

/// How the guard is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Nonces remembered now.
    pub remembered: usize,
    /// The most that may be.
    pub total: usize,
    /// Bytes that their sets take.
    pub bytes: usize,
    /// Buckets held.
    pub buckets: usize,
    /// Set while requests dated now are refused because their nonces are or may be forgotten.
    pub closed_until: Option<Timestamp>,
    /// Whether that is because they were forgotten while the clock was ahead.
    pub clock_was_set_back: bool,
    /// What was forgotten while the clock was ahead of now, the next of it: from, until.
    pub forgotten_ahead: Option<(Timestamp, Timestamp)>,
    /// Organizations that have used most of their share.
    pub near: Vec<Near>,
    /// Why the database's lease is not held, if it is not.
    pub not_held: Option<String>,
    /// The last error of the disk, until something is written again.
    pub last_error: Option<String>,
}

/// Remembers nonces: in this process, with a journal beside it. Cheap to clone; clones share
/// everything.
#[derive(Clone)]
pub struct ReplayGuard {
    memory: Arc<Memory>,
    /// `None` where the database is not asked.
    lease: Option<Arc<Lease>>,
    /// One bucket is opened at a time: those who wait for it wait here, not in threads.
    opening: Arc<tokio::sync::Mutex<()>>,
}

/// A guard that nobody else can open, and that is not open yet: the schema may be brought up.
pub struct Pending {
    config: Config,
    found: Found,
    turn: Turn,
    store: Arc<Store>,
    lease_time: Duration,
}

impl Pending {
    /// Takes the journal's lock, and waits until no other process serves the database, for
    /// `lease_time` at most: so long another process waits for a sign of this one, too.
    ///
    /// # Errors
    ///
    /// As [`ReplayGuard::open`], and [`LeaseError`].
    pub async fn wait(
        store: &Arc<Store>,
        config: Config,
        lease_time: Duration,
    ) -> Result<Self, OpenError> {
        let (config, found) = blocking(move || {
            let found = recovery::find(&config)?;
            Ok((config, found))
        })
        .await?;
        let turn = Turn::wait(store, found.left.as_ref(), lease_time).await?;
        Ok(Self {
            config,
            found,
            turn,
            store: Arc::clone(store),
            lease_time,
        })
    }

    /// Opens it as the only one of its database, whose schema is up to date. `run` is another text
    /// at each start; `installation_is_older` is as in [`Config`].
    ///
    /// # Errors
    ///
    /// As [`Pending::wait`].
    pub async fn open(
        self,
        clock: Arc<dyn Clock>,
        run: String,
        installation_is_older: bool,
    ) -> Result<ReplayGuard, OpenError> {
        let Self {
            mut config,
            found,
            turn,
            store,
            lease_time,
        } = self;
        config.installation_is_older = installation_is_older;
        let directory = config.directory.clone();
        let known = turn.known(run.clone(), found.left.as_ref());
        let memory = blocking(move || recovery::open(&config, clock, found, Some(known))).await?;
        let lease = turn.take(store, run, lease_time, &directory).await?;
        let guard = ReplayGuard::new(memory, Some(Arc::new(lease)));
        guard.extend_lease().await;
        Ok(guard)
    }
}

impl ReplayGuard {
    /// Opens a guard that no database knows of: takes the journal's lock, reads it back, and opens
    /// the buckets that the first requests need. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when another process holds the journal or its directory cannot be used. A
    /// damaged bucket is no error: it stays closed.
    pub fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let found = recovery::find(config)?;
        Ok(Self::new(recovery::open(config, clock, found, None)?, None))
    }

    fn new(memory: Memory, lease: Option<Arc<Lease>>) -> Self {
        Self {
            memory: Arc::new(memory),
            lease,
            opening: Arc::default(),
        }
    }

    /// Claims `nonce` for `key`. `Ok` at most once for each pair while a request dated `date` can
    /// be accepted; the claim is in the journal by then. Waits neither on the disk nor on the
    /// database in normal running.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; the request must not be answered as if it had passed.
    pub async fn claim(
        &self,
        key: AccessKeyId,
        organization: OrganizationId,
        nonce: &str,
        date: Timestamp,
    ) -> Result<(), Refusal> {
        let memory = &self.memory;
        if let Some(lease) = &self.lease
            && !lease.is_held(memory.clock.monotonic())
        {
            // The process was paused, or the database did not answer for a while.
            self.ensure(lease, HalfMinute::of(date)).await?;
        }
        // Twice at most: a bucket that is gone again was dropped, for its time is over.
        for _ in 0..2 {
            match memory.claim(key, organization, nonce, date)? {
                Attempt::Claimed => return Ok(()),
                Attempt::NoBucket(id) => {
                    if let Some(lease) = &self.lease {
                        self.ensure(lease, id).await?;
                    }
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

    async fn ensure(&self, lease: &Arc<Lease>, id: HalfMinute) -> Result<(), Refusal> {
        let ensured = lease.ensure(&self.memory, id).await;
        ensured.inspect_err(|refusal| self.memory.telemetry.refused(refusal))
    }

    /// Drops the buckets whose time is over and opens the next ones. Blocks on the disk.
    pub fn maintain(&self) {
        self.memory.maintain();
    }

    async fn extend_lease(&self) {
        let Some(lease) = &self.lease else {
            return;
        };
        if let Err(error) = lease.extend(&self.memory).await {
            tracing::warn!(%error, "the replay guard's lease of the database was not extended, it is tried again");
        }
    }

    /// Maintains the guard every second until `stop`, and its lease, off the requests' path.
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
        let signs = async {
            let Some(interval) = self.lease.as_ref().map(|lease| lease.interval()) else {
                return;
            };
            loop {
                tokio::time::sleep(interval).await;
                self.extend_lease().await;
            }
        };
        stop.run_until_cancelled(async { tokio::join!(maintenance, signs) })
            .await;
    }

    /// How the guard is doing, for readiness.
    #[must_use]
    pub fn status(&self) -> Status {
        let lease = self.lease.as_ref();
        Status {
            not_held: lease.and_then(|lease| lease.fault(self.memory.clock.monotonic())),
            ..self.memory.status()
        }
    }

    /// Organizations that have used most of their share of nonces.
    #[must_use]
    pub fn near(&self) -> Vec<Near> {
        self.memory.quota.near()
    }

    /// Syncs the journal, leaves the mark by which the next start, even after the machine went
    /// down, trusts it, and gives the database's lease back. Every claim from then on is refused.
    ///
    /// # Errors
    ///
    /// When the disk refuses; the mark is then missing and the next start is a careful one.
    pub async fn clean_stop(&self) -> io::Result<()> {
        let memory = Arc::clone(&self.memory);
        tokio::task::spawn_blocking(move || memory.clean_stop()).await??;
        if let Some(lease) = &self.lease
            && let Err(error) = lease.release().await
        {
            tracing::warn!(%error, "the database could not be told that this process ends, the next one may have to wait");
        }
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|stopped| OpenError::Stopped(stopped.to_string()))?
}
