//! Places of sign-ins under way at all replicas, in Redis. Each counts as a failure until it is decided, so that a
//! burst over several replicas gets no more guesses than the same guesses one by one.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::anonymous::AttemptError;
use super::failures::{FIRST_WAIT, FREE_FAILURES, LONGEST_WAIT};
use super::window::{Exceeded, Window};
use crate::nonces::SharedCounters;

/// A place is free again after that time if its process has died. An attempt takes less.
const KEPT: Duration = Duration::from_mins(1);
/// How often a waiter looks for a free place.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// What scripts return for "no place now, but no limit is reached". Waits are longer.
const NO_PLACE: u64 = 1;

/// `KEYS`: failures by time, places by the time of their end, the latest place's number. `ARGV`: limit and milliseconds
/// of the window, milliseconds that a place is kept. 0 for a place.
const IN_WINDOW: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local limit, length, kept = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - length)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local failed = redis.call('ZCARD', KEYS[1])
if failed >= limit then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return math.max(2, oldest[2] + length - now)
end
if failed + redis.call('ZCARD', KEYS[2]) >= limit then return 1 end
redis.call('ZADD', KEYS[2], now + kept, redis.call('INCR', KEYS[3]))
redis.call('PEXPIRE', KEYS[2], kept)
redis.call('PEXPIRE', KEYS[3], kept)
return 0";
/// `KEYS`: failures in a row and the last one's time, the rest as above. `ARGV`: free failures, first and longest wait
/// in milliseconds, milliseconds that a place is kept. 0 for a place.
const IN_A_ROW: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local free, kept = tonumber(ARGV[1]), tonumber(ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local known = redis.call('HMGET', KEYS[1], 'count', 'last')
local failed = tonumber(known[1]) or 0
local room = free - failed
if room <= 0 then
  local wait = math.min(tonumber(ARGV[2]) * 2 ^ math.min(-room, 40), tonumber(ARGV[3]))
  local left = math.floor(wait - (now - known[2]))
  if left > 0 then return math.max(2, left) end
  room = 1
end
if redis.call('ZCARD', KEYS[2]) >= room then return 1 end
redis.call('ZADD', KEYS[2], now + kept, redis.call('INCR', KEYS[3]))
redis.call('PEXPIRE', KEYS[2], kept)
redis.call('PEXPIRE', KEYS[3], kept)
return 0";
/// Any one of them: they count the same.
const LEAVE: &str = "return #redis.call('ZPOPMIN', KEYS[1])";

/// A place of one attempt; given back when dropped.
pub(super) struct SharedPlace {
    counters: SharedCounters,
    /// `None` once it was given back.
    key: Option<String>,
}

impl SharedPlace {
    /// Waits for a place among the failures of a network; `None` while Redis is away.
    ///
    /// # Errors
    ///
    /// [`AttemptError`].
    pub(super) async fn of_network(
        counters: &SharedCounters,
        name: &str,
        window: Window,
        deadline: Instant,
    ) -> Result<Option<Self>, AttemptError> {
        let limit = window.limit as u64;
        let args = [limit, milliseconds(window.length), milliseconds(KEPT)];
        Self::take(counters, name, (IN_WINDOW, &args, limit), deadline).await
    }

    /// The same among the failures of an account.
    ///
    /// # Errors
    ///
    /// [`AttemptError`].
    pub(super) async fn of_account(
        counters: &SharedCounters,
        name: &str,
        deadline: Instant,
    ) -> Result<Option<Self>, AttemptError> {
        let limit = u64::from(FREE_FAILURES);
        let [first, longest, kept] = [FIRST_WAIT, LONGEST_WAIT, KEPT].map(milliseconds);
        let args = [limit, first, longest, kept];
        Self::take(counters, name, (IN_A_ROW, &args, limit), deadline).await
    }

    async fn take(
        counters: &SharedCounters,
        name: &str,
        (script, args, limit): (&str, &[u64], u64),
        deadline: Instant,
    ) -> Result<Option<Self>, AttemptError> {
        let places = counters.key(&format!("places of {name}"));
        let numbers = counters.key(&format!("numbers of places of {name}"));
        let keys = [counters.key(name), places, numbers];
        loop {
            match counters.run(script, &keys, args).await {
                None => return Ok(None),
                Some(0) => break,
                Some(NO_PLACE) if Instant::now() < deadline => sleep(POLL_INTERVAL).await,
                Some(NO_PLACE) => return Err(AttemptError::Busy),
                Some(wait) => return Err(AttemptError::Exceeded(exceeded(limit, wait))),
            }
        }
        let [_, places, _] = keys;
        Ok(Some(Self {
            counters: counters.clone(),
            key: Some(places),
        }))
    }

    /// Gives it back, to be taken by the next at once.
    pub(super) async fn leave(place: Option<Self>) {
        if let Some(mut place) = place
            && let Some(key) = place.key.take()
        {
            place.counters.run(LEAVE, &[key], &[]).await;
        }
    }
}

impl Drop for SharedPlace {
    fn drop(&mut self) {
        if let Some(key) = self.key.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let counters = self.counters.clone();
            runtime.spawn(async move { counters.run(LEAVE, &[key], &[]).await });
        }
    }
}

pub(super) fn exceeded(limit: u64, wait: u64) -> Exceeded {
    Exceeded {
        limit,
        retry_after: Duration::from_millis(wait),
    }
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
