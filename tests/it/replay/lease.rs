//! One process at a time accepts nonces for a database, and none accepts what another may have.

use charter_authn::nonces::{LeaseError, UnopenedGuard, live_holder};
use charter_store::{GuardLease, Store};
use test_support::on_both_engines;
use test_support::services::TestDatabase;
use tokio_util::sync::CancellationToken;

use super::*;

on_both_engines!(
    a_second_process_is_refused_and_told_who_is_there,
    a_restart_in_the_holders_directory_does_not_wait,
    starts_that_end_before_the_database_is_told_close_nothing,
    another_directory_closes_what_was_accepted_elsewhere,
    a_holder_that_fell_silent_is_replaced_and_accepts_nothing_more,
    a_directory_that_was_put_back_closes_what_it_does_not_know,
);

/// Nobody waits that long in a test: who does has failed.
const LONG: Duration = Duration::from_mins(5);

struct World {
    store: Arc<Store>,
    clock: Arc<HandClock>,
    key: AccessKeyId,
    organization: OrganizationId,
    starts: AtomicUsize,
    _database: TestDatabase,
}

impl World {
    async fn new(database: TestDatabase) -> Self {
        let clock = HandClock::new();
        let store = Store::open(database.config(), clock.clone(), Arc::new(OsEntropy)).await;
        let store = store.expect("a store");
        store.migrate_up().await.expect("a schema");
        Self {
            store: Arc::new(store),
            key: key(&clock),
            organization: organization(&clock),
            clock,
            starts: AtomicUsize::new(0),
            _database: database,
        }
    }

    async fn open(&self, directory: &Path, lease: Duration) -> Result<ReplayGuard, OpenError> {
        let pending = UnopenedGuard::wait(&self.store, config(directory), lease).await?;
        let run = format!("run-{}", self.starts.fetch_add(1, Ordering::Relaxed));
        pending.open(self.clock.clone(), run, false).await
    }

    async fn claim(&self, guard: &ReplayGuard, nonce: &str) -> Result<(), ClaimError> {
        let now = self.clock.now();
        guard.claim(self.key, self.organization, nonce, now).await
    }

    /// Waits until requests of now are not those that others may have accepted.
    fn wait_until_open(&self, guard: &ReplayGuard) {
        let until = guard.status().closed_until.expect("it is closed");
        let wait = (until - self.clock.now()).to_std().expect("later");
        assert!(wait <= WINDOW + Duration::from_secs(61), "{wait:?}");
        self.clock.pass(wait);
        guard.maintain();
    }
}

async fn a_second_process_is_refused_and_told_who_is_there(database: TestDatabase) {
    let world = World::new(database).await;
    let (one, other) = (directory(), directory());
    let guard = world.open(one.path(), LONG).await.expect("the first");
    let stop = CancellationToken::new();
    // It shows signs of life, each sixth of its lease.
    let short = Duration::from_millis(600);
    drop(guard);
    let guard = world.open(one.path(), short).await.expect("its own again");
    #[expect(clippy::disallowed_methods, reason = "the guard under test")]
    let running = tokio::spawn(guard.clone().run(stop.clone()));
    let second = world.open(other.path(), short * 10).await;
    let Err(OpenError::Lease(LeaseError::Held(holder))) = second else {
        panic!("two processes serve one database");
    };
    let process = format!("process {}", std::process::id());
    assert!(holder.starts_with(&process), "{holder}");
    assert!(
        holder.contains(&one.path().display().to_string()),
        "{holder}"
    );
    let live = live_holder(&world.store, short * 10).await;
    assert_eq!(live.expect("an answer"), Some(holder));
    world.claim(&guard, "nonce-1").await.expect("it goes on");
    stop.cancel();
    running.await.expect("it ends");
    guard.clean_stop().await.expect("a clean stop");
    assert_eq!(
        live_holder(&world.store, LONG).await.expect("an answer"),
        None
    );
}

async fn a_restart_in_the_holders_directory_does_not_wait(database: TestDatabase) {
    let world = World::new(database).await;
    let place = directory();
    let mut guard = world.open(place.path(), LONG).await.expect("the first");
    for n in 0..3 {
        world
            .claim(&guard, &format!("nonce-{n}"))
            .await
            .expect("fresh");
        // It dies without a word.
        drop(guard);
        guard = world.open(place.path(), LONG).await.expect("at once");
        assert_eq!(guard.status().closed_until, None);
        let again = world.claim(&guard, &format!("nonce-{n}")).await;
        assert!(matches!(again, Err(ClaimError::Replayed)), "{again:?}");
    }
}

async fn starts_that_end_before_the_database_is_told_close_nothing(database: TestDatabase) {
    let world = World::new(database).await;
    let place = directory();
    let guard = world.open(place.path(), LONG).await.expect("the first");
    world.claim(&guard, "nonce-1").await.expect("fresh");
    drop(guard);
    let row = async || world.store.guard_lease().await.expect("an answer");
    let held = row().await.expect("a holder");
    for _ in 0..2 {
        // The directory is written to, and then the database refuses.
        let pending = UnopenedGuard::wait(&world.store, config(place.path()), LONG).await;
        let pending = pending.expect("nobody else is there");
        let other = GuardLease {
            beat: held.beat + 1,
            ..held.clone()
        };
        let replace = async |seen, new| world.store.take_guard_lease(Some(seen), new).await;
        assert!(replace(&held, &other).await.expect("an answer"));
        let run = format!("failed-{}", world.starts.fetch_add(1, Ordering::Relaxed));
        let refused = pending.open(world.clock.clone(), run, false).await;
        assert!(matches!(
            refused,
            Err(OpenError::Lease(LeaseError::Overtaken))
        ));
        assert!(replace(&other, &held).await.expect("an answer"));
    }
    let guard = world.open(place.path(), LONG).await.expect("at once");
    assert_eq!(guard.status().closed_until, None);
    let again = world.claim(&guard, "nonce-1").await;
    assert!(matches!(again, Err(ClaimError::Replayed)), "{again:?}");
}

async fn another_directory_closes_what_was_accepted_elsewhere(database: TestDatabase) {
    let world = World::new(database).await;
    let (one, other) = (directory(), directory());
    let guard = world.open(one.path(), LONG).await.expect("the first");
    world.claim(&guard, "nonce-1").await.expect("fresh");
    guard.clean_stop().await.expect("a clean stop");
    world
        .claim(&guard, "nonce-2")
        .await
        .expect_err("it has stopped");
    drop(guard);
    let guard = world.open(other.path(), LONG).await.expect("at once");
    let again = world.claim(&guard, "nonce-1").await;
    assert!(matches!(again, Err(ClaimError::Closed { .. })), "{again:?}");
    world.wait_until_open(&guard);
    world.claim(&guard, "nonce-3").await.expect("fresh");
    guard.clean_stop().await.expect("a clean stop");
    drop(guard);
    // The first directory does not know what the other one accepted.
    let guard = world.open(one.path(), LONG).await.expect("at once");
    let again = world.claim(&guard, "nonce-3").await;
    assert!(matches!(again, Err(ClaimError::Closed { .. })), "{again:?}");
}

async fn a_holder_that_fell_silent_is_replaced_and_accepts_nothing_more(database: TestDatabase) {
    let world = World::new(database).await;
    let (one, other) = (directory(), directory());
    let lease = Duration::from_millis(200);
    let paused = world.open(one.path(), lease).await.expect("the first");
    world.claim(&paused, "nonce-1").await.expect("fresh");
    let guard = world.open(other.path(), lease).await.expect("in its time");
    // Not even what the first accepts before it notices is accepted by the second.
    world
        .claim(&paused, "nonce-2")
        .await
        .expect("it has not noticed");
    for nonce in ["nonce-1", "nonce-2"] {
        let again = world.claim(&guard, nonce).await;
        assert!(matches!(again, Err(ClaimError::Closed { .. })), "{again:?}");
    }
    world.clock.pass(lease);
    for _ in 0..2 {
        let refused = world.claim(&paused, "nonce-3").await;
        let Err(ClaimError::NotHeld(holder)) = refused else {
            panic!("{refused:?}");
        };
        assert!(
            holder.contains(&other.path().display().to_string()),
            "{holder}"
        );
    }
    let not_held = paused.status().not_held.expect("a reason");
    assert!(
        not_held.contains("has taken the database over"),
        "{not_held}"
    );
    world.wait_until_open(&guard);
    world.claim(&guard, "nonce-3").await.expect("the holder");
    assert_eq!(guard.status().not_held, None);
}

async fn a_directory_that_was_put_back_closes_what_it_does_not_know(database: TestDatabase) {
    let world = World::new(database).await;
    let (place, aside) = (directory(), directory());
    let (data, kept) = (place.path().join("replay"), aside.path().join("replay"));
    let guard = world.open(&data, LONG).await.expect("the first");
    world.claim(&guard, "nonce-0").await.expect("fresh");
    guard.clean_stop().await.expect("a clean stop");
    drop(guard);
    for how in ["cp -a", "cp over it", "mv"] {
        world.clock.pass(WINDOW * 4);
        copy(&data, &kept);
        let older = place.path().join("older");
        if how == "mv" {
            std::fs::rename(&data, &older).expect("moved");
            copy(&kept, &data);
        }
        let guard = world.open(&data, LONG).await.expect("a guard");
        if guard.status().closed_until.is_some() {
            world.wait_until_open(&guard);
        }
        world.claim(&guard, how).await.expect("fresh");
        guard.clean_stop().await.expect("a clean stop");
        drop(guard);
        match how {
            "mv" => {
                std::fs::remove_dir_all(&data).expect("removed");
                std::fs::rename(&older, &data).expect("moved back");
            }
            "cp -a" => {
                std::fs::remove_dir_all(&data).expect("removed");
                copy(&kept, &data);
            }
            _ => copy(&kept, &data),
        }
        let guard = world.open(&data, LONG).await.expect("a guard");
        let again = world.claim(&guard, how).await;
        assert!(
            matches!(again, Err(ClaimError::Closed { .. })),
            "{how}: {again:?}"
        );
        guard.clean_stop().await.expect("a clean stop");
    }
}

/// A copy put back beside a database that was put back with it: nothing but the copy itself tells.
#[tokio::test]
async fn a_copy_is_not_believed_whatever_the_database_says() {
    let mut bench = Bench::new();
    bench.guard().clean_stop().await.expect("a clean stop");
    let aside = directory();
    let kept = aside.path().join("replay");
    copy(bench.directory.path(), &kept);
    bench.restart();
    let date = bench.now();
    bench.claim("nonce-1", date).await.expect("fresh");
    bench.guard().clean_stop().await.expect("a clean stop");
    bench.guard = None;
    for journal in bench.journals() {
        std::fs::remove_file(journal).expect("removed");
    }
    copy(&kept, bench.directory.path());
    bench.restart();
    let again = bench.claim("nonce-1", date).await;
    assert!(matches!(again, Err(ClaimError::Closed { .. })), "{again:?}");
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

/// As `cp` does: into what is there.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}
