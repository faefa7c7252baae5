//! What thousands of policies cost the requests: the signed read under 10 and under 10,000 of them,
//! and while 10,000 are exchanged for others.
//!
//! `cargo bench --bench policies`: read the ratios; absolute numbers are this machine's.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a benchmark that cannot prepare has nothing to measure, and measures real time"
)]

#[expect(dead_code, reason = "other benchmarks use more of it")]
#[path = "../http/charter.rs"]
mod charter_process;
mod generated;
#[path = "../http/load.rs"]
mod load;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use charter_process::Charter;
use generated::generated;
use load::Measured;

const ROUNDS: usize = 5;
const CONNECTIONS: usize = 32;
const REQUESTS: usize = 20_000;

fn main() {
    let few = generated(10, true);
    let many = generated(10_000, true);
    sizes(few.path(), many.path());
    exchange(many.path());
}

fn serve(policies: &Path) -> Charter {
    let dir = policies.to_str().expect("UTF-8");
    // Proving so many takes minutes, and is not what is measured.
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

/// The folder is edited while requests go on without a pause.
fn exchange(folder: &Path) {
    let server = serve(folder);
    read(&server, REQUESTS);
    let before: Vec<Measured> = (0..ROUNDS).map(|_| read(&server, REQUESTS)).collect();
    let text = "@id(\"another\")\nforbid (principal is User, action, resource);\n";
    fs::write(folder.join("another.cedar"), text).expect("an edit");
    let edited = Instant::now();
    let mut during = Vec::new();
    let taken = loop {
        during.push(read(&server, REQUESTS));
        if server.log().contains("other policies are in force") {
            break edited.elapsed();
        }
        assert!(edited.elapsed() < Duration::from_mins(5), "never taken");
    };
    // The earlier set is taken apart some time after.
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

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
