//! Randomness, passed in so that tests can repeat it.

use rand::TryRng;
use rand::rngs::SysRng;

/// A cryptographically secure source of random bytes, for keys and nonces. In production, the operating system's.
pub trait Entropy: Send + Sync {
    /// Fills the whole buffer.
    fn fill(&self, buffer: &mut [u8]);
}

#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    /// # Panics
    ///
    /// If the operating system has no randomness. Continuing would create predictable keys; on the supported
    /// systems it does not happen after boot.
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
