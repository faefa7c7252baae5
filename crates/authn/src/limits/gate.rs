//! Gates with so many places: an attempt that is under way holds one, and leaves a note when it goes.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore};

use super::window::{Exceeded, remembered};
use charter_domain::clock::Clock;

/// Why a guess has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// A limit is reached.
    Exceeded(Exceeded),
    /// Too many others wait for one.
    QueueFull,
}

impl From<Exceeded> for NoPlace {
    fn from(exceeded: Exceeded) -> Self {
        Self::Exceeded(exceeded)
    }
}

/// What decides how many attempts may be under way.
pub(super) trait Rule: Send {
    fn room(&mut self, now: Duration) -> Result<usize, Exceeded>;
}

/// Who may wait at one gate, and at all of a kind. More than that would not have their turn in time,
/// and each holds memory, whether its client is still there or not.
const MAX_WAITERS: usize = 512;
const MAX_WAITERS_IN_ALL: usize = 4_096;

/// A gate for each key.
pub(super) struct Gates<K, R> {
    gates: Cache<K, Arc<Gate<R>>>,
    lines: Semaphore,
}

pub(super) struct Gate<R> {
    state: Mutex<GateState<R>>,
    changed: Notify,
    line: Semaphore,
}

struct GateState<R> {
    rule: R,
    under_way: usize,
}

impl<K: Hash + Eq + Send + Sync + 'static, R: Rule + 'static> Gates<K, R> {
    pub(super) fn new(memory: Duration) -> Self {
        Self {
            gates: remembered(memory),
            lines: Semaphore::new(MAX_WAITERS_IN_ALL),
        }
    }

    pub(super) async fn enter(
        &self,
        key: K,
        rule: impl FnOnce() -> R,
        clock: &dyn Clock,
    ) -> Result<Place<R>, NoPlace> {
        let gate = self.gates.get_with(key, || {
            Arc::new(Gate {
                state: Mutex::new(GateState {
                    rule: rule(),
                    under_way: 0,
                }),
                changed: Notify::new(),
                line: Semaphore::new(MAX_WAITERS),
            })
        });
        if !gate.try_enter(clock.monotonic())? {
            let full = |_| NoPlace::QueueFull;
            let _in_line = gate.line.try_acquire().map_err(full)?;
            let _in_any = self.lines.try_acquire().map_err(full)?;
            loop {
                gate.changed.notified().await;
                if gate.try_enter(clock.monotonic())? {
                    break;
                }
            }
        }
        Ok(Place { gate })
    }

    pub(super) fn forget(&self, key: &K) {
        self.gates.invalidate(key);
    }
}

impl<R: Rule> Gate<R> {
    /// False where there is no place now. Whoever passes or is turned away wakes the next in line,
    /// since what let it go may concern more than one.
    fn try_enter(&self, now: Duration) -> Result<bool, Exceeded> {
        let mut state = self.state.lock();
        let room = state.rule.room(now);
        let enters = match room {
            Ok(room) if state.under_way >= room => return Ok(false),
            Ok(_) => {
                state.under_way += 1;
                Ok(true)
            }
            Err(exceeded) => Err(exceeded),
        };
        drop(state);
        self.changed.notify_one();
        enters
    }
}

/// One attempt's place at a gate.
pub(super) struct Place<R: Rule> {
    gate: Arc<Gate<R>>,
}

impl<R: Rule> Place<R> {
    pub(super) fn leave(self, note: impl FnOnce(&mut R)) {
        note(&mut self.gate.state.lock().rule);
    }
}

impl<R: Rule> Drop for Place<R> {
    fn drop(&mut self) {
        let mut state = self.gate.state.lock();
        state.under_way = state.under_way.saturating_sub(1);
        drop(state);
        self.gate.changed.notify_one();
    }
}
