//! The health of a pool: which connections may be used, and the latest failure.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Shared by the pool's hooks and the users of its connections.
#[derive(Debug)]
pub(crate) struct Health {
    started: Instant,
    /// When a statement last succeeded, in milliseconds since the start.
    answered: AtomicU64,
    /// Connections made so far.
    made: AtomicU64,
    /// Connections opened before this time are closed, not used.
    distrusted: Mutex<Option<Instant>>,
    failing: AtomicBool,
    fault: Mutex<Option<String>>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            answered: AtomicU64::new(0),
            made: AtomicU64::new(0),
            distrusted: Mutex::default(),
            failing: AtomicBool::default(),
            fault: Mutex::default(),
        }
    }
}

impl Health {
    /// Reports a connection in doubt: its commit failed, it did not answer in time, or it was inside a
    /// transaction. It is unknown which one it was, so all open ones are closed when they are next returned or
    /// requested.
    pub(crate) fn distrust(&self, reason: impl Display) {
        *self.distrusted.lock() = Some(Instant::now());
        metrics::counter!("charter_store_connections_distrusted_total").increment(1);
        let reason = reason.to_string();
        if !self.failing.swap(true, Ordering::AcqRel) {
            tracing::error!(%reason, "database connections are closed and opened anew");
        }
        *self.fault.lock() = Some(reason);
    }

    /// Has all open connections closed when they are next returned or requested. That is no fault.
    pub(super) fn renew(&self) {
        *self.distrusted.lock() = Some(Instant::now());
    }

    /// Whether a connection of that age may be used.
    pub(super) fn trusts(&self, age: Duration) -> bool {
        let distrusted = *self.distrusted.lock();
        distrusted.is_none_or(|moment| age < moment.elapsed())
    }

    /// Records a new connection.
    pub(super) fn connected(&self) {
        self.made.fetch_add(1, Ordering::AcqRel);
    }

    /// How many connections were made.
    pub(super) fn connections(&self) -> u64 {
        self.made.load(Ordering::Acquire)
    }

    /// Records a successful statement.
    pub(super) fn answers(&self) {
        self.answered.store(self.now(), Ordering::Relaxed);
    }

    /// Records a success that ends the latest fault.
    pub(super) fn works(&self) {
        self.answers();
        if self.failing.load(Ordering::Acquire) {
            *self.fault.lock() = None;
            self.failing.store(false, Ordering::Release);
            tracing::info!("the database answers again");
        }
    }

    /// Whether nothing has succeeded for that long. Returns true at most once in that time.
    pub(super) fn is_silent_for(&self, time: Duration) -> bool {
        let (now, answered) = (self.now(), self.answered.load(Ordering::Relaxed));
        let is_silent = u128::from(now.saturating_sub(answered)) > time.as_millis();
        let relaxed = Ordering::Relaxed;
        is_silent
            && self
                .answered
                .compare_exchange(answered, now, relaxed, relaxed)
                .is_ok()
    }

    fn now(&self) -> u64 {
        let elapsed = self.started.elapsed().as_millis();
        elapsed.try_into().unwrap_or(u64::MAX)
    }

    /// The latest failure, until something succeeds.
    pub(crate) fn fault(&self) -> Option<String> {
        self.fault.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn connections_from_before_a_fault_are_not_used_after_it() {
        let health = Health::default();
        assert!(health.trusts(HOUR));
        health.distrust("the commit failed");
        assert!(!health.trusts(HOUR));
        assert_eq!(health.fault().as_deref(), Some("the commit failed"));
        health.works();
        assert_eq!(health.fault(), None);
        assert!(!health.trusts(HOUR), "it is as old as before");
        assert!(!health.is_silent_for(HOUR));
    }
}
