//! A nonce is accepted once: not twice in a crowd, not after a restart, not after the clock was
//! moved, not when the disk fails (contract section 3).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use charter::authn::replay::{Config, OpenError, Refusal, ReplayGuard};
use charter::domain::clock::Clock;
use charter::domain::entropy::OsEntropy;
use charter::domain::id::AccessKeyId;
use charter::domain::timestamp::{self, Timestamp};
use parking_lot::Mutex;
use secrecy::SecretBox;

pub(crate) const WINDOW: Duration = Duration::from_mins(5);
const HOUR: Duration = Duration::from_hours(1);

/// Both clocks, moved by hand.
pub(crate) struct HandClock(Mutex<(Timestamp, Duration)>);

impl HandClock {
    pub(crate) fn new() -> Arc<Self> {
        let start = timestamp::parse("2025-09-30T12:00:00Z").expect("a date");
        Arc::new(Self(Mutex::new((start, Duration::ZERO))))
    }

    /// Time passes.
    pub(crate) fn pass(&self, time: Duration) {
        let mut clocks = self.0.lock();
        clocks.0 += time;
        clocks.1 += time;
    }

    /// Somebody sets the wall clock ahead.
    pub(crate) fn set_ahead(&self, step: Duration) {
        self.0.lock().0 += step;
    }

    /// Somebody sets the wall clock back.
    pub(crate) fn set_back(&self, step: Duration) {
        self.0.lock().0 -= step;
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        self.0.lock().0
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().1
    }
}

pub(crate) fn config(directory: &Path) -> Config {
    Config {
        window: WINDOW,
        per_key_quota: 1_000_000,
        total: 4_000_000,
        directory: directory.to_owned(),
        hash_key: SecretBox::new(Box::new([7; 32])),
        installation_is_older: false,
    }
}

pub(crate) fn key(clock: &HandClock) -> AccessKeyId {
    AccessKeyId::generate(clock.now(), &OsEntropy)
}

/// Makes it look as if the machine had gone down since.
pub(crate) fn boot_again(directory: &Path) {
    let path = directory.join("state.json");
    let text = std::fs::read_to_string(&path).expect("a state");
    let mut state: serde_json::Value = serde_json::from_str(&text).expect("json");
    assert!(state["boot_id"].is_string(), "this machine tells its boots");
    state["boot_id"] = "another".into();
    std::fs::write(&path, state.to_string()).expect("written");
}

/// A guard in a directory of its own, with one key.
struct Bench {
    clock: Arc<HandClock>,
    directory: tempfile::TempDir,
    key: AccessKeyId,
    guard: Option<ReplayGuard>,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(adjust: impl FnOnce(&mut Config)) -> Self {
        let clock = HandClock::new();
        let directory = tempfile::tempdir().expect("a directory");
        let mut bench = Self {
            key: key(&clock),
            clock,
            directory,
            guard: None,
        };
        bench.open(adjust).expect("a guard");
        bench
    }

    fn open(&mut self, adjust: impl FnOnce(&mut Config)) -> Result<(), OpenError> {
        let mut config = config(self.directory.path());
        adjust(&mut config);
        let clock: Arc<dyn Clock> = self.clock.clone();
        self.guard = Some(ReplayGuard::open(&config, clock)?);
        Ok(())
    }

    /// The process dies, without a word, and starts again.
    fn restart(&mut self) {
        self.guard = None;
        self.open(|_| {}).expect("a guard");
    }

    fn guard(&self) -> &ReplayGuard {
        self.guard.as_ref().expect("it is open")
    }

    async fn claim(&self, nonce: &str, date: Timestamp) -> Result<(), Refusal> {
        self.guard().claim(self.key, nonce, date).await
    }

    /// Time passes in small steps, with maintenance as in running.
    fn run_for(&self, time: Duration) {
        for _ in 0..time.as_secs() / 5 {
            self.clock.pass(Duration::from_secs(5));
            self.guard().maintain();
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn journals(&self) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(self.directory.path()).expect("a directory");
        let mut paths: Vec<_> = entries
            .map(|entry| entry.expect("an entry").path())
            .collect();
        paths.retain(|path| path.extension().is_some_and(|end| end == "journal"));
        paths.sort();
        paths
    }
}

#[test]
fn of_a_crowd_with_one_nonce_exactly_one_passes() {
    const THREADS: usize = 8;
    const ROUNDS: usize = 20_000;
    let bench = Bench::new();
    let date = bench.now();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let accepted: Vec<_> = (0..ROUNDS).map(|_| AtomicUsize::new(0)).collect();
    let barrier = std::sync::Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for (round, accepted) in accepted.iter().enumerate() {
                    let nonce = format!("nonce-{round}");
                    barrier.wait();
                    match runtime.block_on(bench.claim(&nonce, date)) {
                        Ok(()) => {
                            accepted.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(Refusal::Replayed) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            });
        }
    });
    assert!(
        accepted
            .iter()
            .all(|count| count.load(Ordering::Relaxed) == 1)
    );
    assert_eq!(bench.guard().status().remembered, ROUNDS);
}

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
            assert!(matches!(again, Err(Refusal::Replayed)), "{n}: {again:?}");
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
        let Err(Refusal::Closed { retry_after }) = bench.claim(nonce, date).await else {
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
    assert!(matches!(again, Err(Refusal::Closed { .. })), "{again:?}");
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
    bench.guard().clean_stop().expect("a clean stop");
    let late = bench.claim("nonce-late", date).await;
    assert!(matches!(late, Err(Refusal::Unavailable(_))), "{late:?}");
    bench.guard = None;
    boot_again(bench.directory.path());
    bench.restart();
    let again = bench.claim("nonce-1", date).await;
    assert!(matches!(again, Err(Refusal::Replayed)), "{again:?}");
    bench
        .claim("nonce-late", date)
        .await
        .expect("it was not accepted");
    // The mark holds for one start only.
    bench.guard = None;
    boot_again(bench.directory.path());
    bench.restart();
    let again = bench.claim("nonce-1", date).await;
    assert!(matches!(again, Err(Refusal::Closed { .. })), "{again:?}");
}

#[tokio::test]
async fn a_journal_lost_beside_an_older_database_closes_the_whole_window() {
    let mut bench = Bench::with(|config| config.installation_is_older = true);
    let start = bench.now();
    for date in [start - WINDOW, start, start + WINDOW] {
        let refused = bench.claim("nonce-1", date).await;
        assert!(
            matches!(refused, Err(Refusal::Closed { .. })),
            "{refused:?}"
        );
    }
    let until = bench.guard().status().closed_until.expect("it is closed");
    assert!(until > start + WINDOW && until <= start + WINDOW + Duration::from_secs(31));
    // It stays so over a restart: by then there is a journal, but it proves nothing.
    bench.restart();
    let refused = bench.claim("nonce-1", start).await;
    assert!(
        matches!(refused, Err(Refusal::Closed { .. })),
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
            matches!(refused, Err(Refusal::Closed { .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_key_that_uses_up_its_quota_hurts_only_itself() {
    let bench = Bench::with(|config| (config.per_key_quota, config.total) = (3, 5));
    let date = bench.now();
    for nonce in ["nonce-1", "nonce-2", "nonce-3"] {
        bench.claim(nonce, date).await.expect("within the quota");
    }
    let Err(Refusal::KeyQuota { retry_after }) = bench.claim("nonce-4", date).await else {
        panic!("the quota was not kept");
    };
    let other = key(&bench.clock);
    for nonce in ["nonce-1", "nonce-2"] {
        let claimed = bench.guard().claim(other, nonce, date).await;
        claimed.expect("another key has a quota of its own");
    }
    let third = bench
        .guard()
        .claim(key(&bench.clock), "nonce-1", date)
        .await;
    assert!(matches!(third, Err(Refusal::Full { .. })), "{third:?}");
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
async fn two_keys_may_use_the_same_nonce() {
    let bench = Bench::new();
    let date = bench.now();
    bench.claim("nonce-1", date).await.expect("fresh");
    let other = bench
        .guard()
        .claim(key(&bench.clock), "nonce-1", date)
        .await;
    other.expect("fresh for this key");
    let again = bench.claim("nonce-1", date).await;
    assert!(matches!(again, Err(Refusal::Replayed)), "{again:?}");
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
    assert!(matches!(again, Err(Refusal::Replayed)), "{again:?}");
    bench.guard = None;
    let mut damaged = whole;
    damaged[60] ^= 1;
    std::fs::write(&first, damaged).expect("written");
    bench.restart();
    let refused = bench.claim("nonce-3", date).await;
    assert!(
        matches!(refused, Err(Refusal::Closed { .. })),
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
        matches!(refused, Err(Refusal::Closed { .. })),
        "{refused:?}"
    );
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
            matches!(refused, Err(Refusal::Unavailable(_))),
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
