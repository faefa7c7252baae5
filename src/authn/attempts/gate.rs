//! Gates with so many places: an attempt that is under way holds one, and leaves a note when it goes.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::window::{Exceeded, remembered};
use crate::domain::clock::Clock;

/// What decides how many attempts may be under way.
pub(super) trait Rule: Send {
    fn room(&mut self, now: Duration) -> Result<usize, Exceeded>;
}

/// A gate for each key.
pub(super) struct Gates<K, R>(Cache<K, Arc<Gate<R>>>);

pub(super) struct Gate<R> {
    state: Mutex<GateState<R>>,
    changed: Notify,
}

struct GateState<R> {
    rule: R,
    under_way: usize,
}

impl<K: Hash + Eq + Send + Sync + 'static, R: Rule + 'static> Gates<K, R> {
    pub(super) fn new(memory: Duration) -> Self {
        Self(remembered(memory))
    }

    pub(super) async fn enter(
        &self,
        key: K,
        rule: impl FnOnce() -> R,
        clock: &dyn Clock,
    ) -> Result<Place<R>, Exceeded> {
        let gate = self.0.get_with(key, || {
            Arc::new(Gate {
                state: Mutex::new(GateState {
                    rule: rule(),
                    under_way: 0,
                }),
                changed: Notify::new(),
            })
        });
        while !gate.try_enter(clock.monotonic())? {
            gate.changed.notified().await;
        }
        Ok(Place { gate })
    }

    pub(super) fn forget(&self, key: &K) {
        self.0.invalidate(key);
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
