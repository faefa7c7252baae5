//! Limits on request bodies.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::edge::memory_budget::MemoryBudget;

/// Limits on one body.
#[derive(Debug, Clone)]
pub struct BodyLimits {
    pub max_bytes: usize,
    /// Time for the whole body, from its first read.
    pub deadline: Duration,
    /// Shared by all bodies.
    pub memory: BodyMemory,
}

impl BodyLimits {
    /// With a smaller size, for routes with short bodies.
    #[must_use]
    pub fn at_most(mut self, max_bytes: usize) -> Self {
        self.max_bytes = self.max_bytes.min(max_bytes);
        self
    }
}

/// Limits the memory of all bodies that are being received. When it runs short, the body that has been arriving
/// for longest is refused.
#[derive(Debug, Clone)]
pub struct BodyMemory(pub(crate) MemoryBudget<CancellationToken>);

impl BodyMemory {
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.limit()
    }

    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(MemoryBudget::new(bytes))
    }
}
