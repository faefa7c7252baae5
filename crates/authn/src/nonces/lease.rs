//! The lease of the database: one process at a time accepts nonces for it.
//!
//! The holder extends its lease every few seconds, and with it the half minutes that it may open. A holder that was
//! paused or cut off extends it before its next claim. Another process takes over when the row has not changed for the
//! lease's time by its own monotonic clock (wall clocks are not compared). It closes every half minute that any earlier
//! holder could have opened, so a holder that does not know of its end accepts nothing that the next one would.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::claim_error::ClaimError;
use super::directory::read_state;
use super::half_minute::{GRACE, HalfMinute};
use super::half_minutes::HalfMinutes;
use super::in_memory_guard::InMemoryGuard;
use super::open_error::{LeaseError, OpenError};
use super::recovery::DatabaseRuns;
use super::state::FoundState;
use charter_store::{self as store, GuardLease, Store};

/// How often within a lease's time the row of another holder is polled.
const POLLS_PER_LEASE: u32 = 40;
/// How often within its time a lease is extended.
pub(super) const EXTENSIONS_PER_LEASE: u32 = 6;
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// The row when no other process held it.
pub(super) struct Turn {
    seen: Option<GuardLease>,
}

/// The lease of this process.
pub(super) struct Lease {
    store: Arc<Store>,
    run: String,
    time: Duration,
    /// Until when it is held, on the monotonic clock, in nanoseconds.
    held_until: AtomicU64,
    /// Every half minute that any process may have opened, this one included.
    used: Mutex<HalfMinutes>,
    /// The process that took it over.
    lost_to: Mutex<Option<String>>,
    /// Concurrent claims share one extension.
    extending: tokio::sync::Mutex<()>,
}

/// A description of the process that holds the database's lease; `None` if none does. Takes up to `time`, the lease's,
/// if the row does not change: a killed holder does not release it. For commands that must not run beside a service.
///
/// # Errors
///
/// Those of the database.
pub async fn live_holder(store: &Store, time: Duration) -> Result<Option<String>, store::Error> {
    let mut seen = store.guard_lease().await?;
    for _ in 0..POLLS_PER_LEASE {
        if seen.as_ref().is_none_or(|lease| lease.released) {
            return Ok(None);
        }
        tokio::time::sleep(time / POLLS_PER_LEASE).await;
        let now = store.guard_lease().await?;
        if now != seen {
            let holder = now.filter(|lease| !lease.released);
            return Ok(holder.map(|lease| lease.holder));
        }
        seen = now;
    }
    Ok(None)
}

/// The process that serves the database, relative to a journal's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseHolder {
    /// Nobody.
    Nobody,
    /// A process that ended without releasing the lease; the next start takes over.
    Gone(String),
    /// The service that uses this directory.
    Own(String),
    /// Another one; no service can start here before it ends.
    Other(String),
}

/// What a start with a journal's directory would find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundLease {
    pub holder: LeaseHolder,
    /// Whether the directory lacks nonces of the process that served the database last: it was lost, copied or
    /// restored, or another directory was used. After a start, requests that could have been accepted until then are
    /// refused.
    pub may_lack_nonces: bool,
}

/// Finds the process that serves the database. Takes up to `time`, as [`live_holder`]; locks and writes nothing.
///
/// # Errors
///
/// [`OpenError::Directory`], and the database's as [`OpenError::Lease`].
pub async fn find_lease(
    store: &Store,
    directory: &Path,
    time: Duration,
) -> Result<FoundLease, OpenError> {
    let in_lease = |error| OpenError::Lease(LeaseError::Store(error));
    let left = read_state(directory).map_err(|source| OpenError::Directory {
        path: directory.to_owned(),
        source,
    })?;
    let seen = store.guard_lease().await.map_err(in_lease)?;
    let is_own = seen.as_ref().is_some_and(|lease| {
        left.is_some_and(|left| !left.copied && left.state.is_directory_of(&lease.run))
    });
    let may_lack_nonces = seen.is_some() && !is_own;
    let holder = match seen.filter(|lease| !lease.released) {
        None => LeaseHolder::Nobody,
        Some(lease) => match live_holder(store, time).await.map_err(in_lease)? {
            None => LeaseHolder::Gone(lease.holder),
            Some(holder) if is_own => LeaseHolder::Own(holder),
            Some(holder) => LeaseHolder::Other(holder),
        },
    };
    Ok(FoundLease {
        holder,
        may_lack_nonces,
    })
}

/// Waits until a lease that was not released expires; the row afterwards.
pub(super) async fn wait_for_expiry(
    store: &Store,
    lease: &GuardLease,
    time: Duration,
) -> Result<Option<GuardLease>, LeaseError> {
    tracing::warn!(
        holder = lease.holder,
        seconds = time.as_secs(),
        "the previous holder did not release the database; waiting for its lease to expire"
    );
    match live_holder(store, time).await? {
        Some(holder) => Err(LeaseError::Held(holder)),
        None => Ok(store.guard_lease().await?),
    }
}

/// For readiness: `holder` has the lease now.
pub(super) fn taken_over(holder: &str) -> String {
    format!("another process has taken the database over ({holder}); stop one of the two")
}

impl Turn {
    /// Waits until no other process holds the lease. If this process has locked the holder's directory, the holder has
    /// ended, and there is no wait.
    pub(super) async fn wait(
        store: &Store,
        left: Option<&FoundState>,
        time: Duration,
    ) -> Result<Self, LeaseError> {
        let seen = store.guard_lease().await?;
        let is_own = |lease: &GuardLease| {
            left.is_some_and(|left| !left.copied && left.state.is_directory_of(&lease.run))
        };
        match seen {
            Some(lease) if !lease.released && !is_own(&lease) => Ok(Self {
                seen: wait_for_expiry(store, &lease, time).await?,
            }),
            seen => Ok(Self { seen }),
        }
    }

    /// The runs before, and the half minutes to close because they may have accepted nonces elsewhere: none if this
    /// directory is the latest run's.
    pub(super) fn runs(&self, run: String, left: Option<&FoundState>) -> DatabaseRuns {
        let (held, unknown) = self.seen.iter().partition::<Vec<_>, _>(|lease| {
            left.is_some_and(|left| left.state.has_all_of(&lease.run, lease.beat))
        });
        let (held, unknown) = (held.first(), unknown.first());
        if unknown.is_some() {
            tracing::warn!(
                "the database was served with another data directory, or this one was restored from a backup: half \
                 minutes in which nonces may have been accepted are closed"
            );
        }
        DatabaseRuns {
            run,
            is_first: self.seen.is_none(),
            before: held.map(|lease| (lease.run.clone(), lease.beat)),
            unknown: unknown.copied().map(used_of).unwrap_or_default(),
        }
    }

    /// Takes the lease.
    pub(super) async fn take(
        self,
        store: Arc<Store>,
        run: String,
        time: Duration,
        directory: &Path,
    ) -> Result<Lease, LeaseError> {
        let used = self.seen.as_ref().map(used_of).unwrap_or_default();
        let new = GuardLease {
            run: run.clone(),
            beat: 0,
            released: false,
            used: used.to_text(),
            holder: holder(directory),
        };
        if !store.take_guard_lease(self.seen.as_ref(), &new).await? {
            return Err(LeaseError::Overtaken);
        }
        Ok(Lease {
            store,
            run,
            time,
            held_until: AtomicU64::new(0),
            used: Mutex::new(used),
            lost_to: Mutex::new(None),
            extending: tokio::sync::Mutex::new(()),
        })
    }
}

impl Lease {
    /// The interval of extensions.
    pub(super) fn interval(&self) -> Duration {
        self.time / EXTENSIONS_PER_LEASE
    }

    /// Whether no other process can have taken it over at that time of the monotonic clock.
    pub(super) fn is_held(&self, monotonic: Duration) -> bool {
        nanoseconds(monotonic) < self.held_until.load(Ordering::Acquire)
    }

    /// Why it is not held, for readiness.
    pub(super) fn fault(&self, monotonic: Duration) -> Option<String> {
        match &*self.lost_to.lock() {
            Some(holder) => Some(taken_over(holder)),
            None if self.is_held(monotonic) => None,
            None => Some("the lease in the database could not be extended in time".to_owned()),
        }
    }

    /// Ensures that it is held, and that this half minute may be opened.
    ///
    /// # Errors
    ///
    /// [`ClaimError::NotHeld`] and errors of the disk.
    pub(super) async fn ensure(
        &self,
        memory: &Arc<InMemoryGuard>,
        id: HalfMinute,
    ) -> Result<(), ClaimError> {
        let _turn = self.extending.lock().await;
        if self.is_held(memory.clock.monotonic()) && self.used.lock().contains(id) {
            return Ok(());
        }
        self.extend_now(memory).await
    }

    /// Extends it, and the half minutes that may be opened.
    ///
    /// # Errors
    ///
    /// As [`Lease::ensure`].
    pub(super) async fn extend(&self, memory: &Arc<InMemoryGuard>) -> Result<(), ClaimError> {
        let _turn = self.extending.lock().await;
        self.extend_now(memory).await
    }

    async fn extend_now(&self, memory: &Arc<InMemoryGuard>) -> Result<(), ClaimError> {
        if let Some(holder) = self.lost_to.lock().clone() {
            return Err(ClaimError::NotHeld(holder));
        }
        // Before the first query, so that this process considers it expired first.
        let started = memory.clock.monotonic();
        let now = memory.clock.now();
        let mut used = self.used.lock().clone();
        used.add(&HalfMinutes::within(
            memory.window.saturating_add(GRACE),
            now,
        ));
        used.coalesce();
        // First in the directory, so that only a restored one can be behind the database.
        let recorder = Arc::clone(memory);
        let beat = tokio::task::spawn_blocking(move || recorder.record_heartbeat())
            .await
            .map_err(io::Error::other)
            .and_then(std::convert::identity)
            .map_err(|error| memory.unavailable(error))?;
        let extended = self
            .store
            .extend_guard_lease(&self.run, beat, &used.to_text())
            .await;
        match extended {
            Ok(true) => {
                *self.used.lock() = used.clone();
                *memory.granted.write() = Some(used);
                let until = nanoseconds(started.saturating_add(self.time));
                self.held_until.store(until, Ordering::Release);
                Ok(())
            }
            Ok(false) => Err(self.lost().await),
            Err(error) => Err(ClaimError::NotHeld(error.to_string())),
        }
    }

    /// Another process holds it. Final, because that one may have accepted nonces since.
    async fn lost(&self) -> ClaimError {
        self.held_until.store(0, Ordering::Release);
        let lease = self.store.guard_lease().await;
        let lease = lease.inspect_err(|error| {
            let error = error as &dyn std::error::Error;
            tracing::error!(error, "could not read who holds the database now");
        });
        let lease = lease.ok().flatten();
        let holder = lease.map_or_else(|| "unknown".to_owned(), |lease| lease.holder);
        tracing::error!(
            holder,
            "another process has taken the database over while this one was paused or cut off; signed requests are \
             refused here until one of the two is stopped"
        );
        *self.lost_to.lock() = Some(holder.clone());
        ClaimError::NotHeld(holder)
    }

    /// Releases it, so that the next process need not wait.
    ///
    /// # Errors
    ///
    /// Those of the database: the next process then waits.
    pub(super) async fn release(&self) -> Result<(), store::Error> {
        self.held_until.store(0, Ordering::Release);
        self.store.release_guard_lease(&self.run).await
    }
}

fn used_of(lease: &GuardLease) -> HalfMinutes {
    HalfMinutes::from_text(&lease.used)
}

fn holder(directory: &Path) -> String {
    let host = std::fs::read_to_string(HOST_NAME).unwrap_or_default();
    let (process, host, directory) = (std::process::id(), host.trim(), directory.display());
    format!("process {process} on `{host}` with the journal `{directory}`")
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
