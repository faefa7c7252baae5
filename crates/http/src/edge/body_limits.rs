//! How much of request bodies is read, and what they may take of the memory.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::edge::memory_budget::MemoryBudget;

/// How much of a body is read, and for how long.
#[derive(Debug, Clone)]
pub struct BodyLimits {
    /// Bytes.
    pub max_bytes: usize,
    /// For the whole body, from its first read.
    pub deadline: Duration,
    /// What all bodies together may take.
    pub memory: BodyMemory,
}

impl BodyLimits {
    /// The same for a route whose bodies are short.
    #[must_use]
    pub fn at_most(mut self, max_bytes: usize) -> Self {
        self.max_bytes = self.max_bytes.min(max_bytes);
        self
    }
}

/// What all bodies that are held at one time may take together. When it runs short, the one that
/// has been arriving for longest is refused.
#[derive(Debug, Clone)]
pub struct BodyMemory(pub(crate) MemoryBudget<CancellationToken>);

impl BodyMemory {
    /// How many bytes it is.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.limit()
    }

    /// So many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(MemoryBudget::new(bytes))
    }
}
