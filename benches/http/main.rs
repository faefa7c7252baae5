//! Throughput and latency of the signed read against a bare Salvo handler with the same bytes,
//! start-up time and memory, in one run on one machine. Prints ratios; absolute numbers depend on the
//! machine and its neighbours, so both servers are measured in turns and compared.
//!
//! `cargo bench --bench http`, or one of these in its place:
//!
//! - `-- --decision-log`: the decision log on, and off;
//! - `-- --request-log`: `log.requests` at `failed` and at `all`, against `none`;
//! - `-- --beside PROGRAM POLICIES`: this build against another one with its own policy folder.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a benchmark that cannot prepare has nothing to measure, and measures real time"
)]

mod bare;
#[expect(dead_code, reason = "other benchmarks use more of it")]
mod charter;
mod compare;
mod load;

use std::path::Path;

use charter::{Charter, Start};
use compare::{Side, compare};

/// What is measured is not held back.
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
            compare(
                requests,
                [Side::new("log on", &on), Side::new("log off", &off)],
            );
        }
        Some("--request-log") => {
            let [none, failed, all] =
                ["none", "failed", "all"].map(|which| start(&[("CHARTER__LOG__REQUESTS", which)]));
            for (name, lines) in [("failed", &failed), ("all", &all)] {
                compare(requests, [Side::new(name, lines), Side::new("none", &none)]);
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
        host: &bare.host,
        process: bare.id(),
        signer: &server,
    };
    compare(requests, [Side::new("charter", &server), bare_side]);
    drop(server);
    charter::start_up();
}

/// Neither writes lines about requests, as far as it can be told so.
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
    compare(
        requests,
        [Side::new("this", &this), Side::new("other", &other)],
    );
}

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}
