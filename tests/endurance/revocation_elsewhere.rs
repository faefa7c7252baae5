//! A key that another process revokes is refused within a second: used in one of two services on one PostgreSQL,
//! revoked in the other; used in the service, revoked by an operator's command on the same SQLite file.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use charter_domain::clock::{Clock as _, SystemClock};
use serde_json::Value;
use test_support::process::{Charter, Home};
use test_support::services::TestDatabase;
use test_support::services::redis::Redis;
use test_support::signed_client::{Answer, Client, Credentials, Signed};

use super::rounds::rounds;

const BOUND: Duration = Duration::from_secs(1);
/// In seconds; requests of the present are within the clock skew all the same.
const JUMP: i64 = 120;

/// Who revokes.
enum Revoker {
    Service(SocketAddr, Box<Credentials>),
    Command(Arc<Home>),
    /// The service's wall clock steps ahead before the command, and far back after it.
    UnderJumps(Arc<Home>),
}

impl Revoker {
    async fn revoke(&self, path: &str, access_key: String) {
        match self {
            Self::Service(address, manager) => {
                let mut client = Client::http1(*address);
                let answer = written(&mut client, || manager.sign("DELETE", path, "")).await;
                assert_eq!(answer.status, 204, "{}", answer.json());
            }
            Self::Command(home) => run_command(home, access_key).await,
            Self::UnderJumps(home) => {
                home.faults().step_clock(JUMP);
                run_command(home, access_key).await;
                home.faults().step_clock(-JUMP);
            }
        }
    }
}

async fn run_command(home: &Arc<Home>, access_key: String) {
    let home = Arc::clone(home);
    let run = move || home.run(&["key", "--demo", "revoke", &access_key]);
    let ended = tokio::task::spawn_blocking(run).await;
    ended.expect("it runs").success();
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect("a text")
}

/// A write's answer. On a busy machine an organization that writes much is told to come again.
async fn written(client: &mut Client, request: impl Fn() -> Signed) -> Answer {
    loop {
        let answer = client.send(&request()).await;
        if answer.status != 503 {
            return answer;
        }
    }
}

/// Two services that have just begun agree first on what may have been forgotten.
async fn until_it_serves(service: &Charter) {
    let mut client = Client::http1(service.main);
    while client.send(&used(&service.manager())).await.status == 503 {}
}

fn used(key: &Credentials) -> Signed {
    key.sign("GET", "/organizations/info", "")
}

/// What came of the rounds.
#[derive(Default)]
struct Outcome {
    /// How long after its revocation the first refused use of each key was sent.
    taken: Vec<Duration>,
    /// Uses after a revocation that were accepted, as the service had the key in memory.
    accepted: usize,
}

/// One round after another.
async fn revoke_and_use(rounds: Range<usize>, service: &Charter, revoker: Revoker) -> Outcome {
    let clock = SystemClock::start();
    let manager = service.manager();
    let mut client = Client::http1(service.main);
    let body = r#"{"name":"worker","permissions":["organizations:GetOrganization"]}"#;
    let made = written(&mut client, || {
        manager.sign("POST", "/service-accounts", body)
    });
    let made = made.await;
    assert_eq!(made.status, 201, "{}", made.json());
    let keys = format!("/service-accounts/{}/keys", text(&made.json(), "id"));
    let mut outcome = Outcome::default();
    for round in rounds {
        let made = written(&mut client, || manager.sign("POST", &keys, "{}")).await;
        assert_eq!(made.status, 201, "{}", made.json());
        let made = made.json();
        let key = Credentials::new(text(&made, "access_key"), text(&made, "secret_key"));
        for _ in 0..2 {
            assert_eq!(client.send(&used(&key)).await.status, 200);
        }
        let path = format!("{keys}/{}", text(&made, "id"));
        revoker.revoke(&path, key.access_key.clone()).await;
        let revoked_at = clock.monotonic();
        loop {
            // Before the request is sent: only then must it be refused.
            let since = clock.monotonic().saturating_sub(revoked_at);
            let answer = client.send(&used(&key)).await;
            if answer.status != 200 {
                answer.assert_refused(401, "KEY_REVOKED");
                outcome.taken.push(since);
                break;
            }
            assert!(
                since < BOUND,
                "round {round}: accepted {since:?} after its revocation"
            );
            outcome.accepted += 1;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    outcome
}

/// One after another: a write of the same organization at the same time would void what is in memory.
async fn revocations_hold_within_a_second(
    rounds: Range<usize>,
    service: &Charter,
    revoker: Revoker,
) {
    let Outcome {
        mut taken,
        accepted,
    } = revoke_and_use(rounds, service, revoker).await;
    taken.sort_unstable();
    let at = |percent: usize| taken[(taken.len() - 1) * percent / 100];
    println!(
        "{} rounds, {accepted} uses accepted; refused so long after the revocation: median {:?}, 99 % {:?}, longest {:?}",
        taken.len(),
        at(50),
        at(99),
        at(100)
    );
    // Otherwise the database was asked each time, and nothing was tried. A few rounds may miss it by chance.
    assert!(
        accepted > 0 || taken.len() < 50,
        "no key was used from memory"
    );
}

fn unlimited(home: Home) -> Home {
    home.with("CHARTER__BUDGETS__WRITES_PER_HOUR", "0")
        .with("CHARTER__BUDGETS__STORED_BYTES_PER_DAY", "0")
        .with("CHARTER__BUDGETS__DECISION_LOG_BYTES_PER_HOUR", "0")
        .with("CHARTER__POLICIES__PROOFS", "off")
        .with("CHARTER__POLICIES__TESTS", "off")
}

async fn beside_a_command(rounds: Range<usize>) {
    let home = Arc::new(unlimited(Home::new()));
    let charter = home.serve();
    let revoker = Revoker::Command(Arc::clone(&home));
    revocations_hold_within_a_second(rounds, &charter, revoker).await;
    charter.stop();
    home.verify_audit();
}

async fn under_a_jumping_clock(rounds: Range<usize>) {
    let Some(home) = unlimited(Home::new()).with_faults() else {
        return;
    };
    let home = Arc::new(home);
    let charter = home.serve();
    let revoker = Revoker::UnderJumps(Arc::clone(&home));
    revocations_hold_within_a_second(rounds, &charter, revoker).await;
    charter.stop();
    home.verify_audit();
}

async fn between_two_services(rounds: Range<usize>) {
    let (Some(database), Some(redis)) = (TestDatabase::empty_postgres().await, Redis::start())
    else {
        return;
    };
    let url = database.url().to_owned();
    let shared = |home: Home| {
        unlimited(home)
            .with("CHARTER__REPLAY__STORE", "redis")
            .with("CHARTER__REPLAY__URL", &redis.url())
    };
    let homes = [
        shared(Home::on(database)),
        shared(Home::new()).with("CHARTER__DATABASE__URL", &url),
    ];
    let one = homes[0].serve();
    // The same installation: its keys, and its demo.
    std::fs::create_dir(homes[1].data()).expect("a directory");
    for file in ["keys.toml", "demo.env"] {
        let (from, to) = (homes[0].data().join(file), homes[1].data().join(file));
        std::fs::copy(from, to).expect("copied");
    }
    let other = homes[1].serve();
    until_it_serves(&one).await;
    until_it_serves(&other).await;
    let revoker = Revoker::Service(one.main, Box::new(one.manager()));
    revocations_hold_within_a_second(rounds, &other, revoker).await;
    other.stop();
    one.stop();
    homes[0].verify_audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commands_revocation_holds_within_a_second() {
    beside_a_command(0..6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_holds_within_a_second_while_the_clock_jumps() {
    under_a_jumping_clock(0..6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: each round runs a command"]
async fn a_revocation_holds_within_a_second_while_the_clock_jumps_in_full() {
    under_a_jumping_clock(rounds(1_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_services_revocation_holds_within_a_second() {
    between_two_services(0..50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "hours: each round runs a command"]
async fn a_commands_revocation_holds_within_a_second_in_full() {
    beside_a_command(rounds(20_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "hours: each round waits until the other service has seen it"]
async fn another_services_revocation_holds_within_a_second_in_full() {
    between_two_services(rounds(20_000)).await;
}
