//! What replicas agree on under the lock of one row: the epoch, the half minutes that it may accept, and those of
//! earlier epochs.
//!
//! A half minute is marked under one epoch only, so two epochs never accept the same dates, even if a process still
//! uses a server that another one has given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use charter_domain::timestamp::Timestamp;
use charter_store::{self as store, GuardLease, Replica, SharedGuard, SharedGuardTurn, Store};
use parking_lot::RwLock;

use super::connection::Connection;
use super::epoch::Epoch;
use super::fault::RedisFault;
use super::guard::RedisGuardInner;
use super::server::Server;
use crate::nonces::claim_error::ClaimError;
use crate::nonces::fingerprint::Fingerprints;
use crate::nonces::half_minute::HalfMinute;
use crate::nonces::half_minutes::HalfMinutes;

/// The run that all replicas share, as the database's lease has it.
pub(super) const RUN: &str = "redis";
const HOLDER: &str = "replicas with `replay.store = \"redis\"`";
/// How long a half minute stays in the row after it is over.
const ROW_RETENTION: Duration = Duration::from_hours(1);

/// How often, and how long each time, a start waits for replicas that run.
const RUNNING_WAITS: u32 = 20;
const RUNNING_WAIT: Duration = Duration::from_millis(250);

/// Why there is no agreement.
#[derive(Debug, thiserror::Error)]
pub enum Disagreement {
    #[error("Redis cannot remember nonces: {0}")]
    Redis(#[from] RedisFault),
    #[error("the database cannot be asked what was accepted: {0}")]
    Store(#[from] store::Error),
    #[error("another process remembers nonces for this database: {0}")]
    NotHeld(String),
    #[error(
        "`{0}` serves this database with another `keys.replay`: give all replicas the same; to change it, stop all of \
         them before (one that was killed counts for 30 s)"
    )]
    OtherKey(String),
    #[error(
        "this machine's clock is {0:?} away from that of Redis, so nonces could be forgotten too early: set the \
         clocks right"
    )]
    Clocks(Duration),
}

/// Whether this process has known the row since the row was last read: at a start the database may be one that was
/// restored from a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Start,
    Running,
}

impl RedisGuardInner {
    /// Continues the current epoch, or begins another one if nonces may be lost.
    pub(super) async fn agree(
        &self,
        connection: Connection,
        phase: Phase,
    ) -> Result<Epoch, Disagreement> {
        let turn = self.store.begin_shared_guard().await?;
        let lease = held(&turn)?.clone();
        let server = connection.poll().await?;
        self.check_clock(server.time)?;
        let guard = &turn.guard;
        let own_key = self.hash_key();
        let is_same_key = guard.hash_key == own_key;
        if !is_same_key && !guard.epoch.is_empty() {
            check_key(&self.store, (&own_key, guard), self.clock.now()).await?;
        }
        let mut closed = HalfMinutes::from_text(&guard.closed);
        closed.add(&HalfMinutes::from_text(&guard.marked));
        // Among them already, unless the database was replaced by one that lacks the latest marks.
        let is_marked = closed.contains_all(&self.accepted());
        if is_same_key && is_marked && is_current(guard, &server) {
            let guard = guard.clone();
            return Ok(epoch(&guard, connection));
        }
        closed.add(&self.accepted());
        if phase == Phase::Start && self.may_lack_marks(guard, &server).await? {
            tracing::warn!(
                "Redis is not the one that the database knows, or the database is older: requests dated up to \
                 `signing.max_skew` ahead of now are refused"
            );
            closed.add(&self.up_to_now());
        }
        let _over = closed.take_over(self.window, self.long_ago());
        let next = SharedGuard {
            epoch: self.new_name(),
            server: server.life,
            hash_key: own_key,
            marked: HalfMinutes::default().to_text(),
            closed: closed.to_text(),
        };
        if guard.epoch.is_empty() {
            tracing::info!("nonces are stored in Redis from now on");
        } else {
            metrics::counter!("charter_replay_epochs_total").increment(1);
            tracing::error!(
                "Redis may have lost nonces (it was emptied, restarted or replaced, or its clock jumped): requests \
                 dated up to now are refused"
            );
        }
        // Before the commit: no replica uses an epoch that the database does not name.
        connection.begin(&next.epoch).await?;
        let lease = used(&lease, &closed);
        turn.save(next.clone(), &lease).await?;
        Ok(epoch(&next, connection))
    }

    /// Marks half minutes, so that requests dated in them can be accepted in this epoch.
    pub(super) async fn open(
        &self,
        epoch: &Arc<Epoch>,
        ids: &[HalfMinute],
    ) -> Result<(), ClaimError> {
        let _turn = self.opening.lock().await;
        let is_open = |id: &&HalfMinute| epoch.open.read().contains(**id);
        let missing: HalfMinutes = ids.iter().filter(|id| !is_open(id)).copied().collect();
        if missing.is_empty() {
            return Ok(());
        }
        let time = epoch
            .connection
            .time()
            .await
            .map_err(|error| self.give_up(epoch, format!("Redis does not answer: {error}")))?;
        self.check_clock(time).map_err(|error| unsettled(&error))?;
        self.settle(epoch, self.mark(epoch, &missing).await)?;
        epoch.open.write().add(&missing);
        self.counted.lock().add(&missing);
        Ok(())
    }

    /// Marks again what the database may lack: it may have been replaced by a standby without the latest marks.
    pub(super) async fn mark_again(&self, epoch: &Arc<Epoch>) -> Result<(), ClaimError> {
        let generation = self.store.generation();
        if epoch.generation.load(Ordering::Acquire) == generation {
            return Ok(());
        }
        let _turn = self.opening.lock().await;
        let marked = self.counted.lock().clone();
        self.settle(epoch, self.mark(epoch, &marked).await)?;
        epoch.generation.store(generation, Ordering::Release);
        Ok(())
    }

    /// What became of marks.
    fn settle(
        &self,
        epoch: &Arc<Epoch>,
        marked: Result<bool, Disagreement>,
    ) -> Result<(), ClaimError> {
        match marked {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.give_up(epoch, "another epoch has begun".to_owned())),
            Err(Disagreement::NotHeld(holder)) => {
                *self.lost_to.lock() = Some(holder);
                Err(self.give_up(epoch, "another process remembers nonces".to_owned()))
            }
            Err(error) => Err(unsettled(&error)),
        }
    }

    /// Marks them if it is still the epoch; false otherwise.
    async fn mark(&self, epoch: &Epoch, ids: &HalfMinutes) -> Result<bool, Disagreement> {
        let turn = self.store.begin_shared_guard().await?;
        let lease = held(&turn)?.clone();
        if turn.guard.epoch != epoch.name {
            return Ok(false);
        }
        let mut marked = HalfMinutes::from_text(&turn.guard.marked);
        let before = marked.clone();
        marked.add(ids);
        if marked == before {
            return Ok(true);
        }
        let _over = marked.take_over(self.window, self.long_ago());
        marked.coalesce();
        let mut all = epoch.closed.clone();
        all.add(&marked);
        let guard = SharedGuard {
            marked: marked.to_text(),
            ..turn.guard.clone()
        };
        turn.save(guard, &used(&lease, &all)).await?;
        Ok(true)
    }

    /// Waits a moment for running replicas to begin the epoch: they know what they have accepted, so they close less
    /// than a start has to.
    pub(super) async fn leave_to_running(
        &self,
        connection: &Connection,
    ) -> Result<(), Disagreement> {
        for _ in 0..RUNNING_WAITS {
            let guard = self.store.shared_guard().await?;
            let server = connection.poll().await?;
            let is_left = guard.hash_key == self.hash_key()
                && !is_current(&guard, &server)
                && self.may_lack_marks(&guard, &server).await?
                && !self.store.live_hosts(self.clock.now()).await?.is_empty();
            if !is_left {
                break;
            }
            tokio::time::sleep(RUNNING_WAIT).await;
        }
        Ok(())
    }

    /// Whether nonces may be lost of which the row knows nothing: those that were accepted after the backup from which
    /// the database was restored. While Redis has been the same since the row's epoch began, it has all of them.
    async fn may_lack_marks(
        &self,
        guard: &SharedGuard,
        server: &Server,
    ) -> Result<bool, store::Error> {
        if guard.epoch.is_empty() {
            return self.store.any_key_was_used().await;
        }
        let is_kept = server.begun.as_deref() == Some(&*guard.epoch)
            && server.life == guard.server
            && guard.hash_key == self.hash_key();
        Ok(!is_kept)
    }

    /// All in which a replica can have accepted a request by now, by whichever clock.
    fn up_to_now(&self) -> HalfMinutes {
        // Two replicas' clocks differ by twice what each may differ from that of Redis.
        let apart = self.clock_tolerance.unwrap_or_default() * 2;
        HalfMinutes::through(HalfMinute::of(self.clock.now() + self.window + apart))
    }

    /// Half minutes in which this process has accepted nonces that still count.
    fn accepted(&self) -> HalfMinutes {
        let mut counted = self.counted.lock().clone();
        let _over = counted.take_over(self.window, self.clock.now());
        counted
    }

    pub(super) fn check_clock(&self, time: Duration) -> Result<(), Disagreement> {
        let Some(tolerance) = self.clock_tolerance else {
            return Ok(());
        };
        let own = self.clock.now().timestamp_micros();
        let other = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let apart = Duration::from_micros(own.abs_diff(other));
        if apart > tolerance {
            return Err(Disagreement::Clocks(apart));
        }
        self.agreed_offset.store(self.offset(), Ordering::Release);
        Ok(())
    }

    pub(super) fn hash_key(&self) -> String {
        key_id(&self.fingerprints)
    }

    fn new_name(&self) -> String {
        let mut name = [0; 16];
        self.entropy.fill(&mut name);
        hex::encode(name)
    }

    fn long_ago(&self) -> Timestamp {
        self.clock.now() - ROW_RETENTION
    }
}

/// Identifies `keys.replay`.
pub(super) fn key_id(fingerprints: &Fingerprints) -> String {
    hex::encode(fingerprints.check(HalfMinute(0), b"the key of shared nonces"))
}

/// Refuses `own` while a replica with another key is alive. One of a version that does not tell its key has the row's.
///
/// # Errors
///
/// [`Disagreement::OtherKey`], [`Disagreement::Store`].
pub(super) async fn check_key(
    store: &Store,
    (own, guard): (&str, &SharedGuard),
    now: Timestamp,
) -> Result<(), Disagreement> {
    let replicas = store.list_replicas().await?;
    let has_other = |replica: &&Replica| {
        let key = replica.replay_key.as_deref().unwrap_or(&guard.hash_key);
        !replica.is_lost(now) && key != own
    };
    match replicas.iter().find(has_other) {
        Some(other) => Err(Disagreement::OtherKey(other.host.clone())),
        None => Ok(()),
    }
}

fn unsettled(error: &Disagreement) -> ClaimError {
    ClaimError::NotHeld(error.to_string())
}

/// The lease that replicas share.
fn held(turn: &SharedGuardTurn) -> Result<&GuardLease, Disagreement> {
    match &turn.lease {
        Some(lease) if lease.run == RUN => Ok(lease),
        Some(lease) => Err(Disagreement::NotHeld(lease.holder.clone())),
        None => Err(Disagreement::NotHeld("nobody".to_owned())),
    }
}

/// The replicas' lease; a process that takes it alone closes all that is used.
pub(super) fn used(lease: &GuardLease, all: &HalfMinutes) -> GuardLease {
    GuardLease {
        run: RUN.to_owned(),
        beat: lease.beat.saturating_add(1),
        released: false,
        used: all.to_text(),
        holder: HOLDER.to_owned(),
    }
}

fn is_current(guard: &SharedGuard, server: &Server) -> bool {
    !guard.epoch.is_empty()
        && server.epoch.as_deref() == Some(&*guard.epoch)
        && guard.server == server.life
}

fn epoch(guard: &SharedGuard, connection: Connection) -> Epoch {
    Epoch {
        generation: AtomicU64::new(u64::MAX),
        name: guard.epoch.clone(),
        server: guard.server.clone(),
        connection,
        closed: HalfMinutes::from_text(&guard.closed),
        open: RwLock::default(),
    }
}
