//! The cost of many domains of one's own: the start, decisions, an edit and a stop of one of them, with one domain and
//! with a hundred, of a hundred policies each.
//!
//! `cargo bench --bench domains`, or `-- proofs` with the proofs, too: compare the ratios; absolute numbers depend on
//! the machine.

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
mod folders;
#[expect(dead_code, reason = "other benchmarks use more of it")]
#[path = "../support/load.rs"]
mod load;
#[expect(dead_code, reason = "other benchmarks use more of it")]
#[path = "../support/person.rs"]
mod person;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use charter::{Charter, Start};
use folders::{name, with_domains};

const DOMAINS: usize = 100;
const POLICIES: usize = 100;
const ROUNDS: usize = 5;
const CONNECTIONS: usize = 32;
const REQUESTS: usize = 20_000;
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Idle polls are measured for this long.
const IDLE: Duration = Duration::from_secs(10);

fn main() {
    let proofs = if std::env::args().any(|argument| argument == "proofs") {
        "auto"
    } else {
        "off"
    };
    println!("domains of {POLICIES} policies, proofs: {proofs}");
    let (one, many) = (with_domains(1, POLICIES), with_domains(DOMAINS, POLICIES));
    let one_service = Served::start(1, one.path(), proofs);
    let many_service = Served::start(DOMAINS, many.path(), proofs);
    decisions(&one_service, &many_service);
    for served in [&one_service, &many_service] {
        served.edits();
    }
}

struct Served<'a> {
    domains: usize,
    folder: &'a Path,
    server: Charter,
}

impl<'a> Served<'a> {
    /// Starts with new domains, and again with the same ones.
    fn start(domains: usize, folder: &'a Path, proofs: &str) -> Self {
        let token = format!("gateway:{TOKEN}");
        let settings = [
            ("CHARTER__POLICIES__DIR", folder.to_str().expect("UTF-8")),
            ("CHARTER__POLICIES__PROOFS", proofs),
            ("CHARTER__ACCESS__TOKENS", token.as_str()),
        ];
        let started = Instant::now();
        let mut server = Charter::start_with(&settings);
        let new = started.elapsed();
        until_checked(&server);
        server.stop();
        let started = Instant::now();
        server.start_again(Start {
            settings: &settings,
            ..Start::default()
        });
        let again = started.elapsed();
        until_checked(&server);
        let checked = started.elapsed();
        let before = server.processor_seconds();
        thread::sleep(IDLE);
        let idle = (server.processor_seconds() - before) / IDLE.as_secs_f64();
        println!(
            "{domains} domains: start with new ones {new:.2?}, start again {again:.2?} (aim with {DOMAINS}: under 5 s), \
             checks finished after {checked:.2?}; at rest {:.1} % of a processor, {} KiB",
            idle * 1e2,
            server.resident_kib()
        );
        Self {
            domains,
            folder,
            server,
        }
    }

    /// Asks the last domain.
    fn question(&self) -> Vec<u8> {
        let domain = name(self.domains - 1);
        let body = r#"{"subject":{"type":"user","id":"u-0"},"action":{"name":"read"},"resource":{"type":"record","id":"r-0","properties":{"status":"active"}}}"#;
        format!(
            "POST /domains/{domain}/access/v1/evaluation HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {TOKEN}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.server.operations,
            body.len()
        )
        .into()
    }

    fn rate(&self) -> f64 {
        let requests = vec![self.question(); REQUESTS];
        let measured = load::run(&self.server.operations, &requests, CONNECTIONS);
        assert_eq!(measured.unexpected, 0, "{:?}", measured.errors);
        measured.rate
    }

    fn is_allowed(&self) -> bool {
        let answer = person::exchange(&self.server.operations, &self.question());
        assert!(answer.status.contains("200"), "{}", answer.body);
        answer.body.contains("true")
    }

    /// An edit, and a stop, of the last domain.
    fn edits(&self) {
        let dir = self.folder.join("domains").join(name(self.domains - 1));
        let grants = dir.join("grants.cedar");
        let text = fs::read_to_string(&grants).expect("a file");
        // Without its examples a folder is refused if they fail.
        fs::remove_dir_all(dir.join("tests")).expect("removed");
        let timed = |what: &dyn Fn(), wanted: bool| {
            let before = self.server.processor_seconds();
            let started = Instant::now();
            what();
            while self.is_allowed() != wanted {
                assert!(started.elapsed() < Duration::from_mins(5), "never in force");
                thread::sleep(Duration::from_millis(10));
            }
            (started.elapsed(), self.server.processor_seconds() - before)
        };
        thread::sleep(Duration::from_secs(5));
        let narrower = text.replacen("\"active\"", "\"open\"", 1);
        let (edit, processor) = timed(&|| fs::write(&grants, &narrower).expect("an edit"), false);
        timed(&|| fs::write(&grants, &text).expect("taken back"), true);
        let stop = "@id(\"stop\")\nforbid (principal, action, resource);\n";
        let (stopped, _) = timed(
            &|| fs::write(dir.join("stop.cedar"), stop).expect("a stop"),
            false,
        );
        println!(
            "{} domains: an edit of one is in force after {edit:.2?} ({processor:.2} s of the service's processor time), a \
             stop after {stopped:.2?}",
            self.domains
        );
    }
}

/// Waits until readiness knows nothing that is still to be checked.
fn until_checked(server: &Charter) {
    let request = format!(
        "GET /readyz HTTP/1.1\r\nhost: {}\r\n\r\n",
        server.operations
    );
    let started = Instant::now();
    loop {
        let answer = person::exchange(&server.operations, request.as_bytes());
        if !answer.body.contains("\"start: ") {
            assert!(!answer.body.contains("\"refused\""), "{}", answer.body);
            return;
        }
        assert!(
            started.elapsed() < Duration::from_mins(10),
            "{}",
            answer.body
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// Both are measured in turns.
fn decisions(one: &Served<'_>, many: &Served<'_>) {
    let (mut of_one, mut of_many) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let (of_round_one, of_round_many) = (one.rate(), many.rate());
        // The first round warms both up.
        if round > 0 {
            of_one.push(of_round_one);
            of_many.push(of_round_many);
        }
    }
    let (one, many) = (median(&mut of_one), median(&mut of_many));
    println!(
        "evaluations with {DOMAINS} domains / with one: {many:.0} / {one:.0} a second, ratio {:.3} (aim: at least 0.95)",
        many / one
    );
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
