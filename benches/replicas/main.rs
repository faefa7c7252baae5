//! What replicas share: a claim of a nonce on Redis compared with a bare `SET NX PX` over one connection as well, and
//! the signed read with nonces on Redis compared with nonces in memory, and changes of one organization on PostgreSQL
//! compared with pgbench, and how soon one process sees what another has revoked.
//!
//! `cargo bench --bench replicas`, or `-- NAME …` for some of `claims`, `reads`, `writes` and `revocations`. Starts
//! PostgreSQL and Redis of its own; compare the ratios.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a benchmark that cannot prepare has nothing to measure, and measures real time"
)]

#[expect(dead_code, reason = "other benchmarks use more of it")]
#[path = "../support/charter.rs"]
mod charter;
#[expect(dead_code, reason = "other benchmarks use more of it")]
#[path = "../support/compare.rs"]
mod compare;
#[expect(dead_code, reason = "other benchmarks use more of it")]
#[path = "../support/load.rs"]
mod load;
mod revocations;

use std::future::Future;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use charter_authn::nonces::{Bounds, NonceStore as _, RedisConfig, RedisGuard, UnopenedRedisGuard};
use charter_domain::clock::{Clock, SystemClock};
use charter_domain::entropy::{Entropy, OsEntropy};
use charter_domain::id::{AccessKeyId, OrganizationId};
use charter_store::Store;
use sea_orm::ConnectionTrait as _;
use secrecy::SecretBox;
use test_support::services::redis::Redis;
use test_support::services::{TestDatabase, connect};

use charter::{Charter, Start};
use compare::Side;

const ROUNDS: usize = 5;
const CONNECTIONS: usize = 32;
const CLAIMS: usize = 40_000;
const READS: usize = 20_000;
const CROWD: usize = 64;
const CHANGES: usize = 3_000;
const LEASE: Duration = Duration::from_secs(1);

fn main() {
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|it| it != "--bench")
        .collect();
    let wants = |name: &str| chosen.is_empty() || chosen.iter().any(|it| it == name);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if wants("claims") {
        runtime.block_on(claims());
    }
    if wants("reads") {
        let databases = runtime.block_on(async {
            [
                TestDatabase::empty_postgres().await,
                TestDatabase::empty_postgres().await,
            ]
        });
        reads(databases);
    }
    if wants("writes") {
        let database = runtime.block_on(TestDatabase::empty_postgres());
        let database = database.expect("PostgreSQL");
        runtime.block_on(async {
            let connection = connect(database.url()).await;
            let tables = "CREATE TABLE bare (id int PRIMARY KEY, content text); \
                 INSERT INTO bare SELECT n, repeat('x', 400) FROM generate_series(1, 1000) n; \
                 CREATE TABLE bare_events (id bigserial PRIMARY KEY, of int, content text)";
            connection.execute_unprepared(tables).await.expect("tables");
        });
        writes(&database);
    }
    if wants("revocations") {
        runtime.block_on(revocations::measure());
    }
}

/// Changes of one organization by 64 clients, and pgbench's UPDATE and INSERT of as many clients: of one row, and of
/// rows at random.
fn writes(database: &TestDatabase) {
    let settings = [
        ("CHARTER__DATABASE__URL", database.url()),
        ("CHARTER__LOG__REQUESTS", "failed"),
        ("CHARTER__RATE_LIMITS__KEY_RATE", "0"),
        ("CHARTER__RATE_LIMITS__ORGANIZATION_RATE", "0"),
        ("CHARTER__BUDGETS__DECISION_LOG_BYTES_PER_HOUR", "0"),
        ("CHARTER__BUDGETS__WRITES_PER_HOUR", "0"),
        ("CHARTER__BUDGETS__STORED_BYTES_PER_DAY", "0"),
    ];
    let server = Charter::start_with(&settings);
    let client = server.client("CHARTER");
    let directory = tempfile::tempdir().expect("a directory");
    let script = directory.path().join("bare.sql");
    let pgbench = |of: &str| {
        let text = format!(
            "\\set id {of}\nBEGIN;\nUPDATE bare SET content = repeat('y', 400) WHERE id = :id;\n\
             INSERT INTO bare_events (of, content) VALUES (:id, repeat('z', 400));\nCOMMIT;\n"
        );
        std::fs::write(&script, text).expect("written");
        let (clients, script) = (CROWD.to_string(), script.display().to_string());
        let arguments = [
            "-n", "-c", &clients, "-j", "2", "-T", "3", "-M", "prepared", "-f", &script,
        ];
        let output = Command::new("pgbench")
            .args(arguments)
            .arg(database.url())
            .output();
        let output = output.expect("pgbench is installed");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let rate = text.lines().find_map(|line| line.strip_prefix("tps = "));
        let rate = rate.and_then(|rate| rate.split(' ').next()?.parse::<f64>().ok());
        rate.expect("the rate that pgbench prints")
    };
    let (mut ours, mut one, mut many) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let requests: Vec<Vec<u8>> = (0..CHANGES)
            .map(|number| {
                let body = format!(r#"{{"metadata":{{"round":{round},"number":{number}}}}}"#);
                client.request("PATCH", "/organizations/info", &body, &server.host)
            })
            .collect();
        let measured = load::run(&server.host, &requests, CROWD);
        let log = server.log();
        let why = log.lines().last().unwrap_or_default();
        assert!(measured.errors.is_empty(), "{:?}: {why}", measured.errors);
        if round > 0 {
            ours.push(measured.rate);
            one.push(pgbench("1"));
            many.push(pgbench("random(1, 1000)"));
        }
    }
    let [ours, one, many] = [ours, one, many].map(median);
    println!(
        "changes of one organization: {ours:.0} a second; pgbench: one row {one:.0}, ratio {:.2} (aim 0.8), rows at \
         random {many:.0}, ratio {:.2}",
        ours / one,
        ours / many
    );
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

#[expect(clippy::too_many_lines, reason = "the measurements in their order")]
async fn claims() {
    let (redis, database) = (Redis::start().expect("Redis"), TestDatabase::sqlite());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
    let store = Store::open(database.config(), Arc::clone(&clock), Arc::clone(&entropy)).await;
    let store = Arc::new(store.expect("a store"));
    store.migrate_up().await.expect("a schema");
    let config = RedisConfig {
        url: redis.url().into(),
        ca_file: None,
        window: Duration::from_mins(5),
        bounds: Bounds {
            per_key: 4_000_000,
            per_organization: 4_000_000,
            total: 8_000_000,
        },
        hash_key: SecretBox::new(Box::new([7; 32])),
        lease: LEASE,
        clock_tolerance: None,
    };
    let unopened = UnopenedRedisGuard::wait(&store, LEASE).await;
    let guard = unopened
        .expect("its turn")
        .open(&config, &store, &clock, &entropy)
        .await;
    let guard: Arc<RedisGuard> = Arc::new(guard.expect("a guard"));
    let key = AccessKeyId::generate(clock.now(), &OsEntropy);
    let organization = OrganizationId::from_uuid(uuid::Uuid::from_u128(1));
    let client = ::redis::Client::open(redis.url()).expect("an address");
    let connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("a connection");
    let (mut of_guard, mut bare) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let (guard, clock) = (&guard, &clock);
        let claim = |number: usize| {
            let (guard, clock) = (Arc::clone(guard), Arc::clone(clock));
            async move {
                let nonce = format!("nonce-{round}-{number:026}");
                let claimed = guard.claim(key, organization, &nonce, clock.now()).await;
                claimed.expect("a fresh nonce");
            }
        };
        let set = |number: usize| {
            let mut connection = connection.clone();
            async move {
                let mut command = ::redis::cmd("SET");
                command.arg(format!("bare:{round}:{number:026}"));
                command.arg(1).arg("NX").arg("PX").arg(600_000);
                let () = command.query_async(&mut connection).await.expect("set");
            }
        };
        let both = [rate(claim).await, rate(set).await];
        if round > 0 {
            of_guard.push(both[0]);
            bare.push(both[1]);
        }
        guard.maintain().await;
    }
    let [of_guard, bare] = [of_guard, bare].map(median);
    println!(
        "claims: {of_guard:.0} a second, bare SET NX PX {bare:.0}, ratio {:.2} (aim 0.7)",
        of_guard / bare
    );
}

/// Calls a second, by as many tasks as a service has connections.
async fn rate<F: Future<Output = ()> + Send + 'static>(call: impl Fn(usize) -> F) -> f64 {
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..CLAIMS {
        if tasks.len() >= CONNECTIONS {
            tasks.join_next().await.expect("one").expect("no panic");
        }
        tasks.spawn(call(number));
    }
    while tasks.join_next().await.is_some() {}
    CLAIMS as f64 / began.elapsed().as_secs_f64()
}

/// Both on PostgreSQL.
fn reads(databases: [Option<TestDatabase>; 2]) {
    let redis = Redis::start().expect("Redis");
    let [with_redis, alone] = databases.map(|it| it.expect("PostgreSQL"));
    let start = |database: &TestDatabase, settings: &[(&str, &str)]| {
        let settings = [
            settings,
            &[
                ("CHARTER__DATABASE__URL", database.url()),
                ("CHARTER__LOG__REQUESTS", "none"),
                ("CHARTER__RATE_LIMITS__KEY_RATE", "0"),
                ("CHARTER__RATE_LIMITS__ORGANIZATION_RATE", "0"),
                ("CHARTER__BUDGETS__DECISION_LOG_BYTES_PER_HOUR", "0"),
            ],
        ]
        .concat();
        let start = Start {
            settings: &settings,
            ..Start::default()
        };
        Charter::try_start(start).expect("it starts; run it by hand to see why not")
    };
    let url = redis.url();
    let shared = [
        ("CHARTER__REPLAY__STORE", "redis"),
        ("CHARTER__REPLAY__URL", url.as_str()),
    ];
    let (with_redis, alone) = (start(&with_redis, &shared), start(&alone, &[]));
    let sides = [("nonces on Redis", &with_redis), ("in memory", &alone)];
    let sides = sides.map(|(name, server)| Side {
        name,
        process: server.id(),
        measure: Box::new(move || {
            let host = &server.host;
            load::run(host, &server.signed_requests(READS, host), CONNECTIONS)
        }),
    });
    let compared = compare::compare(ROUNDS, &sides);
    let (rate, p99) = (compared.rate(), compared.p99());
    for (side, name) in sides.iter().map(|side| side.name).enumerate() {
        println!(
            "{name:16} {:>8.0} reads a second, p99 {:.2} ms",
            rate[side], p99[side]
        );
    }
    for round in &compared.rounds {
        for (measured, _) in round {
            assert!(measured.errors.is_empty(), "{:?}", measured.errors);
        }
    }
    println!(
        "signed read: ratio {:.2} (aim 0.7), of p99 {:.2}",
        rate[0] / rate[1],
        p99[0] / p99[1]
    );
}
