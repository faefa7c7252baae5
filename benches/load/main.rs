//! The service under load: reads and writes by one and by 200,000 keys, by one and by 50,000 signed-in users,
//! compared in turns with a bare Salvo handler with the same response, or with a bare durable UPDATE. Prints
//! Markdown tables; compare the ratios, because absolute numbers depend on the machine.
//!
//! `cargo bench --bench load`, or `-- NAME …` for some scenarios; `-- --help` lists them and the options. Reads
//! run in closed loop and then in open loop at a fixed rate, where the generator's own delay is included on both
//! sides. For the system calls of a read, run `strace -c -f -p PID` on the service meanwhile, and divide each
//! count by that of `writev`, which sends a response.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its figures, and how far it is"
)]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a benchmark that cannot prepare has nothing to measure, and measures real time"
)]

mod arguments;
#[path = "../support/bare.rs"]
mod bare;
#[expect(dead_code, reason = "other benchmarks use more of it")]
#[path = "../support/charter.rs"]
mod charter;
#[expect(dead_code, reason = "other benchmarks use more of it")]
#[path = "../support/compare.rs"]
mod compare;
#[path = "../support/copies.rs"]
mod copies;
#[path = "../support/durable.rs"]
mod durable;
#[path = "../support/load.rs"]
mod load;
mod memory;
#[expect(dead_code, reason = "other benchmarks use more of it")]
#[path = "../support/person.rs"]
mod person;
mod report;
mod requests;
mod scenarios;
mod tenants;

use std::time::Instant;

use clap::Parser as _;

use arguments::Arguments;
use charter::{Charter, Start};
use person::Person;
use scenarios::Bench;
use tenants::Tenants;

/// Issuer of the access tokens.
const BASE_URL: &str = "http://127.0.0.1:8080";

/// The measured requests are not rate-limited, and only the decision log is written, with a bound.
const SETTINGS: [(&str, &str); 11] = [
    ("CHARTER__PORTAL__BASE_URL", BASE_URL),
    ("CHARTER__LOG__REQUESTS", "none"),
    ("CHARTER__DECISIONS__KEEP_FILES", "2"),
    ("CHARTER__RATE_LIMITS__KEY_RATE", "0"),
    ("CHARTER__RATE_LIMITS__ORGANIZATION_RATE", "0"),
    ("CHARTER__REPLAY__TOTAL", "16000000"),
    ("CHARTER__REPLAY__PER_KEY_QUOTA", "8000000"),
    ("CHARTER__BUDGETS__NONCES_PERCENT", "50"),
    ("CHARTER__BUDGETS__WRITES_PER_HOUR", "0"),
    ("CHARTER__BUDGETS__STORED_BYTES_PER_DAY", "0"),
    ("CHARTER__BUDGETS__DECISION_LOG_BYTES_PER_HOUR", "0"),
];

fn main() {
    let arguments = Arguments::parse();
    if let Some(body) = &arguments.bare_server {
        bare::serve(body);
        return;
    }
    let start = Start {
        program: &arguments.program,
        settings: &SETTINGS,
        ..Start::default()
    };
    let server = Charter::try_start(start);
    let mut server = server.expect("it starts; run it by hand to see why not");
    // Creates the session that is copied.
    Person::sign_in(&server);
    server.stop();
    let started = Instant::now();
    let tenants = Tenants::make(server.data(), &arguments.amounts);
    eprintln!("{:?} made in {:.1?}", arguments.amounts, started.elapsed());
    let started = Instant::now();
    server.start_again(start);
    eprintln!("started in {:.1?}", started.elapsed());
    let bench = Bench {
        arguments: &arguments,
        server: &server,
        tenants: &tenants,
    };
    let rows = arguments.scenarios().iter().map(|scenario| {
        eprintln!("{} …", scenario.name());
        bench.run(*scenario)
    });
    report::print(&rows.collect::<Vec<_>>());
}
