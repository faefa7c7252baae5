//! Randomness, passed in so that tests can repeat it.

use rand::TryRng;
use rand::rngs::SysRng;

/// A source of random bytes fit for keys and nonces.
///
/// In production this is the operating system's generator; it does not return short.
pub trait Entropy: Send + Sync {
    /// Fills the whole buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    /// # Panics
    ///
    /// When the operating system has no randomness to give. Going on without would hand out keys
    /// that can be guessed, and on the systems we run on it does not happen after boot.
    fn fill(&self, buffer: &mut [u8]) {
        #[expect(
            clippy::panic,
            reason = "no key may be made from anything but randomness"
        )]
        if let Err(error) = SysRng.try_fill_bytes(buffer) {
            panic!("the operating system's random generator failed: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        let (mut one, mut two) = ([0; 32], [0; 32]);
        OsEntropy.fill(&mut one);
        OsEntropy.fill(&mut two);
        assert_ne!(one, two);
    }
}
