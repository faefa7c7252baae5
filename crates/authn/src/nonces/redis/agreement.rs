//! What replicas agree on under the lock of one row: the epoch, the half minutes that it may accept, and those of
//! earlier epochs.
//!
//! A half minute is marked under one epoch only, so two epochs never accept the same dates, even if a process still
//! uses a server that another one has given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use charter_domain::timestamp::Timestamp;
use charter_store::{self as store, GuardLease, SharedGuard, SharedGuardTurn};
use parking_lot::RwLock;

use super::connection::Connection;
use super::epoch::Epoch;
use super::fault::Fault;
use super::guard::RedisGuardInner;
use super::server::Server;
use crate::nonces::claim_error::ClaimError;
use crate::nonces::half_minute::HalfMinute;
use crate::nonces::half_minutes::HalfMinutes;

/// The run that all replicas share, as the database's lease has it.
pub(super) const RUN: &str = "redis";
const HOLDER: &str = "replicas with `replay.store = \"redis\"`";
/// How long a half minute stays in the row after it is over.
const ROW_RETENTION: Duration = Duration::from_hours(1);

/// Why there is no agreement.
#[derive(Debug, thiserror::Error)]
pub enum Disagreement {
    #[error("Redis cannot remember nonces: {0}")]
    Redis(#[from] Fault),
    #[error("the database cannot be asked what was accepted: {0}")]
    Store(#[from] store::Error),
    #[error("another process remembers nonces for this database: {0}")]
    NotHeld(String),
    #[error("the other replicas have another `keys.replay`, give all the same")]
    OtherKey,
    #[error(
        "this machine's clock is {0:?} away from that of Redis, so nonces could be forgotten too early: set the \
         clocks right"
    )]
    Clocks(Duration),
}

/// Whether the process may bring another `keys.replay`.
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
        let is_same_key = turn.guard.hash_key == self.hash_key();
        let guard = &turn.guard;
        if !is_same_key && !guard.epoch.is_empty() && phase == Phase::Running {
            return Err(Disagreement::OtherKey);
        }
        if is_same_key && is_current(guard, &server) {
            let guard = guard.clone();
            return Ok(epoch(&guard, connection));
        }
        let mut closed = HalfMinutes::from_text(&guard.closed);
        closed.add(&HalfMinutes::from_text(&guard.marked));
        // Among them already, unless the database was replaced by one that lacks the latest marks.
        closed.add(&self.counted.lock());
        let _over = closed.take_over(self.window, self.long_ago());
        let next = SharedGuard {
            epoch: self.new_name(),
            server: server.life,
            hash_key: self.hash_key(),
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

    /// Identifies `keys.replay`.
    pub(super) fn hash_key(&self) -> String {
        hex::encode(
            self.fingerprints
                .check(HalfMinute(0), b"the key of shared nonces"),
        )
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
