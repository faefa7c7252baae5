//! Guards whose database was restored from a backup, or that have another `keys.replay` than others.

use charter_authn::nonces::{RedisConfig, RedisGuard};
use charter_store::{GuardLease, Replica, SharedGuard};

use super::shared::{ROOMY, Shared};
use super::*;

/// The rows of the guard, as a backup has them.
async fn backed_up(shared: &Shared) -> (SharedGuard, GuardLease) {
    let turn = shared.store.begin_shared_guard().await.expect("rows");
    (turn.guard.clone(), turn.lease.clone().expect("a lease"))
}

async fn restore(shared: &Shared, (guard, lease): (SharedGuard, GuardLease)) {
    let turn = shared.store.begin_shared_guard().await.expect("rows");
    turn.save(guard, &lease).await.expect("restored");
}

/// Accepts requests of the next minutes, which a backup of now does not know of.
async fn accept_later(shared: &Shared, guard: &RedisGuard) -> Vec<(String, Timestamp)> {
    let mut accepted = Vec::new();
    for n in 0..8 {
        shared.clock.pass(Duration::from_secs(15));
        guard.maintain().await;
        // Also of clients whose clock is ahead.
        for ahead in [
            Duration::ZERO,
            WINDOW.saturating_sub(Duration::from_secs(1)),
        ] {
            let (nonce, date) = (format!("nonce-{n}-{ahead:?}"), shared.clock.now() + ahead);
            let claimed = shared.claim_at(guard, &nonce, date).await;
            claimed.expect("fresh");
            accepted.push((nonce, date));
        }
    }
    accepted
}

/// Redis is emptied, or another one, and the database was restored: it says nothing of what was accepted since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_after_the_backup_is_accepted_again_whatever_became_of_redis() {
    type Lose = fn(&mut Shared);
    let losses: [Lose; 2] = [
        |shared| drop(shared.redis.ask("FLUSHALL")),
        |shared| shared.redis.restart(),
    ];
    for (number, lose) in losses.into_iter().enumerate() {
        let Some(mut shared) = Shared::with(ROOMY).await else {
            return;
        };
        let guard = shared.open().await.expect("a guard");
        let backup = backed_up(&shared).await;
        let accepted = accept_later(&shared, &guard).await;
        drop(guard);
        lose(&mut shared);
        restore(&shared, backup).await;
        let started = shared.clock.now();
        let guard = shared.open().await.expect("a guard");
        assert!(guard.status().closed_until.is_some(), "{number}");
        while guard.status().closed_until.is_some() {
            for (nonce, date) in &accepted {
                let again = shared.claim_at(&guard, nonce, *date).await;
                assert!(
                    matches!(
                        again,
                        Err(ClaimError::Closed { .. } | ClaimError::OutsideWindow)
                    ),
                    "{number} {nonce}: {again:?}"
                );
            }
            shared.clock.pass(Duration::from_secs(15));
            guard.maintain().await;
        }
        let closed = shared.clock.now() - started;
        let limit = WINDOW + Duration::from_mins(1);
        assert!(closed.to_std().expect("later") <= limit, "{closed}");
        for (nonce, date) in &accepted {
            let again = shared.claim_at(&guard, nonce, *date).await;
            again.expect_err("accepted before");
        }
        shared.claim(&guard, "fresh").await.expect("it goes on");
    }
}

/// Redis has them all, so nothing need be closed that the row does not name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_costs_nothing_while_redis_is_the_same() {
    for expired in [false, true] {
        let Some(shared) = Shared::with(ROOMY).await else {
            return;
        };
        let guard = shared.open().await.expect("a guard");
        let backup = backed_up(&shared).await;
        let accepted = accept_later(&shared, &guard).await;
        drop(guard);
        restore(&shared, backup).await;
        if expired {
            // As a minute without a poll does.
            let key = shared.redis.ask("KEYS charter:*:epoch");
            let key = key.lines().find(|line| line.starts_with("charter:"));
            shared.redis.ask(&format!("DEL {}", key.expect("a key")));
        }
        let guard = shared.open().await.expect("a guard");
        assert_eq!(guard.status().closed_until, None, "{expired}");
        for (nonce, date) in &accepted {
            let again = shared.claim_at(&guard, nonce, *date).await;
            // What the row names is closed by the epoch that begins.
            let is_refused = matches!(again, Err(ClaimError::Replayed))
                || (expired && matches!(again, Err(ClaimError::Closed { .. })));
            assert!(is_refused, "{expired} {nonce}: {again:?}");
        }
        shared.claim(&guard, "fresh").await.expect("it goes on");
    }
}

/// While replicas run, each knows what it has accepted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_another_replica_knows_is_closed_when_it_joins_the_epoch() {
    let Some(shared) = Shared::with(ROOMY).await else {
        return;
    };
    let (one, other) = (shared.open().await, shared.open().await);
    let (one, other) = (one.expect("a guard"), other.expect("a guard"));
    let backup = backed_up(&shared).await;
    let accepted = accept_later(&shared, &one).await;
    restore(&shared, backup).await;
    shared.redis.ask("FLUSHALL");
    // The one that has accepted nothing begins the epoch.
    other.maintain().await;
    one.maintain().await;
    other.maintain().await;
    for guard in [&one, &other] {
        for (nonce, date) in &accepted {
            let again = shared.claim_at(guard, nonce, *date).await;
            assert!(again.is_err(), "{nonce}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_hash_key_is_refused_while_replicas_with_the_first_one_live() {
    let Some(shared) = Shared::with(ROOMY).await else {
        return;
    };
    let note = async |host: &str, key: [u8; 32]| {
        let key = RedisConfig {
            hash_key: SecretBox::new(Box::new(key)),
            ..shared.config()
        };
        let replica = Replica {
            id: host.to_owned(),
            host: host.to_owned(),
            version: "0.1.0".to_owned(),
            started_at: shared.clock.now(),
            policy_digest: String::new(),
            domain_digests: None,
            folder_digest: None,
            replay_key: Some(key.key_id()),
            readiness: "ok".to_owned(),
            seen_at: shared.clock.now(),
        };
        shared.store.note_replica(replica).await.expect("noted");
    };
    let guard = shared.open().await.expect("a guard");
    note("one/1", [7; 32]).await;
    let Err(error) = shared.open_with([8; 32]).await else {
        panic!("one/1 has another key");
    };
    let said = error.to_string();
    assert!(
        said.contains("`one/1`") && said.contains("`keys.replay`"),
        "{said}"
    );
    let checked = |key: [u8; 32]| {
        let config = RedisConfig {
            hash_key: SecretBox::new(Box::new(key)),
            ..shared.config()
        };
        let (store, now) = (Arc::clone(&shared.store), shared.clock.now());
        async move { config.check_key(&store, now).await }
    };
    assert_eq!(
        checked([8; 32]).await.expect_err("the same").to_string(),
        said
    );
    checked([7; 32]).await.expect("the same key");
    guard.maintain().await;
    shared.claim(&guard, "nonce-1").await.expect("undisturbed");
    // It is cut off for so long that it counts as lost, and another one brings its key.
    let date = shared.clock.now();
    shared.clock.pass(Duration::from_secs(31));
    let rotated = shared.open_with([8; 32]).await.expect("a guard");
    note("two/2", [8; 32]).await;
    note("one/1", [7; 32]).await;
    let again = shared.claim_at(&rotated, "nonce-1", date).await;
    assert!(matches!(again, Err(ClaimError::Closed { .. })), "{again:?}");
    guard.maintain().await;
    for _ in 0..2 {
        guard.maintain().await;
        let refused = shared.claim(&guard, "nonce-2").await;
        refused.expect_err("another key");
        let error = guard.status().last_error.expect("a reason");
        assert!(error.contains("`two/2`"), "{error}");
    }
    // The survivor goes on without a hand once the other is gone.
    drop(rotated);
    shared.store.forget_replica("two/2").await.expect("gone");
    guard.maintain().await;
    assert_eq!(guard.status().last_error, None);
    shared.clock.pass(WINDOW + Duration::from_mins(1));
    guard.maintain().await;
    shared.claim(&guard, "nonce-3").await.expect("it goes on");
    let again = shared.claim_at(&guard, "nonce-1", date).await;
    again.expect_err("accepted before");
}
