//! Throughput and latency of the signed read compared with a bare Salvo handler with the same response, start-up
//! time and memory. Both servers are measured in turns on one machine; compare the ratios, because absolute
//! numbers depend on the machine.
//!
//! `cargo bench --bench http`, or one of these instead:
//!
//! - `-- --decision-log`: the decision log on and off;
//! - `-- --request-log`: `log.requests` at `failed` and `all` compared with `none`;
//! - `-- --beside PROGRAM POLICIES`: this build compared with another one and its policy folder.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a benchmark that cannot prepare has nothing to measure, and measures real time"
)]

#[path = "../support/bare.rs"]
mod bare;
#[expect(dead_code, reason = "other benchmarks use more of it")]
#[path = "../support/charter.rs"]
mod charter;
#[expect(dead_code, reason = "other benchmarks use more of it")]
#[path = "../support/compare.rs"]
mod compare;
#[expect(dead_code, reason = "other benchmarks use more of it")]
#[path = "../support/load.rs"]
mod load;

use std::path::Path;

use charter::{Charter, Start};
use compare::{Compared, Side};
use load::Measured;

const ROUNDS: usize = 5;
const CONNECTIONS: usize = 32;

/// The measured requests are not rate-limited.
const UNLIMITED: [(&str, &str); 2] = [
    ("CHARTER__RATE_LIMITS__KEY_RATE", "0"),
    ("CHARTER__RATE_LIMITS__ORGANIZATION_RATE", "0"),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // Cargo adds `--bench`.
    let mut arguments = arguments
        .iter()
        .map(String::as_str)
        .filter(|it| *it != "--bench");
    let requests = number("CHARTER_BENCH_REQUESTS", 40_000);
    let mut argument = || arguments.next();
    match argument() {
        None => against_a_bare_handler(requests),
        Some("--bare-server") => bare::serve(argument().expect("a body")),
        Some("--decision-log") => {
            let on = start(&[]);
            let off = start(&[("CHARTER__DECISIONS__ENABLED", "false")]);
            let sides = [("log on", &on), ("log off", &off)];
            compare(sides.map(|(name, server)| signed_reads(name, server, requests)));
        }
        Some("--request-log") => {
            let [none, failed, all] =
                ["none", "failed", "all"].map(|which| start(&[("CHARTER__LOG__REQUESTS", which)]));
            for (name, lines) in [("failed", &failed), ("all", &all)] {
                let sides = [(name, lines), ("none", &none)];
                compare(sides.map(|(name, server)| signed_reads(name, server, requests)));
            }
        }
        Some("--beside") => {
            let program = argument().expect("a program");
            beside(
                requests,
                Path::new(program),
                argument().expect("its policies"),
            );
        }
        #[expect(clippy::panic, reason = "a wrong argument ends the benchmark")]
        Some(other) => panic!("`{other}` is none of this benchmark's arguments"),
    }
}

fn start(settings: &[(&str, &str)]) -> Charter {
    Charter::start_with(&[settings, &UNLIMITED].concat())
}

fn against_a_bare_handler(requests: usize) {
    let server = start(&[]);
    let body = server.answer_once();
    let bare = bare::start(&body);
    println!("the signed answer is {} bytes: {body}", body.len());
    let bare_side = Side {
        name: "bare",
        process: bare.id(),
        measure: reading(&bare.host, &server, requests),
    };
    compare([signed_reads("charter", &server, requests), bare_side]);
    drop(server);
    charter::start_up();
}

/// Neither logs requests, as far as it can be configured.
fn beside(requests: usize, program: &Path, policies: &str) {
    let quiet = ("CHARTER__LOG__REQUESTS", "none");
    let this = start(&[quiet]);
    let start = |settings: &[(&str, &str)]| {
        Charter::try_start(Start {
            program,
            settings: &[
                settings,
                &UNLIMITED,
                &[("CHARTER__POLICIES__DIR", policies)],
            ]
            .concat(),
            ..Start::default()
        })
    };
    let other = start(&[quiet]).or_else(|| start(&[]));
    let other = other.expect("it starts; run it by hand to see why not");
    let sides = [("this", &this), ("other", &other)];
    compare(sides.map(|(name, server)| signed_reads(name, server, requests)));
}

fn signed_reads<'a>(name: &'a str, server: &'a Charter, requests: usize) -> Side<'a> {
    Side {
        name,
        process: server.id(),
        measure: reading(&server.host, server, requests),
    }
}

/// Reads from this host with signed requests.
fn reading<'a>(
    host: &'a str,
    signer: &'a Charter,
    requests: usize,
) -> Box<dyn Fn() -> Measured + 'a> {
    Box::new(move || load::run(host, &signer.signed_requests(requests, host), CONNECTIONS))
}

/// Prints each round, the medians, and the ratios of the first side to the second.
fn compare(sides: [Side<'_>; 2]) {
    let compared = compare::compare(ROUNDS, &sides);
    for round in &compared.rounds {
        for (side, (run, _)) in sides.iter().zip(round) {
            println!(
                "{:8} {:>8.0} requests a second, p50 {:>9.1?}, p99 {:>9.1?}, other answers {:?}",
                side.name, run.rate, run.p50, run.p99, run.errors
            );
        }
    }
    println!("\n{} / {}:", sides[0].name, sides[1].name);
    let figures: [(&str, Figure); 4] = [
        ("requests a second", Compared::rate),
        ("p99, ms", Compared::p99),
        ("processor time a request, µs", Compared::processor),
        ("resident memory, MiB", |compared| compared.resident),
    ];
    for (what, figure) in figures {
        let [of, to] = figure(&compared);
        println!("  {what:34} {of:>9.1} / {to:>9.1}, ratio {:.3}", of / to);
    }
}

/// A figure of both sides.
type Figure = fn(&Compared) -> [f64; 2];

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}
