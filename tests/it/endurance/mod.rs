//! What only the real binary under attack, under load and under kills can show.
//!
//! Each runs in a short version; `…_in_full` ones are ignored and run on demand:
//! `cargo nextest run --run-ignored only -E 'test(/^endurance.*in_full/)'`.

use std::time::Duration;

pub(crate) mod charter;
mod disconnects;
mod faults;
mod forgery;
mod key_rotation;
mod kills;
mod ledger;
mod load;
mod metadata;
mod portal;
mod replay;
mod revocation;
mod secrecy;
mod slow_clients;
mod timing;
pub(crate) mod wire;

/// Longer than any answer takes: reaching it is a failure.
const WAIT_TIMEOUT: Duration = Duration::from_mins(1);

/// Pseudo-random numbers for choices in tests: the same seed, the same choices.
pub(crate) struct Choices(u64);

impl Choices {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % u64::try_from(bound).expect("a bound")).expect("below the bound")
    }
}
