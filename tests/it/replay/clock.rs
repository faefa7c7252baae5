//! Clocks that run, jump and are corrected.

use super::*;

#[tokio::test]
async fn a_nonce_is_remembered_until_its_date_has_left_the_window() {
    let bench = Bench::new();
    let date = bench.now() + WINDOW - Duration::from_secs(1);
    bench.claim("nonce-ahead", date).await.expect("fresh");
    while bench.now() <= date + WINDOW {
        let again = bench.claim("nonce-ahead", date).await;
        assert!(matches!(again, Err(ClaimError::Replayed)), "{again:?}");
        bench.clock.pass(Duration::from_secs(1));
        bench.guard().maintain();
    }
    for _ in 0..60 {
        let again = bench.claim("nonce-ahead", date).await;
        let refused = matches!(again, Err(ClaimError::Replayed | ClaimError::OutsideWindow));
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
        assert!(matches!(again, Err(ClaimError::Forgotten)), "{again:?}");
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
    assert!(matches!(again, Err(ClaimError::Replayed)), "{again:?}");
    let now = bench.now();
    bench.claim("nonce-after", now).await.expect("fresh");
    bench.run_for(Duration::from_mins(59));
    let again = bench.claim("nonce-ahead", ahead).await;
    assert!(matches!(again, Err(ClaimError::Replayed)), "{again:?}");
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

const DAY: Duration = Duration::from_hours(24);

/// Both clocks a day ahead for some time, with a request in each half minute, and right again.
async fn ahead_for(bench: &mut Bench, time: Duration, restart: bool) {
    bench.clock.pass(DAY);
    bench.guard().maintain();
    if restart {
        bench.restart();
    }
    for n in 0..time.as_secs() / 15 {
        let now = bench.now();
        bench
            .claim(&format!("ahead-{n}"), now)
            .await
            .expect("fresh");
        bench.run_for(Duration::from_secs(15));
    }
    bench.clock.set_back(DAY);
    bench.guard().maintain();
    if restart {
        bench.restart();
    }
}

#[tokio::test]
async fn a_clock_that_was_a_day_ahead_closes_only_what_was_dropped() {
    for (seconds, restart) in [(45, false), (45, true), (3_600, false), (3_600, true)] {
        let mut bench = Bench::new();
        let date = bench.now();
        bench.claim("nonce-before", date).await.expect("fresh");
        ahead_for(&mut bench, Duration::from_secs(seconds), restart).await;
        let again = bench.claim("nonce-before", date).await;
        again.expect_err("it was accepted before");
        let status = bench.guard().status();
        assert_eq!(status.closed_until, None, "{seconds} s");
        // Of an hour most was dropped, for both clocks said so, and is refused when it comes.
        assert_eq!(
            status.forgotten_ahead.is_some(),
            seconds > 600,
            "{status:?}"
        );
        for n in 0..60 {
            let now = bench.now();
            let honest = bench.claim(&format!("honest-{n}"), now).await;
            honest.unwrap_or_else(|refusal| panic!("{seconds} s, {n}: {refusal}"));
            bench.run_for(Duration::from_secs(10));
        }
        bench
            .clock
            .pass(DAY.saturating_sub(Duration::from_secs(seconds + 600)));
        bench.guard().maintain();
        for n in 0..seconds / 15 {
            let ahead = date + DAY + Duration::from_secs(n * 15);
            bench
                .claim(&format!("ahead-{n}"), ahead)
                .await
                .expect_err("it was accepted while the clock was ahead");
        }
    }
}

#[tokio::test]
async fn a_start_under_a_clock_that_is_ahead_drops_nothing() {
    let mut bench = Bench::new();
    let date = bench.now();
    bench.claim("nonce-1", date).await.expect("fresh");
    bench.guard().clean_stop().await.expect("a clean stop");
    bench.clock.set_ahead(DAY * 70);
    bench.restart();
    bench.run_for(Duration::from_mins(1));
    bench.clock.set_back(DAY * 70);
    bench.guard().maintain();
    let again = bench.claim("nonce-1", date).await;
    assert!(matches!(again, Err(ClaimError::Replayed)), "{again:?}");
    bench.claim("nonce-2", date).await.expect("fresh");
}
