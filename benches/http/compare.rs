//! Two servers that run all the time and are measured in turns.

use std::time::Duration;

use crate::charter::{Charter, memory_kib, processor_seconds};
use crate::load::{self, Measured};

const ROUNDS: usize = 5;
const CONNECTIONS: usize = 32;

/// One of the two.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) name: &'a str,
    pub(crate) host: &'a str,
    pub(crate) process: u32,
    /// Whose key signs the requests.
    pub(crate) signer: &'a Charter,
}

impl<'a> Side<'a> {
    pub(crate) fn new(name: &'a str, server: &'a Charter) -> Self {
        Self {
            name,
            host: &server.host,
            process: server.id(),
            signer: server,
        }
    }

    /// What it showed, and the processor time that it took, in seconds.
    fn measure(&self, requests: usize) -> (Measured, f64) {
        let used = || processor_seconds(&format!("/proc/{}/stat", self.process));
        let signed = self.signer.signed_requests(requests, self.host);
        let before = used();
        let measured = load::run(self.host, &signed, CONNECTIONS);
        (measured, used() - before)
    }
}

/// Prints the medians of the rounds, and the first side's ratios to the second.
pub(crate) fn compare(requests: usize, sides: [Side<'_>; 2]) {
    let mut rounds = Vec::new();
    // The first round warms both up.
    for round in 0..=ROUNDS {
        let measured = sides.map(|side| side.measure(requests));
        if round > 0 {
            for (side, (run, _)) in sides.iter().zip(&measured) {
                print_row(side.name, run);
            }
            rounds.push(measured);
        }
    }
    println!("\n{} / {}:", sides[0].name, sides[1].name);
    let median = |figure: &dyn Fn(&(Measured, f64)) -> f64| {
        [0, 1].map(|side| {
            let mut values: Vec<f64> = rounds.iter().map(|round| figure(&round[side])).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        })
    };
    let print = |what: &str, [of, to]: [f64; 2]| {
        println!("  {what:34} {of:>9.1} / {to:>9.1}, ratio {:.3}", of / to);
    };
    print("requests a second", median(&|(run, _)| run.rate));
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    print("p99, ms", median(&|(run, _)| millis(run.p99)));
    let each = |used: f64| used * 1e6 / requests as f64;
    print(
        "processor time a request, µs",
        median(&|(_, used)| each(*used)),
    );
    let resident = sides.map(|side| memory_kib(side.process, "VmRSS:") as f64 / 1024.0);
    print("resident memory, MiB", resident);
}

fn print_row(name: &str, measured: &Measured) {
    println!(
        "{name:8} {:>8.0} requests a second, p50 {:>9.1?}, p99 {:>9.1?}, other answers {}",
        measured.rate, measured.p50, measured.p99, measured.unexpected
    );
}
