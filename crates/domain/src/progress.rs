//! How far long work has come: counted by who does it, read by who shows it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Steps done, and steps known to be needed so far. Clones share the count.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Steps>);

#[derive(Debug, Default)]
struct Steps {
    done: AtomicU64,
    known: AtomicU64,
}

impl Progress {
    /// So many more are needed.
    pub fn expect(&self, steps: u64) {
        self.0.known.fetch_add(steps, Ordering::Relaxed);
    }

    /// So many more are done.
    pub fn advance(&self, steps: u64) {
        self.0.done.fetch_add(steps, Ordering::Relaxed);
    }

    /// How many are done.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.0.done.load(Ordering::Relaxed)
    }

    /// How many are known to be needed; 0 where nobody counts.
    #[must_use]
    pub fn known(&self) -> u64 {
        self.0.known.load(Ordering::Relaxed)
    }
}
