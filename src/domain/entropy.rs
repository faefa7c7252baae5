//! Randomness, passed in so that tests can repeat it.

/// A source of random bytes fit for keys and nonces.
///
/// In production this is the operating system's generator; it does not return short.
pub trait Entropy: Send + Sync {
    /// Fills the whole buffer.
    fn fill(&self, buffer: &mut [u8]);
}
