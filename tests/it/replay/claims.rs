//! Claims: one winner, quotas, and a disk that fails.

use charter_budgets::Resource;

use super::*;

/// How many threads had each nonce accepted, of those that claim it at once, each with a date of its own.
fn accepted_at_once(bench: &Bench, dates: &[Timestamp], rounds: usize) -> Vec<usize> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let accepted: Vec<_> = (0..rounds).map(|_| AtomicUsize::new(0)).collect();
    let barrier = std::sync::Barrier::new(dates.len());
    std::thread::scope(|scope| {
        for date in dates {
            scope.spawn(|| {
                for (round, accepted) in accepted.iter().enumerate() {
                    let nonce = format!("nonce-{round}");
                    barrier.wait();
                    match runtime.block_on(bench.claim(&nonce, *date)) {
                        Ok(()) => {
                            accepted.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(ClaimError::Replayed) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            });
        }
    });
    accepted.into_iter().map(AtomicUsize::into_inner).collect()
}

#[test]
fn concurrent_claims_of_a_nonce_accept_exactly_one() {
    const ROUNDS: usize = 20_000;
    let bench = Bench::new();
    let accepted = accepted_at_once(&bench, &[bench.now(); 8], ROUNDS);
    assert!(accepted.iter().all(|count| *count == 1));
    assert_eq!(bench.guard().status().remembered, ROUNDS);
}

#[test]
fn concurrent_claims_with_many_dates_accept_at_most_one() {
    let bench = Bench::new();
    let dates = [0, 30, 60, 90].map(|seconds| bench.now() + Duration::from_secs(seconds));
    let accepted = accepted_at_once(&bench, &dates, 2_000);
    assert!(accepted.iter().all(|count| *count <= 1));
}

#[tokio::test]
async fn a_key_that_uses_up_its_quota_hurts_only_itself() {
    let bench =
        Bench::with(|ReplayGuardConfig { bounds, .. }| (bounds.per_key, bounds.total) = (3, 5));
    let date = bench.now();
    for nonce in ["nonce-1", "nonce-2", "nonce-3"] {
        bench.claim(nonce, date).await.expect("within the quota");
    }
    let Err(ClaimError::KeyQuota { retry_after, .. }) = bench.claim("nonce-4", date).await else {
        panic!("the quota was not kept");
    };
    for _ in 0..2 {
        let (other, of) = (key(&bench.clock), organization(&bench.clock));
        let claimed = bench.guard().claim(other, of, "nonce-1", date).await;
        claimed.expect("another organization's key has a quota of its own");
    }
    let (another, of) = (key(&bench.clock), organization(&bench.clock));
    let last = bench.guard().claim(another, of, "nonce-1", date).await;
    assert!(matches!(last, Err(ClaimError::Full { .. })), "{last:?}");
    assert_eq!(retry_after, Duration::from_secs(331));
    bench.run_for(Duration::from_secs(325));
    assert_eq!(bench.guard().status().remembered, 5);
    bench.run_for(Duration::from_secs(10));
    assert_eq!(bench.guard().status().remembered, 0);
    let now = bench.now();
    bench
        .claim("nonce-4", now)
        .await
        .expect("the quota is free again");
}

#[tokio::test]
async fn a_nonce_is_claimed_once_whatever_its_second_date() {
    let bench = Bench::new();
    let first = bench.now();
    bench.claim("nonce-1", first).await.expect("fresh");
    for seconds in [1, 30, 60, 299] {
        for date in [
            first + Duration::from_secs(seconds),
            first - Duration::from_secs(seconds),
        ] {
            let again = bench.claim("nonce-1", date).await;
            assert!(
                matches!(again, Err(ClaimError::Replayed)),
                "{date}: {again:?}"
            );
        }
    }
    // Forgotten with its own date, but for where it came again.
    bench.run_for(Duration::from_secs(640));
    bench
        .claim("nonce-1", bench.now())
        .await
        .expect("fresh again");
}

#[tokio::test]
async fn two_keys_may_use_the_same_nonce() {
    let bench = Bench::new();
    let date = bench.now();
    bench.claim("nonce-1", date).await.expect("fresh");
    let other = bench.claim_by(key(&bench.clock), "nonce-1", date).await;
    other.expect("fresh for this key");
    let again = bench.claim("nonce-1", date).await;
    assert!(matches!(again, Err(ClaimError::Replayed)), "{again:?}");
}

#[tokio::test]
async fn a_disk_that_fails_accepts_nothing() {
    let bench = Bench::new();
    let date = bench.now() + Duration::from_secs(90);
    let blocked = bench
        .directory
        .path()
        .join((date.timestamp() / 30).to_string())
        .with_extension("journal");
    std::fs::create_dir(&blocked).expect("a directory in the way");
    for _ in 0..2 {
        let refused = bench.claim("nonce-1", date).await;
        assert!(
            matches!(refused, Err(ClaimError::Unavailable(_))),
            "{refused:?}"
        );
    }
    assert!(bench.guard().status().last_error.is_some());
    std::fs::remove_dir(&blocked).expect("out of the way");
    bench
        .claim("nonce-1", date)
        .await
        .expect("the disk works again");
    assert_eq!(bench.guard().status().last_error, None);
    assert_eq!(bench.guard().status().remembered, 1);
}

#[test]
fn two_processes_cannot_share_a_journal() {
    let bench = Bench::new();
    let clock: Arc<dyn Clock> = bench.clock.clone();
    let second = ReplayGuard::open(&config(bench.directory.path()), clock);
    assert!(matches!(second, Err(OpenError::Locked(_))));
}

#[tokio::test]
async fn an_old_journal_that_cannot_be_removed_refuses_nobody() {
    let bench = Bench::new();
    let date = bench.now();
    bench.claim("nonce-1", date).await.expect("fresh");
    let old = bench.journals().remove(0);
    std::fs::remove_file(&old).expect("removed");
    std::fs::create_dir(&old).expect("a directory in the way");
    bench.run_for(WINDOW * 2);
    assert!(old.exists());
    assert_eq!(bench.guard().status().last_error, None);
    assert_eq!(bench.guard().status().remembered, 0);
    let now = bench.now();
    bench.claim("nonce-2", now).await.expect("fresh");
}

#[tokio::test]
async fn four_keys_of_one_organization_stop_nobody_else() {
    let bench = Bench::with(|config| {
        config.bounds = Bounds {
            per_key: 1_000,
            per_organization: 50,
            total: 200,
        };
    });
    let date = bench.now();
    let keys = [(); 4].map(|()| key(&bench.clock));
    let mut passed = 0;
    for n in 0..400 {
        match bench
            .claim_by(keys[n % 4], &format!("nonce-{n}"), date)
            .await
        {
            Ok(()) => passed += 1,
            Err(ClaimError::KeyQuota { limit, retry_after }) => {
                assert_eq!((limit, retry_after), (11, Duration::from_secs(331)));
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(passed, 44);
    // The last eighth is for those that have used next to nothing.
    for n in 0..7 {
        let nonce = format!("nonce-of-another-{n}");
        let claimed = bench.claim_by(key(&bench.clock), &nonce, date).await;
        match claimed {
            Ok(()) => assert!(n < 6),
            Err(ClaimError::Budget(exhausted)) => {
                assert_eq!(
                    (exhausted.resource, exhausted.limit),
                    (Resource::Nonces, 50)
                );
                assert_eq!((n, exhausted.retry_after), (6, Duration::from_secs(331)));
            }
            Err(other) => panic!("{other}"),
        }
    }
    let near = bench.guard().status().near;
    assert_eq!(near.len(), 1);
    assert_eq!(
        (near[0].organization, near[0].percent()),
        (bench.organization, 100)
    );
    for n in 0..30 {
        let (other, of) = (key(&bench.clock), organization(&bench.clock));
        let claimed = bench
            .guard()
            .claim(other, of, &format!("nonce-{n}"), date)
            .await;
        claimed.expect("room for everybody else");
    }
    // Nothing was forgotten for it, and their time comes.
    let again = bench.claim_by(keys[0], "nonce-0", date).await;
    again.expect_err("remembered");
    bench.run_for(Duration::from_secs(335));
    let claimed = bench.claim_by(keys[0], "nonce-0", bench.now()).await;
    claimed.expect("the share is free again");
}
