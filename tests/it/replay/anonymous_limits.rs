//! Limits on anonymous clients that replicas count together.

use charter_authn::limits::{
    AnonymousLimits as _, AttemptError, InProcessLimits, LimitedAction, LimitsConfig, SharedLimits,
};
use charter_authn::nonces::RedisGuard;
use charter_domain::email::EmailAddress;
use tokio::task::JoinSet;

use super::shared::{ROOMY, Shared};
use super::*;

fn limits(shared: &Shared, guard: &RedisGuard) -> SharedLimits {
    let config = LimitsConfig {
        registrations_per_hour: 3,
        failed_sign_ins_per_quarter_hour: 8,
        forgotten_passwords_per_hour: 0,
        refreshes_per_minute: 0,
        password_hashes_per_minute: 0,
    };
    let own = InProcessLimits::new(config, shared.clock.clone());
    SharedLimits::new(own, guard.counters())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_count_actions_together_and_each_alone_while_redis_is_away() {
    let Some(mut shared) = Shared::with(ROOMY).await else {
        return;
    };
    let guards = [shared.open().await, shared.open().await].map(|guard| guard.expect("a guard"));
    let [one, other] = [0, 1].map(|n| limits(&shared, &guards[n]));
    let action = || LimitedAction::Registration("192.0.2.7/32".parse().expect("a network"));
    for limits in [&one, &other, &one] {
        limits.count(action()).await.expect("within it");
    }
    for limits in [&one, &other] {
        let exceeded = limits.count(action()).await.expect_err("one too many");
        assert_eq!(exceeded.limit, 3);
        assert!(exceeded.retry_after <= HOUR && exceeded.retry_after > HOUR / 2);
    }
    one.give_back(&action()).await;
    other.count(action()).await.expect("room again");
    one.count(action()).await.expect_err("one too many");
    shared.redis.kill();
    guards[0].maintain().await;
    one.count(action()).await.expect("one was given back here");
    for _ in 0..2 {
        let _ = one.count(action()).await;
    }
    one.count(action()).await.expect_err("its own count");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_guessed_at_through_two_replicas_waits_at_both() {
    let Some(shared) = Shared::with(ROOMY).await else {
        return;
    };
    let guards = [shared.open().await, shared.open().await].map(|guard| guard.expect("a guard"));
    let both = [0, 1].map(|n| limits(&shared, &guards[n]));
    let account = EmailAddress::parse("ada@example.com").expect("an address");
    let attempt = async |n: usize, from: u8| {
        let client = std::net::Ipv4Addr::new(192, 0, 2, from).into();
        both[n % 2].begin_sign_in(client, Some(&account)).await
    };
    for n in 0..5 {
        let begun = attempt(n, u8::try_from(n).expect("small")).await;
        begun.expect("a free one").failed().await;
    }
    for n in 0..2 {
        let refused = attempt(n, 9).await;
        assert!(matches!(refused, Err(AttemptError::Exceeded(_))));
    }
    both[1].forgive(&account).await;
    let begun = attempt(1, 9).await;
    begun.expect("forgiven").failed().await;
}

/// How many of so many attempts at once, turn about at two replicas, were made and failed; the others were refused.
async fn failed_of_a_burst(both: &[Arc<SharedLimits>; 2], account: Option<&EmailAddress>) -> usize {
    let mut attempts = JoinSet::new();
    for n in 0..40_u8 {
        let (limits, account) = (both[usize::from(n % 2)].clone(), account.cloned());
        // The same network if no account is meant, else each its own.
        let network = if account.is_some() { n } else { 200 };
        let client = std::net::Ipv4Addr::new(192, 0, 2, network).into();
        attempts.spawn(async move {
            match limits.begin_sign_in(client, account.as_ref()).await {
                Ok(attempt) => {
                    // All that find a place have theirs before one is decided.
                    tokio::task::yield_now().await;
                    attempt.failed().await;
                    true
                }
                Err(AttemptError::Exceeded(_)) => false,
                Err(AttemptError::Busy) => panic!("it waited too long"),
            }
        });
    }
    let made = attempts.join_all().await;
    made.into_iter().filter(|made| *made).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_guesses_over_two_replicas_gets_no_more_than_over_one() {
    let Some(shared) = Shared::with(ROOMY).await else {
        return;
    };
    let guards = [shared.open().await, shared.open().await].map(|guard| guard.expect("a guard"));
    let both = [0, 1].map(|n| Arc::new(limits(&shared, &guards[n])));
    assert_eq!(failed_of_a_burst(&both, None).await, 8);
    let account = EmailAddress::parse("ada@example.com").expect("an address");
    let failed = failed_of_a_burst(&both, Some(&account)).await;
    // On a slow machine the first wait, a second, may be over meanwhile.
    assert!((5..8).contains(&failed), "{failed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_that_succeed_or_come_to_nothing_give_their_places_back() {
    let Some(shared) = Shared::with(ROOMY).await else {
        return;
    };
    let guards = [shared.open().await, shared.open().await].map(|guard| guard.expect("a guard"));
    let both = [0, 1].map(|n| limits(&shared, &guards[n]));
    let account = EmailAddress::parse("ada@example.com").expect("an address");
    let client = std::net::Ipv4Addr::new(192, 0, 2, 7).into();
    for n in 0..30 {
        let begun = both[n % 2].begin_sign_in(client, Some(&account)).await;
        let attempt = begun.expect("a place");
        if n % 3 == 0 {
            drop(attempt);
        } else {
            attempt.succeeded().await;
        }
    }
    for n in 0..5 {
        let begun = both[n % 2].begin_sign_in(client, Some(&account)).await;
        begun.expect("none of them failed").failed().await;
    }
}
