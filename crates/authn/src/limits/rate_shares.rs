//! How replicas share a rate: each reports its use every second, and its share of the rate is its share of the use.
//! Before the first report shares are equal; while Redis is unreachable the last share holds.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use crate::nonces::SharedCounters;

/// The cost of a request without other replicas; it is higher when they share the rate.
pub(super) const WHOLE: NonZeroU32 = NonZeroU32::new(16).expect("more than zero");
/// A share is at least an equal one divided by this, so that a replica that was hardly asked serves what comes to it
/// when another one dies. All together exceed the rate by less than a quarter.
const SMALLEST: u32 = 4;
/// How many keys, sessions and organizations are counted, of each kind; others have an equal share.
const COUNTED: usize = 10_000;
/// How many are reported, the busiest first.
const REPORTED: usize = 1_000;

/// `KEYS`: one hash for each counter. `ARGV`: this process, then its use of each in a second. Returns the use of each
/// by all processes that reported within three seconds.
const REPORT: &str = "
local now = tonumber(redis.call('TIME')[1])
local totals = {}
for i, key in ipairs(KEYS) do
  redis.call('HSET', key, ARGV[1], ARGV[i + 1] .. ' ' .. now)
  redis.call('EXPIRE', key, 3)
  totals[i] = 0
  local said = redis.call('HGETALL', key)
  for at = 1, #said, 2 do
    local use, second = string.match(said[at + 1], '^(%d+) (%d+)$')
    if now - second > 3 then
      redis.call('HDEL', key, said[at])
    else
      totals[i] = totals[i] + use
    end
  end
end
return totals";

/// The shares of one kind.
pub(super) struct Shares<Id> {
    /// The live replicas.
    replicas: AtomicU32,
    used: Mutex<HashMap<Id, Use>>,
}

struct Use {
    /// Since the last report.
    requests: u32,
    /// Of a request; `None` is an equal share.
    cost: Option<u32>,
}

impl<Id: Copy + Eq + Hash> Shares<Id> {
    pub(super) fn new() -> Self {
        Self {
            replicas: AtomicU32::new(1),
            used: Mutex::default(),
        }
    }

    pub(super) fn share_among(&self, replicas: u32) {
        self.replicas.store(replicas.max(1), Ordering::Relaxed);
    }

    fn equal(&self) -> u32 {
        let replicas = self.replicas.load(Ordering::Relaxed);
        WHOLE.get().saturating_mul(replicas)
    }

    /// Counts a request; returns its cost, in parts of [`WHOLE`].
    pub(super) fn cost(&self, id: &Id) -> u32 {
        let replicas = self.replicas.load(Ordering::Relaxed);
        if replicas == 1 {
            return WHOLE.get();
        }
        let equal = self.equal();
        let mut used = self.used.lock();
        let has_room = used.len() < COUNTED;
        let Some(known) = used.get_mut(id) else {
            if has_room {
                let first = Use {
                    requests: 1,
                    cost: None,
                };
                used.insert(*id, first);
            }
            return equal;
        };
        known.requests = known.requests.saturating_add(1);
        known.cost.unwrap_or(equal)
    }

    /// The use since the last call, the busiest first.
    fn take(&self) -> Vec<(Id, u32)> {
        let mut taken = Vec::new();
        // Idle ones are not reported, so the other replicas have the whole rate after a few seconds.
        self.used.lock().retain(|id, known| {
            let requests = std::mem::take(&mut known.requests);
            taken.push((*id, requests));
            requests > 0
        });
        taken.retain(|(_, requests)| *requests > 0);
        taken.sort_unstable_by_key(|(_, requests)| std::cmp::Reverse(*requests));
        taken.truncate(REPORTED);
        taken
    }

    fn set(&self, id: Id, own: u32, all: u64) {
        let cost = u64::from(WHOLE.get())
            .saturating_mul(all)
            .div_ceil(u64::from(own.max(1)));
        let most = self.equal().saturating_mul(SMALLEST);
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        let cost = cost.clamp(WHOLE.get(), most);
        if let Some(known) = self.used.lock().get_mut(&id) {
            known.cost = Some(cost);
        }
    }

    /// Reports the use of the last `milliseconds`, and updates the shares.
    pub(super) async fn correct(
        &self,
        counters: &SharedCounters,
        milliseconds: u64,
        name: impl Fn(&Id) -> String,
    ) {
        if self.replicas.load(Ordering::Relaxed) == 1 {
            // Without other replicas nothing is reported, so this use must not count later.
            self.used.lock().clear();
            return;
        }
        let in_a_second = |requests: u32| {
            let use_ = u64::from(requests) * 1_000 / milliseconds.max(1);
            u32::try_from(use_).unwrap_or(u32::MAX).max(1)
        };
        let taken = self.take();
        if taken.is_empty() {
            return;
        }
        let keys: Vec<_> = taken
            .iter()
            .map(|(id, _)| counters.key(&name(id)))
            .collect();
        let own = taken.iter().map(|(_, requests)| in_a_second(*requests));
        let args: Vec<_> = std::iter::once(counters.process())
            .chain(own.clone().map(u64::from))
            .collect();
        let Some(totals) = counters.totals(REPORT, &keys, &args).await else {
            return;
        };
        for (((id, _), own), all) in taken.iter().zip(own).zip(totals) {
            self.set(*id, own, all);
        }
    }
}
