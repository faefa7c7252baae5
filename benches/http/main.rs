//! Throughput and latency of the signed read against a bare Salvo handler with the same bytes,
//! start-up time and memory, in one run on one machine.
//!
//! `cargo bench --bench http -- --decision-log` compares the signed read with the decision log on and
//! off instead. `cargo bench --bench http`: prints ratios; absolute numbers depend on the machine and its
//! neighbours, so both servers are measured in turns and compared.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a benchmark that cannot prepare has nothing to measure, and measures real time"
)]

mod bare;
#[expect(dead_code, reason = "what people use is the other benchmark's")]
mod charter;
mod load;

use std::time::Duration;

use charter::Charter;
use load::Measured;

const ROUNDS: usize = 5;
const CONNECTIONS: usize = 32;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments
        .iter()
        .position(|argument| argument == "--bare-server")
    {
        bare::serve(arguments.get(at + 1).expect("a body"));
        return;
    }
    let requests = number("CHARTER_BENCH_REQUESTS", 40_000);
    if arguments
        .iter()
        .any(|argument| argument == "--decision-log")
    {
        decision_log(requests);
        return;
    }
    let server = Charter::start();
    let body = server.answer_once();
    let bare = bare::start(&body);
    println!("the signed answer is {} bytes: {body}", body.len());

    let mut of_bare = Vec::new();
    let mut of_charter = Vec::new();
    for round in 0..=ROUNDS {
        let unsigned = server.signed_requests(requests, &bare.host);
        let signed = server.signed_requests(requests, &server.host);
        let of_round_bare = load::run(&bare.host, &unsigned, CONNECTIONS);
        let of_round_charter = load::run(&server.host, &signed, CONNECTIONS);
        // The first round warms both up.
        if round > 0 {
            print_row("bare", &of_round_bare);
            print_row("charter", &of_round_charter);
            of_bare.push(of_round_bare);
            of_charter.push(of_round_charter);
        }
    }
    let (bare_median, charter_median) = (median(&of_bare), median(&of_charter));
    println!();
    println!(
        "throughput: {:.0} / {:.0} requests a second, ratio {:.2}",
        charter_median.rate,
        bare_median.rate,
        charter_median.rate / bare_median.rate
    );
    println!(
        "p99: {:?} / {:?}, ratio {:.2}",
        charter_median.p99,
        bare_median.p99,
        charter_median.p99.as_secs_f64() / bare_median.p99.as_secs_f64()
    );
    println!(
        "resident memory after {} signed requests: {} KiB",
        requests * (ROUNDS + 1) + 1,
        server.resident_kib()
    );
    drop(server);
    charter::start_up();
}

/// Both services run all the time and are measured in turns.
fn decision_log(requests: usize) {
    let on = Charter::start();
    let off = Charter::start_with(&[("CHARTER__DECISIONS__ENABLED", "false")]);
    let (mut of_on, mut of_off) = (Vec::new(), Vec::new());
    let (mut used_on, mut used_off) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let signed_on = on.signed_requests(requests, &on.host);
        let signed_off = off.signed_requests(requests, &off.host);
        let before = [&off, &on].map(Charter::processor_seconds);
        let round_off = load::run(&off.host, &signed_off, CONNECTIONS);
        let round_on = load::run(&on.host, &signed_on, CONNECTIONS);
        if round > 0 {
            used_off.push(off.processor_seconds() - before[0]);
            used_on.push(on.processor_seconds() - before[1]);
            print_row("log off", &round_off);
            print_row("log on", &round_on);
            of_off.push(round_off);
            of_on.push(round_on);
        }
    }
    for used in [&mut used_on, &mut used_off] {
        used.sort_by(f64::total_cmp);
    }
    let each = |used: &[f64]| used[used.len() / 2] * 1e6 / requests as f64;
    let (each_on, each_off) = (each(&used_on), each(&used_off));
    println!(
        "processor time a request, of the service alone: {each_on:.1} µs with the log, {each_off:.1} µs without, ratio {:.3}",
        each_on / each_off
    );
    let (on, off) = (median(&of_on), median(&of_off));
    println!(
        "decision log on / off: {:.0} / {:.0} requests a second, ratio {:.3}; p99 {:?} / {:?}",
        on.rate,
        off.rate,
        on.rate / off.rate,
        on.p99,
        off.p99
    );
}

fn print_row(name: &str, measured: &Measured) {
    println!(
        "{name:8} {:>8.0} requests a second, p50 {:>9.1?}, p99 {:>9.1?}, other answers {}",
        measured.rate, measured.p50, measured.p99, measured.unexpected
    );
}

struct Median {
    rate: f64,
    p99: Duration,
}

fn median(runs: &[Measured]) -> Median {
    let mut rates: Vec<f64> = runs.iter().map(|run| run.rate).collect();
    rates.sort_by(f64::total_cmp);
    let mut p99s: Vec<Duration> = runs.iter().map(|run| run.p99).collect();
    p99s.sort();
    Median {
        rate: rates[rates.len() / 2],
        p99: p99s[p99s.len() / 2],
    }
}

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}
