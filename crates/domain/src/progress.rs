//! Progress of long work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Steps done, and steps needed as far as known. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Steps>);

#[derive(Debug, Default)]
struct Steps {
    done: AtomicU64,
    known: AtomicU64,
}

impl Progress {
    /// Adds steps to those needed.
    pub fn expect(&self, steps: u64) {
        self.0.known.fetch_add(steps, Ordering::Relaxed);
    }

    /// Adds steps to those done.
    pub fn advance(&self, steps: u64) {
        self.0.done.fetch_add(steps, Ordering::Relaxed);
    }

    #[must_use]
    pub fn done(&self) -> u64 {
        self.0.done.load(Ordering::Relaxed)
    }

    /// Steps needed; 0 if unknown.
    #[must_use]
    pub fn known(&self) -> u64 {
        self.0.known.load(Ordering::Relaxed)
    }
}
