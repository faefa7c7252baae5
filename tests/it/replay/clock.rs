//! Clocks that run, jump and are corrected.

use super::*;

#[tokio::test]
async fn a_nonce_is_remembered_until_its_date_has_left_the_window() {
    let bench = Bench::new();
    let date = bench.now() + WINDOW - Duration::from_secs(1);
    bench.claim("nonce-ahead", date).await.expect("fresh");
    while bench.now() <= date + WINDOW {
        let again = bench.claim("nonce-ahead", date).await;
        assert!(matches!(again, Err(Refusal::Replayed)), "{again:?}");
        bench.clock.pass(Duration::from_secs(1));
        bench.guard().maintain();
    }
    for _ in 0..60 {
        let again = bench.claim("nonce-ahead", date).await;
        let refused = matches!(again, Err(Refusal::Replayed | Refusal::OutsideWindow));
        assert!(refused, "{again:?}");
        bench.run_for(Duration::from_secs(5));
    }
    assert_eq!(bench.guard().status().remembered, 0);
}

#[tokio::test]
async fn a_clock_set_back_does_not_revive_what_was_forgotten() {
    let mut bench = Bench::new();
    let date = bench.now();
    bench.claim("nonce-old", date).await.expect("fresh");
    bench.run_for(HOUR);
    bench.clock.set_back(HOUR);
    for _ in 0..2 {
        bench.guard().maintain();
        let again = bench.claim("nonce-old", date).await;
        assert!(matches!(again, Err(Refusal::BelowFloor)), "{again:?}");
        // Another process on the same directory knows it, too.
        bench.restart();
    }
    bench.run_for(HOUR);
    let now = bench.now();
    bench
        .claim("nonce-new", now)
        .await
        .expect("the clock has caught up");
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_and_back_neither_revives_nor_locks_out() {
    let bench = Bench::new();
    let date = bench.now();
    bench.claim("nonce-before", date).await.expect("fresh");
    bench.clock.set_ahead(HOUR);
    bench.guard().maintain();
    let ahead = bench.now();
    bench.claim("nonce-ahead", ahead).await.expect("fresh");
    bench.run_for(Duration::from_mins(1));
    bench.clock.set_back(HOUR);
    bench.guard().maintain();
    let again = bench.claim("nonce-before", date).await;
    assert!(matches!(again, Err(Refusal::Replayed)), "{again:?}");
    let now = bench.now();
    bench.claim("nonce-after", now).await.expect("fresh");
    bench.run_for(Duration::from_mins(59));
    let again = bench.claim("nonce-ahead", ahead).await;
    assert!(matches!(again, Err(Refusal::Replayed)), "{again:?}");
}

#[tokio::test]
async fn a_clock_that_idled_ahead_and_is_corrected_locks_nobody_out() {
    let bench = Bench::new();
    bench.clock.set_ahead(HOUR);
    bench.run_for(HOUR);
    bench.clock.set_back(HOUR);
    bench.guard().maintain();
    let now = bench.now();
    bench
        .claim("nonce-now", now)
        .await
        .expect("nothing was forgotten");
}
