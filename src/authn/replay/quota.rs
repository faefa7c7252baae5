//! How much is remembered, of each key and in all: what bounds the memory without forgetting.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::half_minute::HalfMinute;

const SHARDS: usize = 32;

/// Which bound is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exhausted {
    /// The key's own; `oldest` is the first of its half minutes to be forgotten.
    Key { oldest: HalfMinute },
    /// The total.
    Total,
}

/// What one key has remembered.
#[derive(Default)]
struct Usage {
    remembered: usize,
    /// By half minute: some twenty at most, the newest last as a rule.
    half_minutes: Vec<(HalfMinute, usize)>,
}

/// Counts of what is remembered.
pub(super) struct Quota {
    per_key: usize,
    total: usize,
    remembered: AtomicUsize,
    keys: [Mutex<HashMap<u128, Usage>>; SHARDS],
}

impl Quota {
    pub(super) const fn per_key(&self) -> usize {
        self.per_key
    }

    pub(super) fn new(per_key: usize, total: usize) -> Self {
        Self {
            per_key,
            total,
            remembered: AtomicUsize::new(0),
            keys: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// Counts one more before it is remembered, so that no crowd passes the bounds together.
    pub(super) fn reserve(&self, key: u128, id: HalfMinute) -> Result<(), Exhausted> {
        if self.remembered.fetch_add(1, Ordering::Relaxed) >= self.total {
            self.remembered.fetch_sub(1, Ordering::Relaxed);
            return Err(Exhausted::Total);
        }
        let mut keys = self.shard(key).lock();
        let usage = keys.entry(key).or_default();
        if usage.remembered >= self.per_key {
            let oldest = usage.half_minutes.iter().map(|&(id, _)| id).min();
            self.remembered.fetch_sub(1, Ordering::Relaxed);
            return Err(Exhausted::Key {
                oldest: oldest.unwrap_or(id),
            });
        }
        usage.add(id);
        Ok(())
    }

    /// Counts one that was remembered by an earlier process, whatever the bounds.
    pub(super) fn restore(&self, key: u128, id: HalfMinute) {
        self.remembered.fetch_add(1, Ordering::Relaxed);
        self.shard(key).lock().entry(key).or_default().add(id);
    }

    /// Takes back a reservation that came to nothing.
    pub(super) fn release(&self, key: u128, id: HalfMinute) {
        self.remembered.fetch_sub(1, Ordering::Relaxed);
        let mut keys = self.shard(key).lock();
        if let Some(usage) = keys.get_mut(&key) {
            usage.remove(id, 1);
            if usage.remembered == 0 {
                keys.remove(&key);
            }
        }
    }

    /// Uncounts a half minute that was forgotten with `len` nonces in it. A reservation in flight
    /// is released by its own claim, in whichever order.
    pub(super) fn forget(&self, id: HalfMinute, len: usize) {
        self.remembered.fetch_sub(len, Ordering::Relaxed);
        for keys in &self.keys {
            keys.lock().retain(|_, usage| {
                usage.remove(id, usize::MAX);
                usage.remembered > 0
            });
        }
    }

    /// How many are remembered.
    pub(super) fn remembered(&self) -> usize {
        self.remembered.load(Ordering::Relaxed)
    }

    fn shard(&self, key: u128) -> &Mutex<HashMap<u128, Usage>> {
        // The low bits of a UUIDv7 are random.
        let [first, ..] = &self.keys;
        let shard = usize::try_from(key & (SHARDS as u128 - 1)).unwrap_or(0);
        self.keys.get(shard).unwrap_or(first)
    }
}

impl Usage {
    fn add(&mut self, id: HalfMinute) {
        self.remembered = self.remembered.saturating_add(1);
        match self
            .half_minutes
            .iter_mut()
            .rfind(|(other, _)| *other == id)
        {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.half_minutes.push((id, 1)),
        }
    }

    /// Removes up to `most` of a half minute; what was forgotten already is not counted twice.
    fn remove(&mut self, id: HalfMinute, most: usize) {
        let found = self.half_minutes.iter_mut().find(|(other, _)| *other == id);
        if let Some((_, count)) = found {
            let removed = most.min(*count);
            *count = count.saturating_sub(removed);
            self.remembered = self.remembered.saturating_sub(removed);
            self.half_minutes.retain(|&(_, count)| count > 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTES: [HalfMinute; 3] = [HalfMinute(1), HalfMinute(2), HalfMinute(3)];

    #[test]
    fn a_key_can_only_exhaust_itself_until_the_total() {
        let quota = Quota::new(2, 3);
        assert_eq!(quota.reserve(1, MINUTES[1]), Ok(()));
        assert_eq!(quota.reserve(1, MINUTES[0]), Ok(()));
        let exhausted = Exhausted::Key { oldest: MINUTES[0] };
        assert_eq!(quota.reserve(1, MINUTES[2]), Err(exhausted));
        assert_eq!(quota.reserve(2, MINUTES[2]), Ok(()));
        assert_eq!(quota.reserve(3, MINUTES[2]), Err(Exhausted::Total));
        quota.forget(MINUTES[0], 1);
        assert_eq!(quota.reserve(1, MINUTES[2]), Ok(()));
        assert_eq!(quota.remembered(), 3);
    }

    #[test]
    fn a_reservation_and_a_forgotten_bucket_may_come_in_any_order() {
        let quota = Quota::new(2, 3);
        assert_eq!(quota.reserve(1, MINUTES[0]), Ok(()));
        quota.forget(MINUTES[0], 0);
        assert_eq!(quota.reserve(1, MINUTES[0]), Ok(()));
        quota.release(1, MINUTES[0]);
        quota.release(1, MINUTES[0]);
        assert_eq!(quota.remembered(), 0);
        assert!(quota.keys.iter().all(|keys| keys.lock().is_empty()));
    }
}
