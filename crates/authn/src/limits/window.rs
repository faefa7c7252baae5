//! So many in a window that slides, for each key; and what counts as one client.

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

/// A bound on memory; who was not seen for longest is forgotten first. To push somebody else's failures out takes as many networks or accounts.
const MAX_REMEMBERED: u64 = 500_000;
/// The part of an IPv6 address that one subscriber usually has.
const SUBSCRIBER_BITS: u8 = 64;

/// A limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// How many there may be.
    pub limit: u64,
    /// When the next one is taken.
    pub retry_after: Duration,
}

/// Events of each key, at most so many in a window that slides.
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
    /// [`Exceeded`] if it is one too many; it does not count then.
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

    /// Takes back an event that was counted and came to nothing.
    pub(super) fn give_back(&self, key: &K) {
        if let Some(events) = self.events.get(key) {
            events.lock().pop_back();
        }
    }
}

impl Window {
    /// How many more there may be.
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
        // The library's own choice would not let a newcomer in when it is full, and so not count it.
        .eviction_policy(EvictionPolicy::lru())
        .time_to_idle(idle)
        .build()
}

/// What counts as one client: an IPv4 address, or the IPv6 network of one subscriber.
#[must_use]
pub fn network(client: IpAddr) -> IpNet {
    let client = client.to_canonical();
    match client {
        IpAddr::V4(_) => IpNet::from(client),
        IpAddr::V6(_) => IpNet::new(client, SUBSCRIBER_BITS)
            .map_or_else(|_| IpNet::from(client), |network| network.trunc()),
    }
}

/// What shares a turn among strangers who wait: the networks that one site, or one customer of a
/// provider, usually has (RFC 6177 section 2 for IPv6).
#[must_use]
pub fn site(client: IpAddr) -> IpNet {
    let client = client.to_canonical();
    let bits = if client.is_ipv4() { 24 } else { 48 };
    IpNet::new(client, bits).map_or_else(|_| IpNet::from(client), |network| network.trunc())
}
