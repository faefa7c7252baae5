//! Calls that fail while the service starts, for the first time and later: it starts all the same, or
//! says why it does not, and the next start finds everything in order.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;

use test_support::policy_solver::solver;
use test_support::process::Home;
use test_support::services::TestDatabase;
use test_support::services::faults::{Call, How, Plan};
use test_support::signed_client::Client;

use super::history::until_ready;
use crate::rounds::rounds;

/// Without proofs, which are the same each time.
fn new(database: Option<TestDatabase>) -> Option<Home> {
    let home = database.map_or_else(Home::new, Home::on);
    faulty(home.with("CHARTER__POLICIES__PROOFS", "off"))
}

/// With proofs, which are kept in the data directory.
fn proving() -> Option<Home> {
    solver()?;
    let home = Home::new().with("PATH", "/usr/local/bin:/usr/bin:/bin");
    faulty(
        home.with("CHARTER__POLICIES__PROOFS", "required")
            .with("CHARTER__POLICIES__CHECK_TIMEOUT", "600s"),
    )
}

fn faulty(home: Home) -> Option<Home> {
    home.with("CHARTER__POLICIES__TESTS", "off")
        // It waits for a database that does not answer.
        .with("CHARTER__DATABASE__START_TIMEOUT", "0s")
        .with_faults()
}

/// What a start does to files of its data directory, and how often.
fn calls_of_start(home: &Home) -> BTreeMap<(Call, String), u32> {
    home.faults().record();
    let charter = home.serve();
    home.faults().stop();
    charter.stop();
    let mut counts = BTreeMap::new();
    for (call, path) in home.faults().recorded() {
        let Ok(inner) = path.strip_prefix(home.data()) else {
            continue;
        };
        // Names with times or random characters in them differ from start to start.
        let inner = inner.display().to_string();
        let temporary = inner
            .strip_suffix(".new")
            .and_then(|it| it.rsplit_once('.'));
        let inner = temporary.map_or(inner.clone(), |(name, _random)| format!("{name}.*.new"));
        let digits = inner.split(|c: char| !c.is_ascii_digit());
        let longest = digits.max_by_key(|it| it.len()).unwrap_or_default();
        let inner = if longest.len() > 6 {
            inner.replace(longest, "*")
        } else {
            inner
        };
        *counts.entry((call, format!("*/data/{inner}"))).or_default() += 1;
    }
    counts
}

/// A start with a fault, then one without.
async fn start_twice(home: &Home, plan: &Plan) {
    let before = home.log().len();
    let fault = home.faults().begin(plan);
    let started = home.try_start(&["serve", "--demo"]);
    let failed = fault.failed();
    let said = home.log().split_off(before);
    assert!(!said.contains("panicked"), "{plan:?}: {said}");
    match started {
        Ok(charter) => {
            drop(fault);
            charter.kill();
        }
        // Else its policy check was killed.
        Err(ended) if ended.signal().is_some() => {
            drop(fault);
            assert_eq!(ended.signal(), Some(9), "{plan:?}: {said}");
            assert_eq!(plan.how, How::Killed, "{plan:?}: {said}");
        }
        Err(ended) => {
            drop(fault);
            assert!(failed > 0, "{plan:?}: {said}");
            assert_eq!(ended.code(), Some(2), "{plan:?}: {said}");
            assert!(
                said.contains("error"),
                "{plan:?}: `{said}` does not say why"
            );
        }
    }
    let started = home.try_start(&["serve", "--demo"]);
    let charter = started.unwrap_or_else(|_| panic!("{plan:?}: {said}\nthen {}", home.log()));
    until_ready(&charter).await;
    let mut client = Client::http1(charter.main);
    let manager = charter.manager();
    let request = manager.sign("POST", "/accounts", r#"{"name":"written"}"#);
    assert_eq!(client.send(&request).await.status, 201, "{plan:?}");
    charter.stop();
    home.verify_audit();
    let verified = home.run(&["policy", "verify-log", "--demo"]);
    assert_eq!(verified.code, Some(0), "{plan:?}: {verified:?}");
}

/// The positions of a call that are tried: the first, the second, one in the middle, the last.
fn positions(count: u32) -> Vec<u32> {
    let mut all = vec![0, 1, count / 2, count - 1];
    all.retain(|position| *position < count);
    all.sort_unstable();
    all.dedup();
    all
}

fn plans(calls: BTreeMap<(Call, String), u32>) -> Vec<Plan> {
    let mut plans = Vec::new();
    for ((call, path), count) in calls {
        for after in positions(count) {
            let lasting = if call == Call::Write {
                How::Full
            } else {
                How::Io
            };
            for (times, how) in [(1, How::Io), (u32::MAX, lasting), (1, How::Killed)] {
                plans.push(Plan {
                    call,
                    path: path.clone(),
                    after,
                    times,
                    how,
                });
            }
        }
    }
    plans
}

/// The plans of a first start, then those of a later one.
async fn starts_fail(on_postgres: bool) {
    let home = async || {
        let database = if on_postgres {
            Some(TestDatabase::empty_postgres().await?)
        } else {
            None
        };
        new(database)
    };
    let Some(later) = home().await else {
        return;
    };
    let first_starts = plans(calls_of_start(&later));
    let later_starts = plans(calls_of_start(&later));
    let counts = (first_starts.len(), later_starts.len());
    // What is opened at a start only.
    for file in ["audit-heads.jsonl", "decision-head.json", "replay/tally"] {
        let fails = |plan: &Plan| plan.call == Call::Open && plan.path.ends_with(file);
        assert!(later_starts.iter().any(fails), "{file} is always opened");
    }
    // What is written once in a directory's life is among them.
    for file in [
        "keys.toml",
        "decision-head.id",
        "decision-head.json",
        "demo.env",
        "replay/tally",
    ] {
        let fails = |plan: &Plan| plan.path.contains(file);
        assert!(first_starts.iter().any(fails), "{file} never fails");
    }
    let all: Vec<Plan> = first_starts.into_iter().chain(later_starts).collect();
    for number in rounds(all.len()) {
        let plan = &all[number];
        println!("{number}: {plan:?}");
        if number >= counts.0 {
            start_twice(&later, plan).await;
        } else if let Some(home) = home().await {
            start_twice(&home, plan).await;
        }
    }
    println!(
        "{} plans of a first start and {} of a later one",
        counts.0, counts.1
    );
}

/// First starts that left something behind in which the next one could not go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_that_was_cut_off_is_finished_by_the_next() {
    let plan = |call, path: &str, after, how| Plan {
        call,
        path: path.to_owned(),
        after,
        times: u32::MAX,
        how,
    };
    for plan in [
        plan(Call::Write, "*/data/.keys.toml.*", 0, How::Killed),
        plan(Call::Sync, "*/data/.keys.toml.*", 0, How::Io),
        plan(Call::Open, "*/data/.demo.env.*.new", 0, How::Io),
        plan(Call::Name, "*/data/demo.env", 0, How::Killed),
        plan(Call::Name, "*/data/demo.env.unfinished", 1, How::Killed),
        plan(Call::Write, "*/data/.decision-head.id.*.new", 0, How::Full),
        plan(Call::Name, "*/data/decision-head.id", 0, How::Killed),
    ] {
        if let Some(home) = new(None) {
            start_twice(&home, &plan).await;
        }
    }
}

/// Makes a start prove again.
fn forget_proofs(home: &Home) {
    drop(std::fs::remove_dir_all(home.data().join("policies")));
}

#[test]
fn a_start_whose_proofs_cannot_be_kept_is_a_start() {
    let Some(home) = proving() else {
        return;
    };
    let fault = home.faults().begin(&Plan {
        how: How::Full,
        ..Plan::all(Call::Write, "*/data/policies/proofs/*")
    });
    let charter = home.serve();
    assert!(fault.failed() > 0, "no proof was to be kept");
    drop(fault);
    charter.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: each call on each file of the proofs"]
async fn a_start_whose_proofs_fail_leaves_nothing_behind_in_full() {
    let Some(home) = proving() else {
        return;
    };
    home.serve().stop();
    forget_proofs(&home);
    let mut calls = calls_of_start(&home);
    calls.retain(|(_, path), _| path.contains("/data/policies"));
    let plans = plans(calls);
    for call in [Call::Open, Call::Write, Call::Sync, Call::Name] {
        assert!(plans.iter().any(|plan| plan.call == call), "no {call:?}");
    }
    for number in rounds(plans.len()) {
        let plan = &plans[number];
        println!("{number}: {plan:?}");
        forget_proofs(&home);
        start_twice(&home, plan).await;
    }
    println!("{} plans of the proofs of a start", plans.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: each call on each file of a start"]
async fn a_start_that_fails_says_why_and_leaves_nothing_behind_in_full() {
    starts_fail(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: each call on each file of a start"]
async fn a_start_that_fails_on_postgres_says_why_and_leaves_nothing_behind_in_full() {
    starts_fail(true).await;
}
