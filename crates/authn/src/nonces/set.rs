//! The exact table of fingerprints, which decides whether a nonce is new.
//!
//! One table for all half minutes, because a nonce counts once whatever date it is sent with. Each fingerprint has its
//! half minute and is removed with it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::half_minute::HalfMinute;

/// Many, so that the table grows in small steps: with a million nonces, doubling a shard moves some 8,000 of them.
const SHARDS: usize = 128;

/// A keyed hash, which needs no further hashing.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Fingerprint([u8; 16]);

impl Hash for Fingerprint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The first half chooses the shard.
        if let Some(low_half) = self.0.last_chunk() {
            state.write_u64(u64::from_be_bytes(*low_half));
        }
    }
}

#[derive(Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, low_half: u64) {
        self.0 = low_half;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The low bytes of a half minute. They repeat after 16 years, so all open ones differ.
type Owner = [u8; 3];

fn owner(id: HalfMinute) -> Owner {
    let [.., a, b, c] = id.0.to_be_bytes();
    [a, b, c]
}

type Shard = HashMap<Fingerprint, Owner, BuildHasherDefault<Identity>>;

/// The nonces of all open half minutes.
pub(super) struct NonceTable(Box<[Mutex<Shard>]>);

impl NonceTable {
    pub(super) fn new() -> Self {
        Self((0..SHARDS).map(|_| Mutex::default()).collect())
    }

    fn shard(&self, fingerprint: u128) -> Option<&Mutex<Shard>> {
        let shard = usize::try_from(fingerprint >> 64 & (SHARDS as u128 - 1)).unwrap_or(0);
        self.0.get(shard)
    }

    /// Bytes allocated, computed from the capacities.
    pub(super) fn bytes(&self) -> usize {
        let shards = self.0.iter();
        shards
            .map(|shard| table_bytes(shard.lock().capacity()))
            .sum()
    }
}

/// The result of an insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Insertion {
    /// Inserted. Of concurrent inserts, exactly one gets this.
    New,
    /// Already there, with any date.
    Present,
    /// The half minute is sealed.
    Sealed,
}

/// The part of the table that belongs to one half minute. Dropping it removes that part.
pub(super) struct NonceSet {
    table: Arc<NonceTable>,
    id: HalfMinute,
    is_sealed: AtomicBool,
    len: AtomicUsize,
}

impl NonceSet {
    pub(super) const fn new(table: Arc<NonceTable>, id: HalfMinute) -> Self {
        Self {
            table,
            id,
            is_sealed: AtomicBool::new(false),
            len: AtomicUsize::new(0),
        }
    }

    pub(super) fn insert(&self, fingerprint: u128) -> Insertion {
        let Some(shard) = self.table.shard(fingerprint) else {
            return Insertion::Sealed;
        };
        let mut shard = shard.lock();
        // Under the lock, so that `seal` finds all earlier inserts in the shard.
        if self.is_sealed.load(Ordering::Acquire) {
            return Insertion::Sealed;
        }
        match shard.entry(Fingerprint(fingerprint.to_be_bytes())) {
            Entry::Occupied(_) => Insertion::Present,
            Entry::Vacant(free) => {
                free.insert(owner(self.id));
                self.len.fetch_add(1, Ordering::Relaxed);
                Insertion::New
            }
        }
    }

    /// Stops accepting nonces and removes this half minute's; returns how many.
    pub(super) fn seal(&self) -> usize {
        if self.is_sealed.swap(true, Ordering::AcqRel) {
            return 0;
        }
        let own = owner(self.id);
        let forget = |shard: &Mutex<Shard>| {
            let mut shard = shard.lock();
            let before = shard.len();
            shard.retain(|_, owner| *owner != own);
            let after = shard.len();
            if after == 0 || shard.capacity() / 4 > after {
                shard.shrink_to(after.saturating_mul(2));
            }
            before - after
        };
        self.table.0.iter().map(forget).sum()
    }

    /// How many were ever inserted; exact once sealed.
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }
}

impl Drop for NonceSet {
    fn drop(&mut self) {
        self.seal();
    }
}

/// Bytes of a table of that capacity: a power of two of slots, of which 7 in 8 may be used, each of 19 bytes and a
/// control byte, and one more group of control bytes.
fn table_bytes(capacity: usize) -> usize {
    const SLOT: usize = size_of::<(Fingerprint, Owner)>() + 1;
    match capacity {
        0 => 0,
        small if small < 8 => (small.saturating_add(1))
            .saturating_mul(SLOT)
            .saturating_add(16),
        large => (large / 7 * 8).saturating_mul(SLOT).saturating_add(16),
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
        let table = Arc::new(NonceTable::new());
        let set = NonceSet::new(Arc::clone(&table), HalfMinute(1));
        let mut worst: usize = 0;
        for seed in 1..=200_000_u64 {
            set.insert(fingerprint(seed));
            if seed >= 20_000 && seed % 500 == 0 {
                worst = worst.max(table.bytes() * 100 / set.len());
            }
        }
        assert_eq!(set.len(), 200_000);
        assert!(worst < 4_800, "{worst} hundredths of a byte for each nonce");
    }

    #[test]
    fn a_sealed_set_takes_nothing_and_holds_no_memory() {
        let table = Arc::new(NonceTable::new());
        let set = NonceSet::new(Arc::clone(&table), HalfMinute(1));
        let other = NonceSet::new(Arc::clone(&table), HalfMinute(2));
        assert_eq!(set.insert(7), Insertion::New);
        assert_eq!(set.insert(7), Insertion::Present);
        assert_eq!(other.insert(7), Insertion::Present, "under another date");
        assert_eq!(set.insert(7 | 1 << 100), Insertion::New);
        assert_eq!(other.insert(9), Insertion::New);
        assert_eq!((set.seal(), set.seal()), (2, 0));
        assert_eq!(set.insert(8), Insertion::Sealed);
        assert_eq!((set.len(), other.len()), (2, 1));
        assert_eq!(other.insert(7), Insertion::New, "it was forgotten");
        drop(other);
        assert_eq!(table.bytes(), 0);
    }

    #[test]
    fn nonces_inserted_during_the_seal_are_forgotten_too() {
        for _ in 0..50 {
            let table = Arc::new(NonceTable::new());
            let set = NonceSet::new(Arc::clone(&table), HalfMinute(1));
            let (sealed, inserted) = std::thread::scope(|scope| {
                let insert = || {
                    let is_new = |seed: &u64| set.insert(fingerprint(*seed)) == Insertion::New;
                    (1..=2_000).filter(is_new).count()
                };
                let inserting = scope.spawn(insert);
                let sealed = set.seal();
                (sealed, inserting.join().expect("inserted"))
            });
            assert_eq!((sealed, set.len()), (inserted, inserted));
            assert_eq!(table.bytes(), 0);
        }
    }
}
