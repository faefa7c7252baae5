//! What is kept in memory is never used a second after another process changed it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use charter_domain::audit::{Actor, AuditContext};
use charter_domain::clock::{Clock, SystemClock};
use charter_domain::entropy::OsEntropy;
use charter_domain::organization::Organization;
use charter_domain::text::Name;
use charter_store::{Error, NewOrganization, Store};
use parking_lot::Mutex;
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, TransactionTrait as _};
use test_support::services::{TestDatabase, connect};
use test_support::stored_tenant::StoredTenant;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const ORGANIZATIONS: usize = 32;
const BOUND: Duration = Duration::from_secs(1);

/// Which versions of an organization were acknowledged, and when.
#[derive(Default)]
struct Acknowledged {
    /// Older than the bound.
    settled: i64,
    recent: VecDeque<(Duration, i64)>,
}

impl Acknowledged {
    /// The least version that a read which begins then may use.
    fn least_at(&mut self, now: Duration) -> i64 {
        let is_settled = |(at, _): &mut (Duration, i64)| *at + BOUND < now;
        while let Some((_, version)) = self.recent.pop_front_if(is_settled) {
            self.settled = version;
        }
        self.settled
    }
}

async fn open(database: &TestDatabase, clock: &Arc<SystemClock>) -> Arc<Store> {
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    let store = Store::open(database.config(), clock, Arc::new(OsEntropy));
    Arc::new(store.await.expect("an open store"))
}

fn by(clock: &SystemClock) -> AuditContext {
    AuditContext {
        actor: Actor::System,
        request_id: None,
        policy_digest: None,
        at: clock.now(),
        precondition_failed: false,
    }
}

async fn organizations(store: &Store, clock: &SystemClock) -> Vec<Organization> {
    let mut made = Vec::new();
    for number in 0..ORGANIZATIONS {
        let new = NewOrganization {
            name: Name::parse("Acme").expect("a name"),
            slug: format!("acme-{number}").parse().expect("a slug"),
        };
        let organization = store.create_organization(new, &by(clock)).await;
        made.push(organization.expect("an organization").0);
    }
    made
}

/// A write of this organization whose transaction stays open.
async fn late_write(database: &TestDatabase, organization: &Organization) -> DatabaseTransaction {
    let raw = connect(database.url()).await;
    let late = raw.begin().await.expect("a transaction");
    let id = organization.id.uuid();
    for text in [
        format!("UPDATE organizations SET version = version + 1 WHERE id = '{id}'"),
        format!("INSERT INTO changes (organization_id) VALUES ('{id}')"),
    ] {
        late.execute_unprepared(&text).await.expect("a row");
    }
    late
}

/// One process changes organizations, another keeps them in memory and uses them all the time. On PostgreSQL the last
/// organization is changed by a transaction that is open meanwhile, at least for so long.
async fn nothing_old_is_used(database: TestDatabase, changes: usize, open_for: Duration) {
    let clock = Arc::new(SystemClock::start());
    let writer = open(&database, &clock).await;
    writer.migrate_up().await.expect("a migrated store");
    let organizations = organizations(&writer, &clock).await;
    let reader = open(&database, &clock).await;
    let stop = CancellationToken::new();
    let (follower, stopped) = (Arc::clone(&reader), stop.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { follower.follow_changes(stopped).await });
    let acknowledged: Arc<Vec<Mutex<Acknowledged>>> =
        Arc::new((0..ORGANIZATIONS).map(|_| Mutex::default()).collect());

    let mut using = JoinSet::new();
    {
        let (acknowledged, clock) = (Arc::clone(&acknowledged), Arc::clone(&clock));
        let (organizations, stop) = (organizations.clone(), stop.clone());
        using.spawn(async move {
            let mut kept: Vec<Option<(u64, i64)>> = vec![None; ORGANIZATIONS];
            let (mut used, mut read) = (0_usize, 0_usize);
            while !stop.is_cancelled() {
                for (index, organization) in organizations.iter().enumerate() {
                    let now = clock.monotonic();
                    let feed = reader.changes();
                    let is_current =
                        |(since, _): &(u64, i64)| feed.is_unchanged(organization.id, *since);
                    if let Some((_, version)) = kept[index].filter(is_current) {
                        used += 1;
                        let least = acknowledged[index].lock().least_at(now);
                        assert!(
                            version >= least,
                            "version {version} is used, {least} is a second old"
                        );
                    } else {
                        read += 1;
                        let since = feed.epoch();
                        let tenant = StoredTenant::of(&reader, organization);
                        let found = tenant.organization().await.expect("found");
                        kept[index] = Some((since, found.version));
                    }
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            (used, read)
        });
    }
    let (last, _) = organizations.split_last().expect("some");
    let late = if database.url().starts_with("postgres") {
        Some(late_write(&database, last).await)
    } else {
        None
    };
    let opened = clock.monotonic();
    let is_early = || clock.monotonic().saturating_sub(opened) < open_for;
    let mut made = 0;
    while made < changes || is_early() {
        let index = made % (ORGANIZATIONS - 1);
        let tenant = StoredTenant::of(&writer, &organizations[index]);
        let writer = tenant.by(&by(&clock));
        let renamed = writer.update_organization(None, |it| {
            it.name = Name::parse(&format!("Acme {made}")).expect("a name");
            Ok::<_, Error>(())
        });
        let version = renamed.await.expect("changed").version;
        let at = clock.monotonic();
        acknowledged[index].lock().recent.push_back((at, version));
        made += 1;
    }
    if let Some(late) = late {
        late.commit().await.expect("committed");
        let version = (clock.monotonic(), last.version + 1);
        let mut acknowledged = acknowledged[ORGANIZATIONS - 1].lock();
        acknowledged.recent.push_back(version);
    }
    // The last ones, too.
    tokio::time::sleep(BOUND * 2).await;
    stop.cancel();
    let used = using.join_next().await.expect("a task");
    let (used, read) = used.expect("nothing old was used");
    tasks.join_all().await;
    println!("{made} changes; used {used} times from memory, read {read} times");
    assert!(used > read, "memory is used");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_used_a_second_after_its_change_on_sqlite() {
    nothing_old_is_used(TestDatabase::sqlite(), 300, Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_used_a_second_after_its_change_on_postgres() {
    if let Some(database) = TestDatabase::postgres().await {
        nothing_old_is_used(database, 300, Duration::ZERO).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long"]
async fn nothing_is_used_a_second_after_its_change_in_full() {
    nothing_old_is_used(TestDatabase::sqlite(), 20_000, Duration::ZERO).await;
    if let Some(database) = TestDatabase::postgres().await {
        nothing_old_is_used(database, 20_000, Duration::from_mins(1)).await;
    }
}
