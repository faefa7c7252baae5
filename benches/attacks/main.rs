//! How attacks on the service affect a well-behaved client: signed reads at a fixed rate, first alone, then during
//! each attack; `/readyz` polled all the time; resident memory.
//!
//! `cargo bench --bench attacks`; `-- NAME …` runs the attacks whose names begin so. `-- growth` measures the
//! growth of the database for each change. The attackers share the machine with the service, so their processor
//! time is printed, too.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a benchmark that cannot prepare has nothing to measure, and measures real time"
)]

mod attacker;
mod attacks;
#[expect(dead_code, reason = "other benchmarks use more of it")]
#[path = "../support/charter.rs"]
mod charter;
mod connections;
mod growth;
mod observe;
#[expect(dead_code, reason = "other benchmarks use more of it")]
#[path = "../support/person.rs"]
mod person;
mod requests;
mod unread;

use std::sync::Arc;
use std::time::Duration;

use attacker::Attacker;
use attacks::{ATTACKS, Attack};
use charter::{Charter, Start, memory_kib};
use observe::{Observed, observe};

const QUIET: Duration = Duration::from_secs(5);
const ATTACKED: Duration = Duration::from_secs(10);

fn main() {
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|it| it != "--bench")
        .collect();
    let wants = |name: &str| chosen.is_empty() || chosen.iter().any(|it| name.starts_with(it));
    for attack in ATTACKS.iter().filter(|attack| wants(attack.name)) {
        run(attack);
    }
    if wants("growth") {
        growth::measure();
    }
}

fn run(attack: &Attack) {
    let start = Start {
        settings: attack.settings,
        unread_log: attack.unread_log,
        ..Start::default()
    };
    let mut server = Charter::try_start(start).expect("it starts; run it by hand to see why not");
    let attacker = Arc::new(Attacker::prepare(&server, attack.keys));
    let mut beside = attack.beside.map(|make| make(&server));
    // Warms up.
    observe(&server, QUIET / 5, beside.as_mut());
    let quiet = observe(&server, QUIET, beside.as_mut());
    // Resets the peak of resident memory (proc(5)).
    std::fs::write(format!("/proc/{}/clear_refs", server.id()), "5").expect("one's own process");
    let before = attacker.database_bytes();
    let attackers = attacker.start(attack.begin);
    let under_attack = observe(&server, ATTACKED, beside.as_mut());
    let used = attackers.stop();
    let most = memory_kib(server.id(), "VmHWM:");

    println!("{}", attack.name);
    print("alone", &quiet);
    print("attacked", &under_attack);
    println!(
        "  p99 ratio {:.2}; resident memory at most {:.0} MiB; slowest /readyz {:.1?}; database {:+} KiB; attackers' \
         processor time {:.0} % of one",
        under_attack.p99.as_secs_f64() / quiet.p99.as_secs_f64(),
        most as f64 / 1024.0,
        under_attack.slowest_readyz,
        attacker.database_bytes().saturating_sub(before) / 1024,
        used * 100.0 / ATTACKED.as_secs_f64(),
    );
    println!("  they got: {}", attacker.counts());
    println!("  stopped after {:.1?}\n", server.stop());
}

fn print(when: &str, seen: &Observed) {
    println!(
        "  {when:9} p50 {:>8.1?}, p99 {:>8.1?}, slowest {:>8.1?}, failed {} of {}{}",
        seen.p50, seen.p99, seen.slowest, seen.failed, seen.asked, seen.beside
    );
}
