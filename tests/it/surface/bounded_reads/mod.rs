//! What an operation reads grows with what it answers, not with what the database holds: each is done once beside tens
//! of thousands of rows in every table, in an organization with a long audit log.

mod filled;
mod maintenance;
mod operations;

use std::collections::BTreeSet;
use std::future::IntoFuture;
use std::process::Command;

use sea_orm::DatabaseConnection;
use serde_json::json;
use test_support::client::Answer;
use test_support::service::{Persona as _, Request, Service};
use test_support::services::private_postgres::PrivatePostgres;
use test_support::services::{TestDatabase, connect};

use super::documents::{Route, described, document};
use filled::{ROWS, fill, rows, run};
use operations::{Organization, ask_all};

/// Pages of 8 KiB that a statement may touch on PostgreSQL. Each filled table has several times as many.
const MOST_PAGES: i64 = 200;
/// Bytes that an operation may read from SQLite's file, with what background tasks read meanwhile. Each filled table
/// has several times as many.
const MOST_BYTES: u64 = 512 * 1024;

/// Beginnings of statements that read tables as a whole: at the start and after edits of the policies, and when the
/// audit log is verified.
const WHOLE_TABLES: [&str; 2] = [
    "SELECT DISTINCT",
    "SELECT \"organizations\".\"id\" FROM \"organizations\" WHERE",
];

/// Does operations, and notes what each has read.
#[derive(Default)]
struct Asker {
    asked: BTreeSet<Route>,
    bytes: Vec<(String, u64)>,
}

impl Asker {
    /// An operation of the API, by its path in the document.
    async fn of(&mut self, method: &str, path: &str, request: Request) -> Answer {
        self.asked.insert((method.to_owned(), path.to_owned()));
        self.note(&format!("{method} {path}"), request).await
    }

    async fn note<T>(&mut self, what: &str, operation: impl IntoFuture<Output = T>) -> T {
        let before = bytes_read();
        let answer = operation.await;
        self.bytes.push((what.to_owned(), bytes_read() - before));
        answer
    }
}

/// Bytes that this process has read from files, whether the kernel had them in memory or not.
fn bytes_read() -> u64 {
    let counts = std::fs::read_to_string("/proc/self/io").expect("counts");
    let read = counts.lines().find_map(|line| line.strip_prefix("rchar: "));
    read.and_then(|read| read.parse().ok()).expect("a number")
}

/// Does everything in one organization, so that each table has a row to copy, and in another one beside the copies.
/// In between the counts are reset.
async fn asked_beside_copies(service: &Service, raw: &DatabaseConnection, reset: &str) -> Asker {
    let first = Organization::new(service, "first").await;
    maintenance::leave_denial(service, &first.tenant).await;
    ask_all(&mut Asker::default(), &first).await;
    let second = Organization::new(service, "second").await;
    service
        .fill_audit_events(second.tenant.organization.id, ROWS)
        .await;
    fill(raw).await;
    run(raw, reset).await;
    let mut asker = Asker::default();
    maintenance::run(&mut asker, service, raw, &second.tenant).await;
    ask_all(&mut asker, &second).await;
    asker
}

const RESET: &str = "SELECT pg_stat_statements_reset()";

/// A PostgreSQL server that counts pages, whether they were in memory or not; and a service on it.
async fn counted() -> Option<(PrivatePostgres, Service, DatabaseConnection)> {
    let server = PrivatePostgres::start(None)?.with_statistics();
    let service = Service::on(TestDatabase::at(server.own_url())).await;
    let raw = connect(&server.own_url()).await;
    run(&raw, "CREATE EXTENSION pg_stat_statements").await;
    Some((server, service, raw))
}

/// The plan of a statement that is used often is for any values, and from when the chain was short.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_reads_as_little_of_a_long_chain_as_of_a_short_one_on_postgres() {
    let Some((_server, service, raw)) = counted().await else {
        return;
    };
    let acme = Organization::new(&service, "acme").await;
    let pages_of_writes = async |count: usize| {
        run(&raw, RESET).await;
        for number in 0..count {
            let change = json!({"metadata": {"number": number}});
            let change = acme.manager.patch("/organizations/info", change);
            change.await.ok();
        }
        let pages = "SELECT sum(shared_blks_hit + shared_blks_read)::bigint FROM pg_stat_statements \
             WHERE query LIKE '%audit_events%'";
        let pages = rows(&raw, pages).await;
        pages[0].try_get_by_index::<i64>(0).expect("a number")
    };
    pages_of_writes(60).await;
    let of_short = pages_of_writes(20).await;
    service
        .fill_audit_events(acme.tenant.organization.id, 5_000)
        .await;
    let of_long = pages_of_writes(20).await;
    service.stop().await;
    assert!(of_long <= of_short * 2, "{of_short} pages, then {of_long}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_reads_a_whole_table_on_postgres() {
    let Some((_server, service, raw)) = counted().await else {
        return;
    };
    let asker = asked_beside_copies(&service, &raw, RESET).await;
    let documented: BTreeSet<_> = described(&document()).into_keys().collect();
    assert_eq!(asker.asked, documented);
    let pages = "SELECT query, ((shared_blks_hit + shared_blks_read) / calls)::bigint FROM pg_stat_statements";
    let mut seen = 0;
    let mut many = Vec::new();
    for row in rows(&raw, pages).await {
        let query: String = row.try_get_by_index(0).expect("its text");
        let pages: i64 = row.try_get_by_index(1).expect("a number");
        seen += 1;
        let is_whole = WHOLE_TABLES.iter().any(|whole| query.starts_with(whole));
        if pages > MOST_PAGES && !is_whole {
            many.push(format!("{pages} pages: {query}"));
        }
    }
    service.stop().await;
    assert!(seen > 60, "{seen} statements");
    assert!(many.is_empty(), "{}", many.join("\n"));
}

/// In a process of its own, where nobody else reads.
#[test]
fn no_operation_reads_a_whole_table_on_sqlite() {
    let test = "surface::bounded_reads::reads_little_on_sqlite_alone";
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        told.contains("1 passed"),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the test before it runs it in a process of its own"]
async fn reads_little_on_sqlite_alone() {
    let service = Service::on(TestDatabase::sqlite()).await;
    let raw = connect(service.database_url()).await;
    let asker = asked_beside_copies(&service, &raw, "PRAGMA wal_checkpoint(TRUNCATE)").await;
    let many: Vec<_> = asker
        .bytes
        .iter()
        .filter(|(_, bytes)| *bytes > MOST_BYTES)
        .collect();
    service.stop().await;
    assert!(many.is_empty(), "{many:#?}");
}
