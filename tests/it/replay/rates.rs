//! Rates that replicas share: together they let through what one would, whichever of them is asked.

use std::num::NonZeroU32;

use charter_authn::limits::rate_limit::{Rate, RateLimits, RateLimitsConfig};
use charter_authn::nonces::SharedCounters;

use super::shared::{ROOMY, Shared};
use super::*;

struct Replica {
    limits: RateLimits,
    counters: SharedCounters,
}

impl Replica {
    /// How many of so many requests pass.
    fn pass(&self, shared: &Shared, requests: usize) -> usize {
        let passed = |_: &usize| self.limits.count(shared.key, shared.organization).is_ok();
        (0..requests).filter(passed).count()
    }
}

/// A second in which the replicas are asked for so much; what passed.
async fn second(shared: &Shared, replicas: &[Replica; 2], asked: [usize; 2]) -> [usize; 2] {
    shared.clock.pass(Duration::from_secs(1));
    let passed = [0, 1].map(|n| replicas[n].pass(shared, asked[n]));
    for replica in replicas {
        replica.limits.correct(&replica.counters).await;
    }
    passed
}

async fn two_replicas() -> Option<(Shared, [Replica; 2])> {
    let shared = Shared::with(ROOMY).await?;
    let hundred = NonZeroU32::new(100).expect("not zero");
    let config = RateLimitsConfig {
        key: Some(Rate {
            per_second: hundred,
            burst: hundred,
        }),
        organization: None,
    };
    let clock: Arc<dyn Clock> = shared.clock.clone();
    let guards = [shared.open().await, shared.open().await].map(|guard| guard.expect("a guard"));
    let replicas = [0, 1].map(|n| {
        let limits = RateLimits::new(config, &clock);
        limits.share_among(2);
        let counters = guards[n].counters();
        Replica { limits, counters }
    });
    Some((shared, replicas))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_goes_where_it_is_asked_for_and_stays_there_while_redis_is_away() {
    let Some((mut shared, replicas)) = two_replicas().await else {
        return;
    };
    // One alone is asked: half at first, then all.
    assert_eq!(second(&shared, &replicas, [200, 0]).await, [50, 0]);
    assert_eq!(second(&shared, &replicas, [200, 0]).await, [100, 0]);
    // The other is asked as much. It knows of the first at once, the first of it a second later.
    let passed = second(&shared, &replicas, [200, 200]).await;
    assert_eq!(passed, [100, 50], "until it is known");
    second(&shared, &replicas, [200, 200]).await;
    assert_eq!(second(&shared, &replicas, [200, 200]).await, [50, 50]);
    // And three times as much.
    second(&shared, &replicas, [200, 600]).await;
    second(&shared, &replicas, [200, 600]).await;
    assert_eq!(second(&shared, &replicas, [200, 600]).await, [25, 72]);
    shared.redis.kill();
    for _ in 0..3 {
        let passed = second(&shared, &replicas, [200, 600]).await;
        assert_eq!(passed, [25, 72], "the last share holds");
    }
    // Alone again, it needs no others to know that all is its own.
    replicas[0].limits.share_among(1);
    assert_eq!(second(&shared, &replicas, [200, 0]).await[0], 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn use_without_other_replicas_is_not_reported_later() {
    let Some((shared, replicas)) = two_replicas().await else {
        return;
    };
    replicas[0].pass(&shared, 300);
    for replica in &replicas {
        replica.limits.share_among(1);
        replica.limits.correct(&replica.counters).await;
        replica.limits.share_among(2);
    }
    assert_eq!(second(&shared, &replicas, [10, 10]).await, [10, 10]);
    // It knows that both are asked as much.
    assert_eq!(second(&shared, &replicas, [200, 200]).await[1], 50);
}

/// While Redis is away it would stay so, and 429 would be the answer to nearly everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_was_hardly_asked_serves_when_the_other_is_gone() {
    let Some((mut shared, replicas)) = two_replicas().await else {
        return;
    };
    for _ in 0..3 {
        second(&shared, &replicas, [1, 800]).await;
    }
    shared.redis.kill();
    let passed = second(&shared, &replicas, [200, 0]).await;
    assert_eq!(passed, [12, 0], "a quarter of half of the rate");
}
