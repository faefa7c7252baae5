//! The replay guard of one process: claims, buckets, lease.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::claim_error::ClaimError;
use super::config::ReplayGuardConfig;
use super::half_minute::HalfMinute;
use super::in_memory_guard::{ClaimAttempt, InMemoryGuard};
use super::lease::Lease;
use super::nonce_store::NonceStore;
use super::open_error::OpenError;
use super::recovery;
use super::status::Status;
use charter_budgets::Near;
use charter_domain::clock::Clock;
use charter_domain::id::{AccessKeyId, OrganizationId};
use charter_domain::timestamp::Timestamp;

/// How often [`ReplayGuard::run`] drops and opens buckets.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(1);
/// Timeout for releasing the lease at the end of this process.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// Remembers nonces in memory, with a journal on disk. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct ReplayGuard {
    memory: Arc<InMemoryGuard>,
    /// `None` without a database.
    lease: Option<Arc<Lease>>,
    /// One bucket is opened at a time: waiting claims wait here, not in threads.
    opening: Arc<tokio::sync::Mutex<()>>,
}

impl ReplayGuard {
    /// Opens a guard without a database: locks the directory, reads the journals back, and opens the first buckets.
    /// Blocks on the disk.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if another process holds the lock or the directory cannot be used. A damaged journal is
    /// not an error: its half minute stays closed.
    pub fn open(config: &ReplayGuardConfig, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let found = recovery::find(config)?;
        Ok(Self::new(recovery::open(config, clock, found, None)?, None))
    }

    pub(super) fn new(memory: InMemoryGuard, lease: Option<Arc<Lease>>) -> Self {
        Self {
            memory: Arc::new(memory),
            lease,
            opening: Arc::default(),
        }
    }

    async fn ensure(&self, lease: &Arc<Lease>, id: HalfMinute) -> Result<(), ClaimError> {
        let ensured = lease.ensure(&self.memory, id).await;
        ensured.inspect_err(|refusal| self.memory.telemetry.refused(refusal))
    }

    /// Drops the buckets whose time is over and opens the next ones. Blocks on the disk.
    pub fn maintain(&self) {
        self.memory.maintain();
        self.memory.restore_unread();
    }

    async fn run_blocking(&self, work: fn(&InMemoryGuard)) {
        let memory = Arc::clone(&self.memory);
        if let Err(stopped) = tokio::task::spawn_blocking(move || work(&memory)).await {
            tracing::error!(error = %stopped, "the replay guard's maintenance failed");
        }
    }

    pub(super) async fn extend_lease(&self) {
        let Some(lease) = &self.lease else {
            return;
        };
        if let Err(error) = lease.extend(&self.memory).await {
            tracing::warn!(%error, "could not extend the replay guard's lease of the database; retrying");
        }
    }

    /// Maintains the guard every second until `stop`, and its lease.
    pub async fn run(self, stop: CancellationToken) {
        let maintenance = async {
            loop {
                tokio::time::sleep(MAINTENANCE_INTERVAL).await;
                self.run_blocking(InMemoryGuard::maintain).await;
            }
        };
        // Separate, as a disk that does not answer blocks it.
        let unread = async {
            loop {
                tokio::time::sleep(MAINTENANCE_INTERVAL).await;
                self.run_blocking(InMemoryGuard::restore_unread).await;
            }
        };
        let extensions = async {
            let Some(interval) = self.lease.as_ref().map(|lease| lease.interval()) else {
                return;
            };
            loop {
                tokio::time::sleep(interval).await;
                self.extend_lease().await;
            }
        };
        stop.run_until_cancelled(async { tokio::join!(maintenance, unread, extensions) })
            .await;
    }

    /// Syncs the journals, marks them as complete for the next start, and releases the database's lease. Every later
    /// claim is refused.
    ///
    /// # Errors
    ///
    /// Errors of the disk: then the mark is missing, and the next start closes what may be lost.
    pub async fn clean_stop(&self) -> io::Result<()> {
        let memory = Arc::clone(&self.memory);
        tokio::task::spawn_blocking(move || memory.clean_stop()).await??;
        if let Some(lease) = &self.lease {
            let released = tokio::time::timeout(RELEASE_TIMEOUT, lease.release()).await;
            let fault = match released {
                Ok(released) => released.err().map(|error| error.to_string()),
                Err(elapsed) => Some(elapsed.to_string()),
            };
            if let Some(error) = fault {
                tracing::warn!(
                    error,
                    "could not release the database's lease; the next start may have to wait"
                );
            }
        }
        Ok(())
    }
}

#[async_trait]
impl NonceStore for ReplayGuard {
    /// Normally waits neither for the disk nor for the database.
    async fn claim(
        &self,
        key: AccessKeyId,
        organization: OrganizationId,
        nonce: &str,
        date: Timestamp,
    ) -> Result<(), ClaimError> {
        let memory = &self.memory;
        if let Some(lease) = &self.lease
            && !lease.is_held(memory.clock.monotonic())
        {
            // The process was paused, or the database did not answer for a while.
            self.ensure(lease, HalfMinute::of(date)).await?;
        }
        // Twice at most: a bucket that is gone again is over.
        for _ in 0..2 {
            match memory.claim(key, organization, nonce, date).await? {
                ClaimAttempt::Claimed => return Ok(()),
                ClaimAttempt::NoBucket(id) => {
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
                        .map_err(|stopped| ClaimError::Unavailable(io::Error::other(stopped)))??;
                }
            }
        }
        Err(ClaimError::OutsideWindow)
    }

    fn status(&self) -> Status {
        let lease = self.lease.as_ref();
        Status {
            not_held: lease.and_then(|lease| lease.fault(self.memory.clock.monotonic())),
            ..self.memory.status()
        }
    }

    fn near(&self) -> Vec<Near> {
        self.memory.quota.near()
    }

    async fn maintain(&self) {
        self.run_blocking(InMemoryGuard::maintain).await;
        self.run_blocking(InMemoryGuard::restore_unread).await;
    }

    async fn maintain_until(&self, stop: CancellationToken) {
        self.clone().run(stop).await;
    }

    async fn clean_stop(&self) -> io::Result<()> {
        Self::clean_stop(self).await
    }
}
