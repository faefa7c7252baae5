//! The cost of a write: changes through the store by 1, 8 and 64 clients, of one organization and of many,
//! compared with sequential bare durable UPDATEs on the same file system. On SQLite.
//!
//! `cargo bench --bench writes` prints rates and ratios, each the median of alternating rounds.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a benchmark that cannot prepare has nothing to measure, and measures real time"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use charter_domain::access_key::{KeyGuard, SealedSecret};
use charter_domain::audit::{Actor, AuditContext};
use charter_domain::clock::{Clock as _, SystemClock};
use charter_domain::entropy::OsEntropy;
use charter_domain::id::AccessKeyId;
use charter_domain::ip_allowlist::IpAllowlist;
use charter_domain::metadata::Metadata;
use charter_domain::organization::Organization;
use charter_domain::text::{Description, Name};
use charter_store::{Error, KeyToMake, NewKey, NewOrganization, NewServiceAccount, Store};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{Connection as _, Executor as _, SqliteConnection, query};
use test_support::services::TestDatabase;
use test_support::stored_tenant::scope_of;
use tokio::runtime::Runtime;

const CLIENTS: [usize; 3] = [1, 8, 64];
const MOST: usize = 64;
const ROUNDS: usize = 5;
/// Duration of each side in a round.
const TIME: Duration = Duration::from_millis(1_500);

/// A client with its organization.
#[derive(Clone)]
struct Client {
    store: Arc<Store>,
    organization: Organization,
    by: AuditContext,
}

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let database = TestDatabase::sqlite();
    let (clients, mut bare) = runtime.block_on(async {
        let clock = Arc::new(SystemClock::start());
        let store = Store::open(database.config(), clock, Arc::new(OsEntropy)).await;
        let store = Arc::new(store.expect("an open store"));
        store.migrate_up().await.expect("a schema");
        let mut clients = Vec::new();
        for number in 0..MOST {
            clients.push(client(&store, number).await);
        }
        (clients, bare_connection(&database).await)
    });
    println!("| clients | organizations | writes a second | bare UPDATEs a second | ratio |");
    println!("| --- | --- | --- | --- | --- |");
    for of_many in [false, true] {
        for count in CLIENTS {
            if of_many && count == 1 {
                continue;
            }
            let (mut writes, mut updates) = (Vec::new(), Vec::new());
            for round in 0..=ROUNDS {
                let update = runtime.block_on(bare_updates(&mut bare));
                let write = runtime.block_on(written(&clients, count, of_many));
                // The first round warms both up.
                if round > 0 {
                    updates.push(update);
                    writes.push(write);
                }
            }
            let (writes, updates) = (median(writes), median(updates));
            let organizations = if of_many { count } else { 1 };
            println!(
                "| {count} | {organizations} | {writes:.0} | {updates:.0} | {:.2} |",
                writes / updates
            );
        }
    }
    runtime.block_on(async {
        bare.close().await.expect("closed");
        let client = clients.first().expect("a client");
        client.store.close().await;
    });
}

/// An organization with a key for writes.
async fn client(store: &Arc<Store>, number: usize) -> Client {
    let clock = SystemClock::start();
    let by = |actor| AuditContext {
        actor,
        request_id: Some("0192f3c1-0000-7000-8000-000000000000".to_owned()),
        policy_digest: Some("0123456789abcdef".to_owned()),
        at: clock.now(),
        precondition_failed: false,
    };
    let operator = by(Actor::Operator(None));
    let new = NewOrganization {
        name: name("Acme Corporation"),
        slug: format!("acme-{number}").parse().expect("a slug"),
    };
    let made = store.create_organization(new, &operator).await;
    let (organization, account) = made.expect("an organization");
    let tenant = || store.write_within(scope_of(&organization), operator.clone());
    let new = NewServiceAccount {
        account_id: account.id,
        name: name("ci"),
        description: Description::default(),
        roles: vec!["manager".to_owned()],
        permissions: Vec::new(),
        metadata: Metadata::default(),
    };
    let service_account = tenant().create_service_account(new).await;
    let service_account = service_account.expect("a service account");
    let id = AccessKeyId::generate(clock.now(), &OsEntropy);
    let new = NewKey {
        id,
        access_key: format!("sa_bench_{id}"),
        secret: SealedSecret {
            sealing_key_id: "kek-1".to_owned(),
            bytes: vec![0; 60],
        },
        description: Description::default(),
        ip_allowlist: IpAllowlist::default(),
        expires_at: None,
    };
    let allowed = |_: &KeyToMake<'_>| Ok::<_, Error>(());
    let key = tenant().create_key(service_account.id, new, allowed).await;
    let guard = KeyGuard {
        key: key.expect("a key").id,
        service_account: service_account.id,
        roles: service_account.roles,
        permissions: service_account.permissions,
        nonce: None,
    };
    Client {
        store: Arc::clone(store),
        by: by(Actor::Key(guard)),
        organization,
    }
}

/// Changes a second by so many clients.
async fn written(clients: &[Client], count: usize, of_many: bool) -> f64 {
    let (began, mut tasks) = (Instant::now(), tokio::task::JoinSet::new());
    for number in 0..count {
        let client = clients.get(if of_many { number } else { 0 });
        let client = client.expect("a client").clone();
        tasks.spawn(async move {
            let mut written = 0_usize;
            while began.elapsed() < TIME {
                let scope = scope_of(&client.organization);
                let tenant = client.store.write_within(scope, client.by.clone());
                let changed = tenant.update_organization(None, |organization| {
                    organization.name = name(&format!("Acme {number} {written}"));
                    Ok::<_, Error>(())
                });
                changed.await.expect("a change");
                written += 1;
            }
            written
        });
    }
    let written: usize = tasks.join_all().await.into_iter().sum();
    written as f64 / began.elapsed().as_secs_f64()
}

async fn bare_connection(database: &TestDatabase) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(database.directory().join("bare.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .expect("a connection");
    let make = "CREATE TABLE bench (id INTEGER PRIMARY KEY, text TEXT NOT NULL); \
        INSERT INTO bench VALUES (1, '')";
    connection.execute(make).await.expect("a table");
    connection
}

/// Statements a second of one connection, each committed and synced separately.
async fn bare_updates(connection: &mut SqliteConnection) -> f64 {
    let (began, mut updated) = (Instant::now(), 0_usize);
    while began.elapsed() < TIME {
        let update = query("UPDATE bench SET text = ? WHERE id = 1");
        let update = update.bind(format!("Acme {updated}"));
        update.execute(&mut *connection).await.expect("updated");
        updated += 1;
    }
    updated as f64 / began.elapsed().as_secs_f64()
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
