//! An exact set of fingerprints: it alone decides whether a nonce is new.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

/// Many, so that a set grows in small steps: doubling one shard of a bucket that holds a million
/// nonces moves some 8,000 of them.
const SHARDS: usize = 128;

/// Fingerprints are keyed hashes already; hashing them again gains nothing.
#[derive(Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u128(&mut self, fingerprint: u128) {
        self.0 = low_half(fingerprint);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half is what is wanted; the high half chooses the shard"
)]
const fn low_half(fingerprint: u128) -> u64 {
    fingerprint as u64
}

type Fingerprints = HashSet<u128, BuildHasherDefault<Identity>>;

/// What became of an insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Insertion {
    /// It was not there; it is now. Exactly one of all who insert it is told so.
    New,
    /// It was there.
    Present,
    /// The set was sealed: it takes nothing any more.
    Sealed,
}

/// The set of one bucket.
pub(super) struct ExactSet {
    /// `None` once sealed.
    shards: Box<[Mutex<Option<Fingerprints>>]>,
    len: AtomicUsize,
}

impl ExactSet {
    pub(super) fn new() -> Self {
        Self {
            shards: (0..SHARDS)
                .map(|_| Mutex::new(Some(Fingerprints::default())))
                .collect(),
            len: AtomicUsize::new(0),
        }
    }

    fn shard(&self, fingerprint: u128) -> Option<&Mutex<Option<Fingerprints>>> {
        let shard = usize::try_from(fingerprint >> 64 & (SHARDS as u128 - 1)).unwrap_or(0);
        self.shards.get(shard)
    }

    /// Whether it is there; never once sealed.
    pub(super) fn contains(&self, fingerprint: u128) -> bool {
        self.shard(fingerprint).is_some_and(|shard| {
            let set = shard.lock();
            set.as_ref().is_some_and(|set| set.contains(&fingerprint))
        })
    }

    pub(super) fn insert(&self, fingerprint: u128) -> Insertion {
        let Some(shard) = self.shard(fingerprint) else {
            return Insertion::Sealed;
        };
        let mut shard = shard.lock();
        let Some(set) = shard.as_mut() else {
            return Insertion::Sealed;
        };
        if !set.insert(fingerprint) {
            return Insertion::Present;
        }
        // Under the lock: whoever seals the set finds all that went in counted.
        self.len.fetch_add(1, Ordering::Relaxed);
        Insertion::New
    }

    /// Takes nothing from now on and frees the memory; how many were freed.
    pub(super) fn seal(&self) -> usize {
        let take = |shard: &Mutex<Option<Fingerprints>>| shard.lock().take();
        self.shards
            .iter()
            .filter_map(take)
            .map(|set| set.len())
            .sum()
    }

    /// How many were ever inserted; exact once sealed.
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Bytes allocated, by the tables' arithmetic.
    pub(super) fn bytes(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| table_bytes(shard.lock().as_ref().map_or(0, HashSet::capacity)))
            .sum()
    }
}

/// What a table of that capacity takes: a power of two of slots, of which 7 in 8 may be used, each
/// of 16 bytes and a control byte, and one more group of control bytes.
fn table_bytes(capacity: usize) -> usize {
    match capacity {
        0 => 0,
        small if small < 8 => (small.saturating_add(1))
            .saturating_mul(17)
            .saturating_add(16),
        large => (large / 7 * 8).saturating_mul(17).saturating_add(16),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(seed: u64) -> u128 {
        // SplitMix64, twice: spread like a keyed hash is.
        let mix = |seed: u64| {
            let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        };
        u128::from(mix(seed)) << 64 | u128::from(mix(seed ^ 0xABCD_EF01_2345_6789))
    }

    #[test]
    fn a_nonce_takes_less_than_48_bytes_whatever_the_filling() {
        let set = ExactSet::new();
        let mut worst: usize = 0;
        for seed in 1..=200_000_u64 {
            set.insert(fingerprint(seed));
            if seed >= 20_000 && seed % 500 == 0 {
                worst = worst.max(set.bytes() * 100 / set.len());
            }
        }
        assert_eq!(set.len(), 200_000);
        assert!(worst < 4_800, "{worst} hundredths of a byte for each nonce");
    }

    #[test]
    fn a_sealed_set_takes_nothing_and_holds_no_memory() {
        let set = ExactSet::new();
        assert_eq!(set.insert(7), Insertion::New);
        assert_eq!(set.insert(7), Insertion::Present);
        assert_eq!(set.insert(7 | 1 << 100), Insertion::New);
        assert!(set.contains(7) && !set.contains(8));
        assert_eq!((set.seal(), set.seal()), (2, 0));
        assert_eq!(set.insert(8), Insertion::Sealed);
        assert!(!set.contains(7));
        assert_eq!((set.len(), set.bytes()), (2, 0));
    }
}
