//! Restarts of the process and of the machine, and journals that were lost or damaged.

use super::*;

#[tokio::test]
async fn a_restart_refuses_every_replay_and_no_honest_request() {
    let mut bench = Bench::new();
    let dates: Vec<_> = (0..1_000_u64)
        .map(|n| bench.now() - WINDOW + Duration::from_millis(n * 599))
        .collect();
    for (n, date) in dates.iter().enumerate() {
        bench
            .claim(&format!("nonce-{n}"), *date)
            .await
            .expect("fresh");
    }
    for _ in 0..3 {
        bench.restart();
        assert_eq!(bench.guard().status().remembered, 1_000);
        for (n, date) in dates.iter().enumerate() {
            let again = bench.claim(&format!("nonce-{n}"), *date).await;
            assert!(matches!(again, Err(ClaimError::Replayed)), "{n}: {again:?}");
        }
    }
    for (n, date) in dates.iter().enumerate() {
        bench
            .claim(&format!("fresh-{n}"), *date)
            .await
            .expect("fresh");
    }
}

#[tokio::test]
async fn after_the_machine_went_down_what_was_marked_stays_closed() {
    let mut bench = Bench::new();
    let date = bench.now();
    bench.claim("nonce-1", date).await.expect("fresh");
    bench.guard = None;
    boot_again(bench.directory.path());
    bench.clock.pass(Duration::from_secs(20));
    bench.restart();
    // The half minutes of 12:00:00 and 12:00:30 were marked; 12:01:00 was not.
    for nonce in ["nonce-1", "nonce-2"] {
        let Err(ClaimError::Closed { retry_after }) = bench.claim(nonce, date).await else {
            panic!("`{nonce}` was not refused as closed");
        };
        assert_eq!(retry_after, Duration::from_secs(40));
    }
    assert_eq!(
        bench.guard().status().closed_until,
        Some(date + Duration::from_mins(1))
    );
    let ahead = date + Duration::from_mins(1);
    bench
        .claim("nonce-ahead", ahead)
        .await
        .expect("it was never marked");
    // Before the first mark nothing was accepted either.
    let behind = date - Duration::from_secs(1);
    bench
        .claim("nonce-behind", behind)
        .await
        .expect("it was never marked");
    // A restart of the process alone must not open what is closed.
    bench.restart();
    let again = bench.claim("nonce-1", date).await;
    assert!(matches!(again, Err(ClaimError::Closed { .. })), "{again:?}");
    bench.run_for(Duration::from_secs(40));
    let now = bench.now();
    bench
        .claim("nonce-now", now)
        .await
        .expect("a request of the present");
    assert_eq!(bench.guard().status().closed_until, None);
    let closed = bench.journals().remove(0);
    bench.run_for(WINDOW * 2);
    assert!(!closed.exists(), "its time is over");
}

#[tokio::test]
async fn after_a_clean_stop_the_machine_may_go_down() {
    let mut bench = Bench::new();
    let date = bench.now();
    bench.claim("nonce-1", date).await.expect("fresh");
    bench.guard().clean_stop().await.expect("a clean stop");
    let late = bench.claim("nonce-late", date).await;
    assert!(matches!(late, Err(ClaimError::Unavailable(_))), "{late:?}");
    bench.guard = None;
    boot_again(bench.directory.path());
    bench.restart();
    let again = bench.claim("nonce-1", date).await;
    assert!(matches!(again, Err(ClaimError::Replayed)), "{again:?}");
    bench
        .claim("nonce-late", date)
        .await
        .expect("it was not accepted");
    // The mark holds for one start only.
    bench.guard = None;
    boot_again(bench.directory.path());
    bench.restart();
    let again = bench.claim("nonce-1", date).await;
    assert!(matches!(again, Err(ClaimError::Closed { .. })), "{again:?}");
}

#[tokio::test]
async fn a_journal_lost_beside_an_older_database_closes_the_whole_window() {
    let mut bench = Bench::with(|config| config.installation_is_older = true);
    let start = bench.now();
    for date in [start - WINDOW, start, start + WINDOW] {
        let refused = bench.claim("nonce-1", date).await;
        assert!(
            matches!(refused, Err(ClaimError::Closed { .. })),
            "{refused:?}"
        );
    }
    let until = bench.guard().status().closed_until.expect("it is closed");
    assert!(until > start + WINDOW && until <= start + WINDOW + Duration::from_secs(31));
    // It stays so over a restart: by then there is a journal, but it proves nothing.
    bench.restart();
    let refused = bench.claim("nonce-1", start).await;
    assert!(
        matches!(refused, Err(ClaimError::Closed { .. })),
        "{refused:?}"
    );
    while bench.now() < until {
        bench.run_for(Duration::from_secs(5));
    }
    let now = bench.now();
    bench.claim("nonce-1", now).await.expect("open again");
}

#[tokio::test]
async fn a_damaged_state_is_as_good_as_none() {
    let mut bench = Bench::new();
    let date = bench.now();
    bench.claim("nonce-1", date).await.expect("fresh");
    bench.guard = None;
    std::fs::write(bench.directory.path().join("state.json"), "{").expect("written");
    bench.restart();
    for date in [date, date + WINDOW] {
        let refused = bench.claim("nonce-2", date).await;
        assert!(
            matches!(refused, Err(ClaimError::Closed { .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_damaged_journal_closes_its_half_minute_and_no_other() {
    let mut bench = Bench::new();
    let date = bench.now();
    bench.claim("nonce-1", date).await.expect("fresh");
    bench.claim("nonce-2", date).await.expect("fresh");
    bench.guard = None;
    let first = bench.journals().remove(0);
    let whole = std::fs::read(&first).expect("bytes");
    // Part of a record at the end was never answered as accepted.
    std::fs::write(&first, [&whole[..], &[1; 39]].concat()).expect("written");
    bench.restart();
    let again = bench.claim("nonce-2", date).await;
    assert!(matches!(again, Err(ClaimError::Replayed)), "{again:?}");
    bench.guard = None;
    let mut damaged = whole;
    damaged[60] ^= 1;
    std::fs::write(&first, damaged).expect("written");
    bench.restart();
    let refused = bench.claim("nonce-3", date).await;
    assert!(
        matches!(refused, Err(ClaimError::Closed { .. })),
        "{refused:?}"
    );
    let next = date + Duration::from_secs(30);
    bench
        .claim("nonce-3", next)
        .await
        .expect("its journal is whole");
    assert_eq!(bench.guard().status().remembered, 1);
}

#[tokio::test]
async fn a_journal_that_the_disk_refuses_is_read_as_soon_as_it_can_be() {
    for way in [
        "later",
        "by the next start",
        "by the start after a clean stop",
    ] {
        let mut bench = Bench::new();
        let date = bench.now();
        bench.claim("nonce-1", date).await.expect("fresh");
        bench.guard = None;
        let journal = bench.journals().remove(0);
        let aside = journal.with_extension("aside");
        std::fs::rename(&journal, &aside).expect("moved");
        std::fs::create_dir(&journal).expect("nothing that can be read");
        bench.restart();
        bench.run_for(Duration::from_secs(5));
        for nonce in ["nonce-1", "nonce-2"] {
            let refused = bench.claim(nonce, date).await;
            assert!(
                matches!(refused, Err(ClaimError::Closed { .. })),
                "{way}: {refused:?}"
            );
        }
        if way.contains("clean") {
            bench.guard().clean_stop().await.expect("a clean stop");
        }
        std::fs::remove_dir(&journal).expect("removed");
        std::fs::rename(&aside, &journal).expect("back again");
        if way == "later" {
            bench.guard().maintain();
        } else {
            bench.restart();
        }
        let again = bench.claim("nonce-1", date).await;
        assert!(
            matches!(again, Err(ClaimError::Replayed)),
            "{way}: {again:?}"
        );
        bench.claim("nonce-2", date).await.expect(way);
        assert_eq!(bench.guard().status().closed_until, None, "{way}");
        // What was counted is missed now as ever.
        bench.guard = None;
        std::fs::write(
            &journal,
            std::fs::read(&journal).expect("bytes").split_at(56).0,
        )
        .expect("cut");
        bench.restart();
        let refused = bench.claim("nonce-2", date).await;
        assert!(
            matches!(refused, Err(ClaimError::Closed { .. })),
            "{way}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn another_replay_key_closes_what_was_written_under_the_old_one() {
    let mut bench = Bench::new();
    let date = bench.now();
    bench.claim("nonce-1", date).await.expect("fresh");
    bench.guard = None;
    bench
        .open(|config| config.hash_key = SecretBox::new(Box::new([8; 32])))
        .expect("a guard");
    let refused = bench.claim("nonce-1", date).await;
    assert!(
        matches!(refused, Err(ClaimError::Closed { .. })),
        "{refused:?}"
    );
}
