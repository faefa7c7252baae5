//! The cost of thousands of policies for requests: the signed read with 10 and with 10,000 of them, while 10,000
//! are replaced, and the time until an emergency stop among them is in force.
//!
//! `cargo bench --bench policies`, or `-- stops` for the last alone: compare the ratios; absolute numbers depend
//! on the machine.

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
mod generated;
#[expect(dead_code, reason = "other benchmarks use more of it")]
#[path = "../support/load.rs"]
mod load;
#[expect(dead_code, reason = "other benchmarks use more of it")]
#[path = "../support/person.rs"]
mod person;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use charter::Charter;
use generated::generated;
use load::Measured;

const ROUNDS: usize = 5;
const CONNECTIONS: usize = 32;
const REQUESTS: usize = 20_000;
const STOPS: usize = 3;

fn main() {
    let many = generated(10_000, true);
    if !std::env::args().any(|argument| argument == "stops") {
        let few = generated(10, true);
        sizes(few.path(), many.path());
        exchange(many.path());
    }
    for _ in 0..STOPS {
        stop(many.path());
    }
}

fn serve(policies: &Path) -> Charter {
    let dir = policies.to_str().expect("UTF-8");
    // Proofs of so many policies take minutes, and are not measured.
    Charter::start_with(&[
        ("CHARTER__POLICIES__DIR", dir),
        ("CHARTER__POLICIES__PROOFS", "off"),
        ("CHARTER__POLICIES__CHECK_TIMEOUT", "5m"),
        ("CHARTER__RATE_LIMITS__KEY_RATE", "0"),
        ("CHARTER__RATE_LIMITS__ORGANIZATION_RATE", "0"),
    ])
}

fn read(server: &Charter, requests: usize) -> Measured {
    load::run(
        &server.host,
        &server.signed_requests(requests, &server.host),
        CONNECTIONS,
    )
}

/// Both services run all the time and are measured in turns.
fn sizes(few: &Path, many: &Path) {
    let (few, many) = (serve(few), serve(many));
    let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let (of_round_few, of_round_many) = (read(&few, REQUESTS), read(&many, REQUESTS));
        // The first round warms both up.
        if round > 0 {
            of_few.push(of_round_few.rate);
            of_many.push(of_round_many.rate);
        }
    }
    let (few_median, many_median) = (median(&mut of_few), median(&mut of_many));
    println!(
        "signed read under 10,000 / 10 policies: {many_median:.0} / {few_median:.0} requests a \
         second, ratio {:.3}; resident memory {} / {} KiB",
        many_median / few_median,
        many.resident_kib(),
        few.resident_kib()
    );
}

/// Edits the folder under full load.
fn exchange(folder: &Path) {
    let server = serve(folder);
    read(&server, REQUESTS);
    let before: Vec<Measured> = (0..ROUNDS).map(|_| read(&server, REQUESTS)).collect();
    // Not a forbid, which would be in force before it is checked.
    let text = "@id(\"another\")\npermit (principal == ServiceAccount::\"sa-00000000000000000000000001\", action, resource);\n";
    fs::write(folder.join("another.cedar"), text).expect("an edit");
    let edited = Instant::now();
    let mut during = Vec::new();
    let taken = loop {
        during.push(read(&server, REQUESTS));
        if server.log().contains("new policies are in force") {
            break edited.elapsed();
        }
        assert!(edited.elapsed() < Duration::from_mins(5), "never taken");
    };
    // The earlier set is dropped some time later.
    during.extend((0..2).map(|_| read(&server, REQUESTS)));
    let p99 = |runs: &[Measured]| {
        let mut p99s: Vec<f64> = runs.iter().map(|run| run.p99.as_secs_f64() * 1e3).collect();
        median(&mut p99s)
    };
    let worst = during
        .iter()
        .map(|run| run.p99.as_secs_f64() * 1e3)
        .fold(0.0, f64::max);
    let odd: usize = during.iter().map(|run| run.unexpected).sum();
    let p50 = before[before.len() / 2].p50;
    let (before, during) = (p99(&before), p99(&during));
    println!(
        "p50 before {:.2?}; p99 while 10,000 policies are exchanged / before: {during:.2} / {before:.2} ms, ratio \
         {:.2} (worst of the runs {:.2}); taken after {taken:.1?} under full load; other answers: {odd}",
        p50,
        during / before,
        worst / before
    );
}

/// Adds a file with one forbid to the folder under full load.
fn stop(folder: &Path) {
    let server = serve(folder);
    let manager = server.client("CHARTER_MANAGER");
    let is_denied = || {
        let request = manager.request("GET", "/organizations/info", "", &server.host);
        person::exchange(&server.host, &request)
            .status
            .contains("403")
    };
    let over = AtomicBool::new(false);
    let file = folder.join("stop.cedar");
    thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut odd = 0;
            while !over.load(Ordering::Relaxed) {
                odd += read(&server, REQUESTS).unexpected;
            }
            odd
        });
        thread::sleep(Duration::from_secs(2));
        assert!(!is_denied());
        let text = "@id(\"stop\")\nforbid (principal in Permission::\"accounts:ListAccounts\", action, resource);\n";
        fs::write(&file, text).expect("a stop");
        let written = Instant::now();
        while !is_denied() {
            assert!(written.elapsed() < Duration::from_mins(5), "never in force");
            thread::sleep(Duration::from_millis(10));
        }
        let taken = written.elapsed();
        over.store(true, Ordering::Relaxed);
        let odd = load.join().expect("it ends");
        println!(
            "a stop among 10,000 policies is in force after {taken:.2?} under full load; other answers: {odd}"
        );
    });
    fs::remove_file(file).expect("the stop is taken back");
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
