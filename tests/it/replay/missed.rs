//! Journals that somebody removed, cut, or replaced by an older copy.

use super::*;

/// The journals as they were after the first nonce.
type Older = Vec<(PathBuf, Vec<u8>)>;

/// What is done to the journals.
type Harm = fn(&Bench, &Older);

const HARMS: [(&str, Harm); 5] = [
    ("removed", |bench, _| {
        for journal in bench.journals() {
            std::fs::remove_file(journal).expect("removed");
        }
    }),
    ("cut to half", |bench, _| {
        let journal = bench.journals().remove(0);
        let file = std::fs::File::options().write(true).open(journal);
        file.and_then(|file| file.set_len(16 + 3 * 40))
            .expect("cut");
    }),
    ("written over by an older copy", |_, older| {
        for (path, bytes) in older {
            std::fs::write(path, bytes).expect("written");
        }
    }),
    ("exchanged for an older copy", |_, older| {
        for (path, bytes) in older {
            let new = path.with_extension("copy");
            std::fs::write(&new, bytes).expect("written");
            std::fs::rename(new, path).expect("renamed over");
        }
    }),
    ("all files removed", |bench, _| {
        for entry in std::fs::read_dir(bench.directory.path()).expect("a directory") {
            std::fs::remove_file(entry.expect("an entry").path()).expect("removed");
        }
    }),
];

#[tokio::test]
async fn nonces_of_a_damaged_journal_are_refused_after_a_stop_or_a_crash() {
    for (how, harm) in HARMS {
        for (while_running, is_clean) in
            [(true, true), (true, false), (false, true), (false, false)]
        {
            let way = format!("{how}, running {while_running}, clean stop {is_clean}");
            let mut bench = Bench::new();
            let date = bench.now();
            bench.claim("nonce-0", date).await.expect("fresh");
            let paths = bench.journals().into_iter();
            let read = |path: PathBuf| (path.clone(), std::fs::read(path).expect("bytes"));
            let older: Older = paths.map(read).collect();
            for n in 1..6 {
                let claimed = bench.claim(&format!("nonce-{n}"), date).await;
                claimed.expect("fresh");
            }
            assert_eq!(bench.guard().status().lost_until, None, "{way}");
            if while_running {
                harm(&bench, &older);
                bench.guard().maintain();
                let until = bench.guard().status().lost_until.expect(&way);
                assert!(until > date, "{way}");
                // It remembers all the same.
                let again = bench.claim("nonce-5", date).await;
                assert!(
                    matches!(again, Err(ClaimError::Replayed)),
                    "{way}: {again:?}"
                );
                bench.claim("nonce-6", date).await.expect(&way);
            }
            if is_clean {
                bench.guard().clean_stop().await.expect("a clean stop");
            }
            bench.guard = None;
            if !while_running {
                harm(&bench, &older);
            }
            let opened = bench.open(|config| config.installation_is_older = true);
            opened.expect("a guard");
            for n in 0..6 {
                let again = bench.claim(&format!("nonce-{n}"), date).await;
                assert!(
                    matches!(again, Err(ClaimError::Closed { .. })),
                    "{way}: {again:?}"
                );
            }
            let until = bench.guard().status().closed_until.expect(&way);
            // Nor after one more start.
            bench.restart();
            let again = bench.claim("nonce-1", date).await;
            assert!(
                matches!(again, Err(ClaimError::Closed { .. })),
                "{way}: {again:?}"
            );
            while bench.now() < until {
                bench.run_for(Duration::from_secs(5));
            }
            let now = bench.now();
            bench.claim("nonce-9", now).await.expect(&way);
        }
    }
}

#[tokio::test]
async fn a_journal_that_held_nothing_is_not_missed() {
    for is_clean in [true, false] {
        let mut bench = Bench::new();
        let date = bench.now();
        bench.claim("nonce-1", date).await.expect("fresh");
        if is_clean {
            bench.guard().clean_stop().await.expect("a clean stop");
        }
        bench.guard = None;
        let next = bench
            .journals()
            .pop()
            .expect("that of the next half minute");
        std::fs::remove_file(next).expect("removed");
        bench.restart();
        let again = bench.claim("nonce-1", date).await;
        assert!(matches!(again, Err(ClaimError::Replayed)), "{again:?}");
        let next = date + Duration::from_secs(30);
        bench.claim("nonce-2", next).await.expect("fresh");
        assert_eq!(bench.guard().status().closed_until, None);
    }
}

#[tokio::test]
async fn a_crash_without_the_counts_closes_open_half_minutes() {
    let mut bench = Bench::new();
    let date = bench.now();
    bench.claim("nonce-1", date).await.expect("fresh");
    bench.guard = None;
    std::fs::remove_file(bench.directory.path().join("tally")).expect("removed");
    bench.restart();
    let again = bench.claim("nonce-1", date).await;
    assert!(matches!(again, Err(ClaimError::Closed { .. })), "{again:?}");
    let later = date + Duration::from_mins(1);
    bench.claim("nonce-1", later).await.expect("never opened");
}

#[tokio::test]
async fn no_half_minute_opens_while_the_directory_is_gone() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = place.path().join("replay");
    let clock = HandClock::new();
    let guard = ReplayGuard::open(&config(&directory), clock.clone()).expect("a guard");
    let (key, organization) = (key(&clock), organization(&clock));
    let away = place.path().join("away");
    std::fs::rename(&directory, &away).expect("moved");
    std::fs::create_dir(&directory).expect("another one");
    guard.maintain();
    assert!(guard.status().lost_until.is_some());
    let ahead = clock.now() + Duration::from_mins(2);
    let refused = guard.claim(key, organization, "nonce-1", ahead).await;
    assert!(
        matches!(refused, Err(ClaimError::Unavailable(_))),
        "{refused:?}"
    );
    assert!(journals(&directory).is_empty());
    std::fs::remove_dir(&directory).expect("removed");
    std::fs::rename(&away, &directory).expect("moved back");
    guard.maintain();
    assert_eq!(guard.status().lost_until, None);
    let claimed = guard.claim(key, organization, "nonce-2", ahead).await;
    claimed.expect("it goes on");
}
