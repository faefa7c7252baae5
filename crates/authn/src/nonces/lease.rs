//! Who may accept nonces for this database: one process at a time, by a row in the database.
//!
//! The holder extends its lease every few seconds, and with it the half minutes that it may open. A
//! holder that was paused or cut off asks again before its next claim. Another process takes over
//! when the row has not moved for a lease's time by its own monotonic clock (no two machines' wall
//! clocks are compared), and closes every half minute that any holder before it could have opened,
//! so that even a holder which does not know of its end accepts nothing that the next one would.

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
use super::memory::Memory;
use super::open_error::{LeaseError, OpenError};
use super::recovery::Known;
use super::state::FoundState;
use charter_store::{self as store, GuardLease, Store};

/// How often within a lease's time it is looked whether somebody else's moves.
const LOOKS: u32 = 40;
/// How often within its time a lease is extended.
const EXTENSIONS: u32 = 6;
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// The row as it was when nobody seemed to hold it.
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
    /// Every half minute that any process may have opened, this one's among them.
    used: Mutex<HalfMinutes>,
    /// Who took it over.
    lost_to: Mutex<Option<String>>,
    /// One extends it at a time, and the others find it extended.
    extending: tokio::sync::Mutex<()>,
}

/// Who holds the database's lease now, in words; `None` if nobody does. Takes up to `time`, the
/// lease's own, if the row does not move: a holder that was killed leaves it behind. Ask it before
/// anything that must not be done beside a running service.
///
/// # Errors
///
/// Those of the database.
pub async fn live_holder(store: &Store, time: Duration) -> Result<Option<String>, store::Error> {
    let mut seen = store.guard_lease().await?;
    for _ in 0..LOOKS {
        if seen.as_ref().is_none_or(|lease| lease.released) {
            return Ok(None);
        }
        tokio::time::sleep(time / LOOKS).await;
        let now = store.guard_lease().await?;
        if now != seen {
            let holder = now.filter(|lease| !lease.released);
            return Ok(holder.map(|lease| lease.holder));
        }
        seen = now;
    }
    Ok(None)
}

/// Who serves the database, seen from a directory that a journal is or would be in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Occupant {
    /// Nobody.
    Nobody,
    /// Nobody any more: that process ended without saying so, and the next start takes over.
    Gone(String),
    /// The service that has this directory.
    Own(String),
    /// Another one; none starts here before it ends.
    Other(String),
}

/// Looks who serves the database. Takes up to `time`, as [`live_holder`] does; locks and writes nothing.
///
/// # Errors
///
/// [`OpenError::Directory`], and the database's as [`OpenError::Lease`].
pub async fn occupant(
    store: &Store,
    directory: &Path,
    time: Duration,
) -> Result<Occupant, OpenError> {
    let in_lease = |error| OpenError::Lease(LeaseError::Store(error));
    let left = read_state(directory).map_err(|source| OpenError::Directory {
        path: directory.to_owned(),
        source,
    })?;
    let seen = store.guard_lease().await.map_err(in_lease)?;
    let Some(lease) = seen.filter(|lease| !lease.released) else {
        return Ok(Occupant::Nobody);
    };
    let is_own = left.is_some_and(|left| !left.copied && left.state.is_directory_of(&lease.run));
    Ok(match live_holder(store, time).await.map_err(in_lease)? {
        None => Occupant::Gone(lease.holder),
        Some(holder) if is_own => Occupant::Own(holder),
        Some(holder) => Occupant::Other(holder),
    })
}

impl Turn {
    /// Waits until nobody else holds the lease. Who has the directory that the holder had, and its
    /// lock, knows that the holder is gone, and waits for nothing.
    pub(super) async fn wait(
        store: &Store,
        left: Option<&FoundState>,
        time: Duration,
    ) -> Result<Self, LeaseError> {
        let seen = store.guard_lease().await?;
        let is_own = |lease: &GuardLease| {
            left.is_some_and(|left| !left.copied && left.state.is_directory_of(&lease.run))
        };
        if seen
            .as_ref()
            .is_none_or(|lease| lease.released || is_own(lease))
        {
            return Ok(Self { seen });
        }
        if let Some(lease) = &seen {
            tracing::warn!(
                holder = lease.holder,
                seconds = time.as_secs(),
                "another process held the database and did not say that it ends, waiting for a sign of it"
            );
        }
        match live_holder(store, time).await? {
            Some(holder) => Err(LeaseError::Held(holder)),
            None => Ok(Self {
                seen: store.guard_lease().await?,
            }),
        }
    }

    /// What must be closed because others may have accepted it: nothing, if this directory is where
    /// the last run's nonces are.
    pub(super) fn known(&self, run: String, left: Option<&FoundState>) -> Known {
        let (held, unknown) = self.seen.iter().partition::<Vec<_>, _>(|lease| {
            left.is_some_and(|left| left.state.has_all_of(&lease.run, lease.beat))
        });
        let (held, unknown) = (held.first(), unknown.first());
        if unknown.is_some() {
            tracing::warn!(
                "the database was served with another data directory since, or this one is older \
                 than that: what was accepted then is closed"
            );
        }
        Known {
            run,
            is_first: self.seen.is_none(),
            before: held.map(|lease| (lease.run.clone(), lease.beat)),
            unknown: unknown.copied().map(used_of).unwrap_or_default(),
        }
    }

    /// Takes the lease; claims can then be granted.
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
    /// How often it should be extended.
    pub(super) fn interval(&self) -> Duration {
        self.time / EXTENSIONS
    }

    /// Whether nobody else can have taken it over by that time of the monotonic clock.
    pub(super) fn is_held(&self, monotonic: Duration) -> bool {
        nanoseconds(monotonic) < self.held_until.load(Ordering::Acquire)
    }

    /// Why it is not held, for readiness.
    pub(super) fn fault(&self, monotonic: Duration) -> Option<String> {
        match &*self.lost_to.lock() {
            Some(holder) => Some(format!(
                "another process has taken the database over ({holder}); stop one of the two"
            )),
            None if self.is_held(monotonic) => None,
            None => Some("the lease in the database could not be extended in time".to_owned()),
        }
    }

    /// Makes sure that it is held, and that this half minute may be opened.
    ///
    /// # Errors
    ///
    /// [`ClaimError::NotHeld`] and what the disk says.
    pub(super) async fn ensure(
        &self,
        memory: &Arc<Memory>,
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
    pub(super) async fn extend(&self, memory: &Arc<Memory>) -> Result<(), ClaimError> {
        let _turn = self.extending.lock().await;
        self.extend_now(memory).await
    }

    async fn extend_now(&self, memory: &Arc<Memory>) -> Result<(), ClaimError> {
        if let Some(holder) = self.lost_to.lock().clone() {
            return Err(ClaimError::NotHeld(holder));
        }
        // Before anything is asked: whoever waits for a sign of this process waits longer.
        let started = memory.clock.monotonic();
        let now = memory.clock.now();
        let mut used = self.used.lock().clone();
        used.add(&HalfMinutes::within(
            memory.window.saturating_add(GRACE),
            now,
        ));
        used.coalesce();
        // First in the directory: it is never behind the database, unless it is an older one.
        let noting = Arc::clone(memory);
        let beat = tokio::task::spawn_blocking(move || noting.note_beat())
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

    /// Another process holds it: for good, for it may have accepted anything since.
    async fn lost(&self) -> ClaimError {
        self.held_until.store(0, Ordering::Release);
        let lease = self.store.guard_lease().await.ok().flatten();
        let holder = lease.map_or_else(|| "unknown".to_owned(), |lease| lease.holder);
        tracing::error!(
            holder,
            "another process has taken the database over while this one was paused or cut off; \
             signed requests are refused here until one of the two is stopped"
        );
        *self.lost_to.lock() = Some(holder.clone());
        ClaimError::NotHeld(holder)
    }

    /// Says that this process ends, so that the next one need not wait.
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
