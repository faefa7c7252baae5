//! Rate limits of access keys, sessions and organizations.
//!
//! Counted after the credential is verified, so that others cannot use up its share, and before the body is read and
//! the nonce is stored, so that a flood costs little.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use parking_lot::Mutex;

use super::rate_shares::{Shares, WHOLE};
use crate::nonces::SharedCounters;
use charter_domain::clock::Clock;
use charter_domain::id::{AccessKeyId, OrganizationId, SessionId};

/// A token bucket's size and speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second, sustained.
    pub per_second: NonZeroU32,
    /// Requests at once after a pause.
    pub burst: NonZeroU32,
}

/// The limits; `None` for none.
#[derive(Debug, Clone, Copy)]
pub struct RateLimitsConfig {
    /// Of one access key, and of one session.
    pub key: Option<Rate>,
    /// Of one organization.
    pub organization: Option<Rate>,
}

/// A limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// Requests a second.
    pub limit: u32,
    /// Time until the next one is accepted.
    pub retry_after: Duration,
}

/// The limits of all keys, sessions and organizations.
pub struct RateLimits {
    keys: Option<Buckets<AccessKeyId>>,
    sessions: Option<Buckets<SessionId>>,
    organizations: Option<Buckets<OrganizationId>>,
    clock: Arc<dyn Clock>,
    /// Of the last correction, on the monotonic clock.
    corrected: Mutex<Duration>,
}

impl RateLimits {
    #[must_use]
    pub fn new(config: RateLimitsConfig, clock: &Arc<dyn Clock>) -> Self {
        let RateLimitsConfig { key, organization } = config;
        Self {
            keys: key.map(|rate| Buckets::new(rate, clock)),
            sessions: key.map(|rate| Buckets::new(rate, clock)),
            organizations: organization.map(|rate| Buckets::new(rate, clock)),
            clock: Arc::clone(clock),
            corrected: Mutex::new(clock.monotonic()),
        }
    }

    /// Sets how many processes share the limits.
    pub fn share_among(&self, replicas: usize) {
        let replicas = u32::try_from(replicas).unwrap_or(u32::MAX);
        if let Some(keys) = &self.keys {
            keys.shares.share_among(replicas);
        }
        if let Some(sessions) = &self.sessions {
            sessions.shares.share_among(replicas);
        }
        if let Some(organizations) = &self.organizations {
            organizations.shares.share_among(replicas);
        }
    }

    /// Reports the use since the last call to the other replicas, and updates this one's shares. Call it each second.
    pub async fn correct(&self, counters: &SharedCounters) {
        let now = self.clock.monotonic();
        let before = std::mem::replace(&mut *self.corrected.lock(), now);
        let passed = u64::try_from(now.saturating_sub(before).as_millis()).unwrap_or(u64::MAX);
        let keys = async {
            if let Some(keys) = &self.keys {
                let name = |id: &AccessKeyId| format!("rate of key {id}");
                keys.shares.correct(counters, passed, name).await;
            }
        };
        let sessions = async {
            if let Some(sessions) = &self.sessions {
                let name = |id: &SessionId| format!("rate of session {id}");
                sessions.shares.correct(counters, passed, name).await;
            }
        };
        let organizations = async {
            if let Some(organizations) = &self.organizations {
                let name = |id: &OrganizationId| format!("rate of organization {id}");
                organizations.shares.correct(counters, passed, name).await;
            }
        };
        // Concurrently: each may take a second, and a report is valid for three.
        tokio::join!(keys, sessions, organizations);
    }

    /// Counts a request.
    ///
    /// # Errors
    ///
    /// [`Exceeded`] if the limit is reached.
    pub fn count(&self, key: AccessKeyId, organization: OrganizationId) -> Result<(), Exceeded> {
        if let Some(keys) = &self.keys {
            keys.count(&key)?;
        }
        self.count_organization(organization)
    }

    /// Counts a user's request.
    ///
    /// # Errors
    ///
    /// [`Exceeded`] if the limit is reached.
    pub fn count_user(
        &self,
        session: SessionId,
        organization: OrganizationId,
    ) -> Result<(), Exceeded> {
        if let Some(sessions) = &self.sessions {
            sessions.count(&session)?;
        }
        self.count_organization(organization)
    }

    fn count_organization(&self, organization: OrganizationId) -> Result<(), Exceeded> {
        match &self.organizations {
            Some(organizations) => organizations.count(&organization),
            None => Ok(()),
        }
    }

    /// Drops full buckets, which need not be stored. Call it now and then.
    pub fn forget_idle(&self) {
        if let Some(keys) = &self.keys {
            keys.limiter.retain_recent();
        }
        if let Some(sessions) = &self.sessions {
            sessions.limiter.retain_recent();
        }
        if let Some(organizations) = &self.organizations {
            organizations.limiter.retain_recent();
        }
    }
}

type Limiter<Id> = RateLimiter<Id, DashMapStateStore<Id>, Monotonic, NoOpMiddleware<Nanos>>;

struct Buckets<Id: Copy + Eq + std::hash::Hash> {
    limiter: Limiter<Id>,
    rate: Rate,
    shares: Shares<Id>,
    clock: Monotonic,
}

impl<Id: Copy + Eq + std::hash::Hash> Buckets<Id> {
    fn new(rate: Rate, clock: &Arc<dyn Clock>) -> Self {
        let clock = Monotonic(Arc::clone(clock));
        let parts = |requests: NonZeroU32| requests.saturating_mul(WHOLE);
        let quota = Quota::per_second(parts(rate.per_second)).allow_burst(parts(rate.burst));
        Self {
            limiter: RateLimiter::new(quota, DashMapStateStore::default(), clock.clone()),
            rate,
            shares: Shares::new(),
            clock,
        }
    }

    fn count(&self, id: &Id) -> Result<(), Exceeded> {
        // If the share is less than one request, a request takes the whole burst.
        let most = self.rate.burst.saturating_mul(WHOLE);
        let cost = NonZeroU32::new(self.shares.cost(id)).map_or(WHOLE, |cost| cost.min(most));
        let Ok(checked) = self.limiter.check_key_n(id, cost) else {
            return Ok(());
        };
        checked.map_err(|not_until| Exceeded {
            limit: self.rate.per_second.get(),
            retry_after: not_until.wait_time_from(self.clock.now()),
        })
    }
}

/// The service's monotonic clock, for the limiter.
#[derive(Clone)]
struct Monotonic(Arc<dyn Clock>);

impl GovernorClock for Monotonic {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.monotonic())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use charter_domain::timestamp::{self, Timestamp};

    struct Stopped(Mutex<Duration>);

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            timestamp::parse("2025-09-30T12:00:00Z").expect("a time")
        }

        fn monotonic(&self) -> Duration {
            *self.0.lock()
        }
    }

    #[test]
    fn a_key_over_its_share_waits_and_others_do_not() {
        let stopped = Arc::new(Stopped(Mutex::new(Duration::from_secs(1))));
        let clock: Arc<dyn Clock> = Arc::clone(&stopped) as _;
        let two = NonZeroU32::new(2).expect("not zero");
        let config = RateLimitsConfig {
            key: Some(Rate {
                per_second: two,
                burst: two,
            }),
            organization: None,
        };
        let limits = RateLimits::new(config, &clock);
        let id = |n| AccessKeyId::from_uuid(uuid::Uuid::from_u128(n));
        let organization = OrganizationId::from_uuid(uuid::Uuid::from_u128(9));
        assert_eq!(limits.count(id(1), organization), Ok(()));
        assert_eq!(limits.count(id(1), organization), Ok(()));
        let exceeded = limits.count(id(1), organization).expect_err("one too many");
        assert_eq!(
            exceeded,
            Exceeded {
                limit: 2,
                retry_after: Duration::from_millis(500)
            }
        );
        assert_eq!(limits.count(id(2), organization), Ok(()));
        *stopped.0.lock() += exceeded.retry_after;
        assert_eq!(limits.count(id(1), organization), Ok(()));
        limits.forget_idle();
    }
}
