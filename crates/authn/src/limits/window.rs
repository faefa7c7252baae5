//! Sliding-window limits per key; networks of clients.

use std::collections::VecDeque;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use parking_lot::Mutex;

use charter_domain::clock::Clock;

/// Bounds the memory; the least recently seen key is dropped first. To displace another key's failures takes as many
/// networks or accounts.
const MAX_REMEMBERED: u64 = 500_000;
/// Prefix length of the IPv6 network that one subscriber usually has.
const SUBSCRIBER_BITS: u8 = 64;

/// A limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// How many are allowed, in the window or a second.
    pub limit: u64,
    /// Time until the next one is accepted.
    pub retry_after: Duration,
}

/// Events of each key in a sliding window.
pub(super) struct SlidingLimit<K: Hash + Eq> {
    window: Window,
    events: Cache<K, Arc<Mutex<VecDeque<Duration>>>>,
    clock: Arc<dyn Clock>,
}

#[derive(Clone, Copy)]
pub(super) struct Window {
    pub(super) limit: usize,
    pub(super) length: Duration,
}

impl<K: Hash + Eq + Send + Sync + 'static> SlidingLimit<K> {
    /// At most `limit` in `length`; zero is no limit.
    pub(super) fn new(limit: usize, length: Duration, clock: Arc<dyn Clock>) -> Self {
        Self {
            window: Window { limit, length },
            events: remembered(length),
            clock,
        }
    }

    /// Counts an event.
    ///
    /// # Errors
    ///
    /// [`Exceeded`] if the limit is reached; then it is not counted.
    pub(super) fn count(&self, key: K) -> Result<(), Exceeded> {
        if self.window.limit == 0 {
            return Ok(());
        }
        let events = self.events.get_with(key, Arc::default);
        let mut events = events.lock();
        let now = self.clock.monotonic();
        self.window.room(&mut events, now)?;
        events.push_back(now);
        Ok(())
    }

    pub(super) const fn window(&self) -> Window {
        self.window
    }

    /// Uncounts an event.
    pub(super) fn give_back(&self, key: &K) {
        if let Some(events) = self.events.get(key) {
            events.lock().pop_back();
        }
    }
}

impl Window {
    /// How many more are allowed.
    pub(super) fn room(
        self,
        events: &mut VecDeque<Duration>,
        now: Duration,
    ) -> Result<usize, Exceeded> {
        while events
            .front()
            .is_some_and(|at| now.saturating_sub(*at) >= self.length)
        {
            events.pop_front();
        }
        match self.limit.checked_sub(events.len()) {
            None | Some(0) => Err(Exceeded {
                limit: self.limit as u64,
                retry_after: events.front().map_or(self.length, |oldest| {
                    self.length.saturating_sub(now.saturating_sub(*oldest))
                }),
            }),
            Some(room) => Ok(room),
        }
    }
}

pub(super) fn remembered<K: Hash + Eq + Send + Sync + 'static, V: Clone + Send + Sync + 'static>(
    idle: Duration,
) -> Cache<K, V> {
    Cache::builder()
        .max_capacity(MAX_REMEMBERED)
        // The library's default would not admit new keys when full, and so not count them.
        .eviction_policy(EvictionPolicy::lru())
        .time_to_idle(idle)
        .build()
}

/// The network of one client: an IPv4 address, or the IPv6 network of one subscriber.
#[must_use]
pub fn network(client: IpAddr) -> IpNet {
    let client = client.to_canonical();
    match client {
        IpAddr::V4(_) => IpNet::from(client),
        IpAddr::V6(_) => IpNet::new(client, SUBSCRIBER_BITS)
            .map_or_else(|_| IpNet::from(client), |network| network.trunc()),
    }
}

/// The network that shares a turn in the queue: the one that a site, or a customer of a provider, usually has (RFC 6177
/// section 2 for IPv6).
#[must_use]
pub fn site(client: IpAddr) -> IpNet {
    let client = client.to_canonical();
    let bits = if client.is_ipv4() { 24 } else { 48 };
    IpNet::new(client, bits).map_or_else(|_| IpNet::from(client), |network| network.trunc())
}
