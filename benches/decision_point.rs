//! The policy decision point over HTTP: an evaluation compared with a bare Salvo handler that answers the same
//! bytes, a hundred evaluations in one request with single ones, forward-auth with the signed read, and a page of
//! a search among thousands of service accounts.
//!
//! `cargo bench --bench decision_point`, or `-- NAME …` for some of `evaluation`, `evaluations`, `forward-auth`
//! and `search`. Both sides are measured in turns on one machine; compare the ratios.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a benchmark that cannot prepare has nothing to measure, and measures real time"
)]

#[path = "support/bare.rs"]
mod bare;
#[expect(dead_code, reason = "other benchmarks use more of it")]
#[path = "support/charter.rs"]
mod charter;
#[expect(dead_code, reason = "other benchmarks use more of it")]
#[path = "support/compare.rs"]
mod compare;
#[path = "support/copies.rs"]
mod copies;
#[expect(dead_code, reason = "other benchmarks use more of it")]
#[path = "support/load.rs"]
mod load;
#[expect(dead_code, reason = "other benchmarks use more of it")]
#[path = "support/person.rs"]
mod person;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use charter_domain::clock::{Clock as _, SystemClock};
use charter_domain::entropy::OsEntropy;
use charter_domain::id::{OrganizationId, ServiceAccountId};
use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement, TransactionTrait as _};
use serde_json::{Value, json};

use charter::{Charter, Client, Start};
use compare::Side;
use copies::Copies;
use load::Measured;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const ROUNDS: usize = 5;
const CONNECTIONS: usize = 32;
const REQUESTS: usize = 20_000;
const BATCH: usize = 100;
/// Enough for a second of them.
const BATCHED: usize = 500_000;
const SERVICE_ACCOUNTS: usize = 10_000;
const FORWARDED: &str = "/invoices/7";
const SETTINGS: [(&str, &str); 6] = [
    ("CHARTER__LOG__REQUESTS", "none"),
    ("CHARTER__DECISIONS__KEEP_FILES", "2"),
    (
        "CHARTER__ACCESS__TOKENS",
        "bench:0123456789abcdef0123456789abcdef",
    ),
    ("CHARTER__RATE_LIMITS__KEY_RATE", "0"),
    ("CHARTER__RATE_LIMITS__ORGANIZATION_RATE", "0"),
    ("CHARTER__BUDGETS__DECISION_LOG_BYTES_PER_HOUR", "0"),
];

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    // Cargo adds it.
    arguments.retain(|argument| argument != "--bench");
    if let [server, body] = &arguments[..]
        && server == "--bare-server"
    {
        bare::serve(body);
        return;
    }
    let bench = Bench::start();
    let all: [(&str, Scenario); 4] = [
        ("evaluation", Bench::evaluation),
        ("evaluations", Bench::evaluations),
        ("forward-auth", Bench::forward_auth),
        ("search", Bench::search),
    ];
    for (name, measure) in all {
        if arguments.is_empty() || arguments.iter().any(|it| it == name) {
            println!("\n## {name}");
            measure(&bench);
        }
    }
}

type Scenario = fn(&Bench);

struct Bench {
    server: Charter,
    organization: OrganizationId,
    /// The demo's first one.
    service_account: ServiceAccountId,
    client: Client,
    _policies: tempfile::TempDir,
}

impl Bench {
    /// The demo with the shipped domains and thousands of service accounts.
    fn start() -> Self {
        let policies = tempfile::tempdir().expect("a directory");
        let home = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (from, to) in [("policies/.", "."), ("examples/domains", "domains")] {
            let copied = Command::new("cp")
                .arg("-r")
                .args([home.join(from), policies.path().join(to)])
                .status();
            assert!(copied.expect("it runs").success(), "copied");
        }
        let dir = policies.path().to_str().expect("UTF-8").to_owned();
        let settings = [&SETTINGS[..], &[("CHARTER__POLICIES__DIR", &dir)]].concat();
        let start = Start {
            settings: &settings,
            ..Start::default()
        };
        let server = Charter::try_start(start);
        let mut server = server.expect("it starts; run it by hand to see why not");
        server.stop();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (organization, service_account) =
            runtime.block_on(service_accounts(&server.database_file()));
        server.start_again(start);
        Self {
            client: server.client("CHARTER"),
            server,
            organization,
            service_account,
            _policies: policies,
        }
    }

    fn evaluation(&self) {
        let built_in = json!({
            "subject": {"type": "ServiceAccount", "id": self.service_account.to_string()},
            "action": {"name": "organizations:GetOrganization"},
            "resource": {"type": "Organization", "id": self.organization.to_string()},
        });
        let records = json!({
            "subject": {"type": "user", "id": "alice"},
            "action": {"name": "read"},
            "resource": {"type": "record", "id": "record-1"},
        });
        for (name, path, question) in [
            ("built in", "/access/v1/evaluation", built_in),
            ("records", "/domains/records/access/v1/evaluation", records),
        ] {
            let request = post(path, &question);
            let bare = bare::start(&self.ask(path, &question).to_string());
            let against = [
                (&self.server.operations, self.server.id()),
                (&bare.host, bare.id()),
            ];
            let sides = [name, "bare"].into_iter().zip(against).map(|(name, side)| {
                let requests = vec![request.clone(); REQUESTS];
                requests_to(name, side, move || requests.clone())
            });
            report(&sides.collect::<Vec<_>>(), [1, 1], "0.5");
        }
    }

    /// Of different service accounts, as the single ones.
    fn evaluations(&self) {
        let questions = |of: &Value| {
            json!({
                "action": {"name": "organizations:GetOrganization"},
                "resource": {"type": "Organization", "id": self.organization.to_string()},
                "evaluations": of,
            })
        };
        let subjects = self.subjects();
        let items = subjects.iter().cycle();
        let items: Vec<Value> = items
            .take(BATCHED)
            .map(|id| json!({"subject": {"type": "ServiceAccount", "id": id}}))
            .collect();
        let many = items.chunks(BATCH).map(|chunk| {
            let body = questions(&json!(chunk));
            post("/access/v1/evaluations", &body)
        });
        let many: Vec<Vec<u8>> = many.collect();
        let single = items.iter().take(REQUESTS).map(|item| {
            let mut question = questions(&Value::Null);
            question["subject"] = item["subject"].clone();
            question.as_object_mut().expect("one").remove("evaluations");
            post("/access/v1/evaluation", &question)
        });
        let single: Vec<Vec<u8>> = single.collect();
        let side = (&self.server.operations, self.server.id());
        report(
            &[
                requests_to("of 100", side, move || many.clone()),
                requests_to("single", side, move || single.clone()),
            ],
            [BATCH, 1],
            "20",
        );
    }

    fn forward_auth(&self) {
        let path = "/domains/gateway/access/v1/forward-auth";
        let asked = move || {
            let mut request = format!(
                "GET {path} HTTP/1.1\r\nhost: pdp\r\nx-charter-authorization: Bearer {TOKEN}\r\n\
                 x-forwarded-method: GET\r\nx-forwarded-uri: {FORWARDED}\r\n"
            );
            for (name, value) in self.client.sign("GET", FORWARDED, "") {
                request.extend([&name, ": ", &value, "\r\n"]);
            }
            request.push_str("\r\n");
            request.into_bytes()
        };
        let signed = move || {
            let (path, host) = ("/organizations/info", &self.server.host);
            self.client.request("GET", path, "", host)
        };
        let many = |one: Box<dyn Fn() -> Vec<u8>>| move || (0..REQUESTS).map(|_| one()).collect();
        let id = self.server.id();
        report(
            &[
                requests_to(
                    "forward-auth",
                    (&self.server.operations, id),
                    many(Box::new(asked)),
                ),
                requests_to(
                    "signed read",
                    (&self.server.host, id),
                    many(Box::new(signed)),
                ),
            ],
            [1, 1],
            "0.8",
        );
    }

    fn search(&self) {
        let (organization, first) = (
            self.organization.to_string(),
            self.service_account.to_string(),
        );
        let asked = |kind: &str| {
            let mut body = json!({
                "subject": {"type": "ServiceAccount", "id": first},
                "action": {"name": "organizations:GetOrganization"},
                "resource": {"type": "Organization", "id": organization},
                "page": {"limit": 50},
            });
            match kind {
                "subject" => drop(body["subject"].as_object_mut().expect("one").remove("id")),
                "resource" => drop(body["resource"].as_object_mut().expect("one").remove("id")),
                _ => drop(body.as_object_mut().expect("one").remove("action")),
            }
            body
        };
        for kind in ["subject", "resource", "action"] {
            let path = format!("/access/v1/search/{kind}");
            let mut body = asked(kind);
            let mut times = Vec::new();
            let mut found = 0;
            loop {
                let started = Instant::now();
                let page = self.ask(&path, &body);
                times.push(started.elapsed());
                found += page["results"].as_array().expect("results").len();
                let token = page["page"]["next_token"].as_str().expect("a token");
                if token.is_empty() {
                    break;
                }
                body["page"]["token"] = json!(token);
            }
            let first = times[0];
            times.sort();
            println!(
                "{kind}: {found} results in {} pages, the first after {first:.1?}, median {:.1?}, longest {:.1?} \
                 (aim: a page of 50 within 50 ms)",
                times.len(),
                times[times.len() / 2],
                times[times.len() - 1],
            );
        }
    }

    fn ask(&self, path: &str, body: &Value) -> Value {
        let answer = person::exchange(&self.server.operations, &post(path, body));
        assert!(answer.status.contains("200"), "{}", answer.body);
        serde_json::from_str(&answer.body).expect("JSON")
    }

    /// Service accounts that a search finds.
    fn subjects(&self) -> Vec<String> {
        let body = json!({
            "subject": {"type": "ServiceAccount"},
            "action": {"name": "organizations:GetOrganization"},
            "resource": {"type": "Organization", "id": self.organization.to_string()},
            "page": {"limit": 1000},
        });
        let page = self.ask("/access/v1/search/subject", &body);
        let results = page["results"].as_array().expect("results").iter();
        results
            .map(|it| it["id"].as_str().expect("an id").to_owned())
            .collect()
    }
}

/// Adds them to the demo's organization.
async fn service_accounts(file: &Path) -> (OrganizationId, ServiceAccountId) {
    let database = copies::open(file).await;
    let text = "SELECT organization_id, id FROM service_accounts ORDER BY rowid LIMIT 1";
    let first = Statement::from_string(DbBackend::Sqlite, text);
    let row = database
        .query_one_raw(first)
        .await
        .expect("asked")
        .expect("one");
    let grant = r#"UPDATE service_accounts SET roles = '["member"]'"#;
    database
        .execute_unprepared(grant)
        .await
        .expect("a role that reads invoices");
    let [organization, first] = [0, 1].map(|at| row.try_get_by_index::<Uuid>(at).expect("an id"));
    let rows = database.begin().await.expect("a transaction");
    let copies = Copies::of(&rows, "service_accounts", &["id", "name"]).await;
    for number in 0..SERVICE_ACCOUNTS {
        let id = ServiceAccountId::generate(SystemClock::start().now(), &OsEntropy);
        let name = format!("Copy {number}");
        copies.insert([id.uuid().into(), name.into()]).await;
    }
    rows.commit().await.expect("committed");
    database.close().await.expect("closed");
    (
        OrganizationId::from_uuid(organization),
        ServiceAccountId::from_uuid(first),
    )
}

fn post(path: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: pdp\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into()
}

fn requests_to<'a>(
    name: &'a str,
    (host, process): (&'a String, u32),
    requests: impl Fn() -> Vec<Vec<u8>> + 'a,
) -> Side<'a> {
    Side {
        name,
        process,
        measure: Box::new(move || -> Measured { load::run(host, &requests(), CONNECTIONS) }),
    }
}

/// Prints the medians, and the ratio of the first side's decisions to the second's.
fn report(sides: &[Side<'_>], decisions: [usize; 2], aim: &str) {
    let sides: &[Side<'_>; 2] = sides.try_into().expect("two");
    let compared = compare::compare(ROUNDS, sides);
    let rate = compared.rate();
    let rate = [0, 1].map(|side| rate[side] * decisions[side] as f64);
    for (side, name) in sides.iter().map(|side| side.name).enumerate() {
        println!(
            "{name:13} {:>9.0} decisions a second, p99 {:>7.2} ms, {:>7.1} µs of processor time a request",
            rate[side],
            compared.p99()[side],
            compared.processor()[side],
        );
        let errors = compared.rounds.iter().map(|round| &round[side].0.errors);
        let errors: Vec<_> = errors.filter(|errors| !errors.is_empty()).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
    println!(
        "ratio {:.2} (aim {aim}), of p99 {:.1}",
        rate[0] / rate[1],
        ratio(compared.p99())
    );
}

fn ratio([of, to]: [f64; 2]) -> f64 {
    of / to
}
