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
use super::window::Exceeded;
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

/// The limits of all keys, sessions and organizations.
pub struct RateLimits {
    keys: Buckets<AccessKeyId>,
    sessions: Buckets<SessionId>,
    organizations: Buckets<OrganizationId>,
    clock: Arc<dyn Clock>,
    /// Of the last correction, on the monotonic clock.
    corrected: Mutex<Duration>,
}

impl RateLimits {
    #[must_use]
    pub fn new(config: RateLimitsConfig, clock: &Arc<dyn Clock>) -> Self {
        let RateLimitsConfig { key, organization } = config;
        Self {
            keys: Buckets::new(key, clock),
            sessions: Buckets::new(key, clock),
            organizations: Buckets::new(organization, clock),
            clock: Arc::clone(clock),
            corrected: Mutex::new(clock.monotonic()),
        }
    }

    /// Sets how many processes share the limits.
    pub fn share_among(&self, replicas: usize) {
        let replicas = u32::try_from(replicas).unwrap_or(u32::MAX);
        self.keys.shares.share_among(replicas);
        self.sessions.shares.share_among(replicas);
        self.organizations.shares.share_among(replicas);
    }

    /// Reports the use since the last call to the other replicas, and updates this one's shares. Call it each second.
    pub async fn correct(&self, counters: &SharedCounters) {
        let now = self.clock.monotonic();
        let before = std::mem::replace(&mut *self.corrected.lock(), now);
        let passed = u64::try_from(now.saturating_sub(before).as_millis()).unwrap_or(u64::MAX);
        let key = |id: &AccessKeyId| format!("rate of key {id}");
        let session = |id: &SessionId| format!("rate of session {id}");
        let organization = |id: &OrganizationId| format!("rate of organization {id}");
        // Concurrently: each may take a second, and a report is valid for three.
        tokio::join!(
            self.keys.shares.correct(counters, passed, key),
            self.sessions.shares.correct(counters, passed, session),
            self.organizations
                .shares
                .correct(counters, passed, organization),
        );
    }

    /// Counts a request.
    ///
    /// # Errors
    ///
    /// [`Exceeded`] if the limit is reached.
    pub fn count(&self, key: AccessKeyId, organization: OrganizationId) -> Result<(), Exceeded> {
        self.keys.count(&key)?;
        self.organizations.count(&organization)
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
        self.sessions.count(&session)?;
        self.organizations.count(&organization)
    }

    /// Drops full buckets, which need not be stored. Call it now and then.
    pub fn forget_idle(&self) {
        self.keys.forget_idle();
        self.sessions.forget_idle();
        self.organizations.forget_idle();
    }
}

type Limiter<Id> = RateLimiter<Id, DashMapStateStore<Id>, Monotonic, NoOpMiddleware<Nanos>>;

struct Buckets<Id: Copy + Eq + std::hash::Hash> {
    /// `None` without a limit.
    limit: Option<(Rate, Limiter<Id>)>,
    shares: Shares<Id>,
    clock: Monotonic,
}

impl<Id: Copy + Eq + std::hash::Hash> Buckets<Id> {
    fn new(rate: Option<Rate>, clock: &Arc<dyn Clock>) -> Self {
        let clock = Monotonic(Arc::clone(clock));
        let limiter = |rate: Rate| {
            let parts = |requests: NonZeroU32| requests.saturating_mul(WHOLE);
            let quota = Quota::per_second(parts(rate.per_second)).allow_burst(parts(rate.burst));
            RateLimiter::new(quota, DashMapStateStore::default(), clock.clone())
        };
        Self {
            limit: rate.map(|rate| (rate, limiter(rate))),
            shares: Shares::new(),
            clock,
        }
    }

    fn count(&self, id: &Id) -> Result<(), Exceeded> {
        let Some((rate, limiter)) = &self.limit else {
            return Ok(());
        };
        // If the share is less than one request, a request takes the whole burst.
        let most = rate.burst.saturating_mul(WHOLE);
        let cost = NonZeroU32::new(self.shares.cost(id)).map_or(WHOLE, |cost| cost.min(most));
        let Ok(checked) = limiter.check_key_n(id, cost) else {
            return Ok(());
        };
        checked.map_err(|not_until| Exceeded {
            limit: rate.per_second.get().into(),
            retry_after: not_until.wait_time_from(self.clock.now()),
        })
    }

    fn forget_idle(&self) {
        if let Some((_, limiter)) = &self.limit {
            limiter.retain_recent();
        }
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
    use super::super::stopped_clock::StoppedClock;
    use super::*;

    #[test]
    fn a_key_over_its_share_waits_and_others_do_not() {
        let stopped = Arc::new(StoppedClock::default());
        stopped.advance(Duration::from_secs(1));
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
        stopped.advance(exceeded.retry_after);
        assert_eq!(limits.count(id(1), organization), Ok(()));
        limits.forget_idle();
    }
}
