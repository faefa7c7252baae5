//! Guards that share Redis: one whose clock is set wrong, and those whose database is replaced by an earlier one.

use charter_authn::nonces::{RedisConfig, UnopenedRedisGuard};
use charter_domain::clock::SystemClock;
use test_support::services::TestDatabase;
use test_support::services::standby::WithStandby;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::shared::{LEASE, ROOMY, Shared};
use super::*;

/// The upkeep finds it a second later: claims must not wait for that. With its clock ahead it would have Redis forget
/// too early; with its clock behind it would accept what Redis has forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_whose_clock_was_set_accepts_nothing() {
    type Set = fn(&HandClock, Duration);
    const STEP: Duration = Duration::from_mins(2);
    let Some(shared) = Shared::with(ROOMY).await else {
        return;
    };
    let clock = HandClock::at(SystemClock::start().now());
    let config = RedisConfig {
        clock_tolerance: Some(Duration::from_secs(15)),
        ..shared.config()
    };
    let pending = UnopenedRedisGuard::wait(&shared.store, LEASE).await;
    let (own, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (clock.clone(), Arc::new(OsEntropy));
    let pending = pending.expect("its turn");
    let guard = pending.open(&config, &shared.store, &own, &entropy).await;
    let guard = guard.expect("a guard");
    let date = clock.now();
    let claim = async |nonce: &str| shared.claim_at(&guard, nonce, date).await;
    claim("nonce-before").await.expect("fresh");
    let steps: [(Set, Set); 2] = [
        (HandClock::set_ahead, HandClock::set_back),
        (HandClock::set_back, HandClock::set_ahead),
    ];
    for (number, (set, correct)) in steps.into_iter().enumerate() {
        set(&clock, STEP);
        for _ in 0..2 {
            let refused = claim(&format!("nonce-wrong-{number}")).await;
            assert!(
                matches!(refused, Err(ClaimError::Unavailable(_))),
                "{refused:?}"
            );
            guard.maintain().await;
        }
        correct(&clock, STEP);
        guard.maintain().await;
        claim(&format!("nonce-right-{number}"))
            .await
            .expect("fresh");
    }
}

/// A loss of Redis closes the half minutes that the database knows as marked; so it must know them again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_lacks_marks_is_told_of_them() {
    let Some(servers) = WithStandby::start().await else {
        return;
    };
    let database = TestDatabase::at(WithStandby::url(&servers.link));
    let Some(mut shared) = Shared::on(database, ROOMY).await else {
        return;
    };
    let (one, other) = (shared.open().await, shared.open().await);
    let (one, other) = (one.expect("a guard"), other.expect("a guard"));
    let mut tasks = JoinSet::new();
    let store = Arc::clone(&shared.store);
    tasks.spawn(async move { store.follow_changes(CancellationToken::new()).await });
    let has_changed = async |since: u64| {
        while shared.store.generation() == since {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    has_changed(0).await;
    servers.fall_behind().await;
    // In a half minute that nobody has marked before.
    let date = shared.clock.now() - Duration::from_mins(2);
    shared
        .claim_at(&one, "nonce-old", date)
        .await
        .expect("fresh");
    let before = shared.store.generation();
    servers.fail_over();
    has_changed(before).await;
    one.maintain().await;
    shared.redis.restart();
    for guard in [&other, &one] {
        guard.maintain().await;
        let again = shared.claim_at(guard, "nonce-old", date).await;
        assert!(matches!(again, Err(ClaimError::Closed { .. })), "{again:?}");
    }
}
