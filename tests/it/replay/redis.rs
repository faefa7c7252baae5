//! Guards that share Redis and a database: whatever becomes of Redis, nothing is accepted twice.

use charter_authn::nonces::{RedisGuard, UnopenedGuard};
use test_support::services::TestDatabase;
use test_support::services::redis::Redis;

use super::shared::{LEASE, Shared};
use super::*;

macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let database = super::TestDatabase::sqlite();
                    if let Some(shared) = crate::replay::shared::Shared::on(database, crate::replay::shared::ROOMY).await {
                        super::$name(shared).await;
                    }
                }
            )+
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let Some(database) = super::TestDatabase::postgres().await else {
                        return;
                    };
                    if let Some(shared) = crate::replay::shared::Shared::on(database, crate::replay::shared::ROOMY).await {
                        super::$name(shared).await;
                    }
                }
            )+
        }
    };
}

on_both!(
    guards_accept_a_nonce_once_together,
    an_emptied_server_closes_what_was_marked,
    another_server_in_its_place_closes_what_was_marked,
    while_it_is_paused_or_gone_everything_is_refused,
    a_server_that_may_evict_is_refused,
    a_full_server_is_told_until_it_takes_nonces_again,
    a_process_that_remembers_by_itself_and_replicas_exclude_each_other,
    a_guard_on_a_server_that_others_have_given_up_marks_nothing_more,
);

async fn guards_accept_a_nonce_once_together(shared: Shared) {
    let (one, other) = (shared.open().await, shared.open().await);
    let (one, other) = (one.expect("a guard"), other.expect("a guard"));
    for n in 0..20 {
        let nonce = format!("nonce-{n}");
        let date = shared.clock.now() - Duration::from_secs(10 * n);
        let (first, second) = tokio::join!(
            shared.claim_at(&one, &nonce, date),
            shared.claim_at(&other, &nonce, date),
        );
        assert_eq!(
            usize::from(first.is_ok()) + usize::from(second.is_ok()),
            1,
            "{n}"
        );
        for guard in [&one, &other] {
            let again = shared.claim_at(guard, &nonce, date).await;
            assert!(matches!(again, Err(ClaimError::Replayed)), "{again:?}");
        }
    }
    // A guard that comes later knows it, too, and nothing is closed for it.
    let third = shared.open().await.expect("a guard");
    let again = shared.claim(&third, "nonce-0").await;
    assert!(matches!(again, Err(ClaimError::Replayed)), "{again:?}");
    assert_eq!(third.status().closed_until, None);
}

/// What was accepted is not accepted again by either, then or later; and then it goes on.
async fn nothing_comes_back(
    shared: &Shared,
    guards: [&RedisGuard; 2],
    accepted: &[(String, Timestamp)],
) {
    let refused = async |guard: &RedisGuard| {
        for (nonce, date) in accepted {
            let again = shared.claim_at(guard, nonce, *date).await;
            assert!(
                matches!(
                    again,
                    Err(ClaimError::Closed { .. } | ClaimError::OutsideWindow)
                ),
                "{nonce}: {again:?}"
            );
        }
    };
    for guard in guards {
        guard.maintain().await;
        refused(guard).await;
    }
    for guard in guards {
        if guard.status().closed_until.is_some() {
            shared.wait_until_open(guard).await;
        }
        refused(guard).await;
        let fresh = format!("fresh-{}", shared.clock.now());
        let claimed = shared.claim(guard, &format!("{fresh}-{guard:p}")).await;
        claimed.expect("it goes on");
    }
    shared.clock.pass(Duration::from_secs(5));
}

async fn accept_some(shared: &Shared, guard: &RedisGuard) -> Vec<(String, Timestamp)> {
    let mut accepted = Vec::new();
    for n in 0..12_i32 {
        let offset = Duration::from_secs(25) * n.unsigned_abs();
        let date = shared.clock.now() - offset;
        let nonce = format!("nonce-{n}-{}", shared.clock.now());
        if shared.claim_at(guard, &nonce, date).await.is_ok() {
            accepted.push((nonce, date));
        }
    }
    assert!(!accepted.is_empty());
    accepted
}

async fn an_emptied_server_closes_what_was_marked(shared: Shared) {
    let (one, other) = (shared.open().await, shared.open().await);
    let (one, other) = (one.expect("a guard"), other.expect("a guard"));
    for _ in 0..2 {
        let accepted = accept_some(&shared, &one).await;
        assert!(shared.redis.ask("FLUSHALL").starts_with("+OK"));
        for (nonce, date) in &accepted {
            let again = shared.claim_at(&other, nonce, *date).await;
            assert!(
                matches!(again, Err(ClaimError::Unavailable(_))),
                "{again:?}"
            );
        }
        nothing_comes_back(&shared, [&one, &other], &accepted).await;
    }
}

async fn another_server_in_its_place_closes_what_was_marked(mut shared: Shared) {
    let (one, other) = (shared.open().await, shared.open().await);
    let (one, other) = (one.expect("a guard"), other.expect("a guard"));
    for _ in 0..2 {
        let accepted = accept_some(&shared, &one).await;
        let epoch = shared.agreed().await.epoch;
        shared.redis.restart();
        // As one that was promoted, or read an old snapshot: it has the epoch and not all nonces.
        let name = shared.redis.ask("KEYS charter:*");
        assert!(name.starts_with("*0"), "{name}");
        for (nonce, date) in &accepted {
            for guard in [&one, &other] {
                shared
                    .claim_at(guard, nonce, *date)
                    .await
                    .expect_err("lost");
            }
        }
        nothing_comes_back(&shared, [&one, &other], &accepted).await;
        assert_ne!(shared.agreed().await.epoch, epoch);
    }
}

async fn while_it_is_paused_or_gone_everything_is_refused(mut shared: Shared) {
    let guard = shared.open().await.expect("a guard");
    let date = shared.clock.now();
    shared.claim(&guard, "nonce-1").await.expect("fresh");
    shared.redis.pause();
    let refused = shared.claim(&guard, "nonce-2").await;
    assert!(
        matches!(refused, Err(ClaimError::Unavailable(_))),
        "{refused:?}"
    );
    let error = guard.status().last_error.expect("a reason");
    assert!(error.contains("Redis does not answer"), "{error}");
    // It is not waited for again.
    shared.claim(&guard, "nonce-3").await.expect_err("paused");
    shared.redis.resume();
    guard.maintain().await;
    // The same server with the same epoch: nothing was lost, and nothing is closed.
    assert_eq!(guard.status().closed_until, None);
    shared.claim(&guard, "nonce-4").await.expect("it goes on");
    let again = shared.claim_at(&guard, "nonce-1", date).await;
    assert!(matches!(again, Err(ClaimError::Replayed)), "{again:?}");
    shared.redis.kill();
    for _ in 0..2 {
        let refused = shared.claim(&guard, "nonce-5").await;
        assert!(
            matches!(refused, Err(ClaimError::Unavailable(_))),
            "{refused:?}"
        );
        guard.maintain().await;
    }
    assert!(guard.status().last_error.is_some());
}

async fn a_server_that_may_evict_is_refused(shared: Shared) {
    let guard = shared.open().await.expect("a guard");
    shared.claim(&guard, "nonce-1").await.expect("fresh");
    shared.redis.ask("CONFIG SET maxmemory-policy allkeys-lru");
    let Err(error) = shared.open().await else {
        panic!("it may forget");
    };
    let said = error.to_string();
    assert!(
        said.contains("`maxmemory-policy` is `allkeys-lru`") && said.contains("noeviction"),
        "{said}"
    );
    // One that runs notices within a second.
    guard.maintain().await;
    shared
        .claim(&guard, "nonce-2")
        .await
        .expect_err("it may forget");
    shared.redis.ask("CONFIG SET maxmemory-policy noeviction");
    guard.maintain().await;
    shared
        .claim(&guard, "nonce-3")
        .await
        .expect("nothing was evicted");
}

async fn a_process_that_remembers_by_itself_and_replicas_exclude_each_other(shared: Shared) {
    let directory = tempfile::tempdir().expect("a directory");
    let alone = || UnopenedGuard::wait(&shared.store, config(directory.path()), LEASE);
    let memory = alone().await.expect("its turn");
    let memory = memory.open(shared.clock.clone(), "run-1".to_owned(), false);
    let memory = memory.await.expect("a guard");
    let claim = async |guard: &dyn NonceStore, nonce: &str| {
        let now = shared.clock.now();
        guard
            .claim(shared.key, shared.organization, nonce, now)
            .await
    };
    claim(&memory, "nonce-1").await.expect("fresh");
    // It falls silent, and replicas take over.
    let guard = shared.open().await.expect("in its time");
    let again = claim(&guard, "nonce-1").await;
    assert!(matches!(again, Err(ClaimError::Closed { .. })), "{again:?}");
    shared.clock.pass(WINDOW * 3);
    claim(&memory, "nonce-2")
        .await
        .expect_err("it has lost the database");
    drop(memory);
    guard.maintain().await;
    shared.claim(&guard, "nonce-3").await.expect("open again");
    let accepted = shared.clock.now();
    // They fall silent, and one process takes over.
    let memory = alone().await.expect("its turn");
    let memory = memory.open(shared.clock.clone(), "run-2".to_owned(), false);
    let memory = memory.await.expect("a guard");
    let again = memory
        .claim(shared.key, shared.organization, "nonce-3", accepted)
        .await;
    assert!(matches!(again, Err(ClaimError::Closed { .. })), "{again:?}");
    shared.clock.pass(Duration::from_mins(2));
    guard.maintain().await;
    let refused = shared.claim(&guard, "nonce-4").await;
    assert!(
        matches!(refused, Err(ClaimError::NotHeld(_))),
        "{refused:?}"
    );
    assert!(guard.status().not_held.is_some());
}

/// Readiness tells it even if nobody asks for a nonce meanwhile.
async fn a_full_server_is_told_until_it_takes_nonces_again(shared: Shared) {
    let guard = shared.open().await.expect("a guard");
    shared.claim(&guard, "nonce-1").await.expect("fresh");
    shared.redis.ask("CONFIG SET maxmemory 1000");
    for _ in 0..2 {
        guard.maintain().await;
        let error = guard.status().last_error.expect("a reason");
        assert!(error.contains("maxmemory"), "{error}");
    }
    shared.claim(&guard, "nonce-2").await.expect_err("full");
    let Err(error) = shared.open().await else {
        panic!("it cannot be written");
    };
    assert!(error.to_string().contains("maxmemory"), "{error}");
    shared.redis.ask("CONFIG SET maxmemory 0");
    guard.maintain().await;
    assert_eq!(guard.status().last_error, None);
    assert_eq!(guard.status().closed_until, None, "nothing was lost");
    shared.claim(&guard, "nonce-3").await.expect("it goes on");
}

/// Two sides of a cut network: one still talks to the server that the other has replaced.
async fn a_guard_on_a_server_that_others_have_given_up_marks_nothing_more(shared: Shared) {
    let old = shared.open().await.expect("a guard");
    let Some(promoted) = Redis::start() else {
        return;
    };
    let moved = Shared {
        redis: promoted,
        store: Arc::clone(&shared.store),
        clock: Arc::clone(&shared.clock),
        bounds: shared.bounds,
        key: shared.key,
        organization: shared.organization,
        _database: TestDatabase::sqlite(),
    };
    let new = moved.open().await.expect("a guard");
    let mut twice = 0;
    let mut passed = [0, 0];
    // The new one starts on a server that the row does not know, so it waits for all that may be forgotten.
    for n in 0..90 {
        let nonce = format!("nonce-{n}");
        let date = shared.clock.now();
        let one = shared.claim_at(&old, &nonce, date).await.is_ok();
        let other = shared.claim_at(&new, &nonce, date).await.is_ok();
        twice += usize::from(one && other);
        passed[0] += usize::from(one);
        passed[1] += usize::from(other);
        shared.clock.pass(Duration::from_secs(5));
        new.maintain().await;
    }
    assert_eq!(twice, 0);
    assert!(passed[0] > 0 && passed[1] > 0, "{passed:?}");
}
