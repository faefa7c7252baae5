//! The cost of users' requests: the read with an access token compared with a bare handler, other routes while
//! hundreds sign in, and refreshing compared with a bare guarded UPDATE on the same database.
//!
//! `cargo bench --bench portal` prints ratios; see `benches/http` for how to read them.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a benchmark that cannot prepare has nothing to measure, and measures real time"
)]

#[expect(dead_code, reason = "what the other benchmarks use of it")]
#[path = "../support/bare.rs"]
mod bare;
#[path = "../support/charter.rs"]
#[expect(dead_code, reason = "signed requests are the other benchmark's")]
mod charter;
#[path = "../support/durable.rs"]
mod durable;
#[path = "../support/load.rs"]
#[expect(dead_code, reason = "other benchmarks use more of it")]
mod load;
#[path = "../support/person.rs"]
mod person;
mod refresh;
mod sign_ins;

use charter::Charter;
use load::Measured;

const ROUNDS: usize = 5;
const CONNECTIONS: usize = 32;
const REQUESTS: usize = 40_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments
        .iter()
        .position(|argument| argument == "--bare-server")
    {
        bare::serve(arguments.get(at + 1).expect("a body"));
        return;
    }
    // One user refreshes and signs in hundreds of times here.
    let server = Charter::start_with(&[
        ("CHARTER__PORTAL__REFRESHES_PER_MINUTE", "0"),
        ("CHARTER__BUDGETS__PASSWORD_HASHES_PER_MINUTE", "0"),
    ]);
    let person = person::Person::sign_in(&server);
    // A part alone: `cargo bench --bench portal -- bearer`.
    let wants = |part: &str| {
        let named = ["bearer", "sign-ins", "refresh"];
        let chosen = arguments
            .iter()
            .find(|argument| named.contains(&argument.as_str()));
        chosen.is_none_or(|chosen| chosen == part)
    };
    if wants("bearer") {
        bearer_read(&server, &person);
    }
    if wants("sign-ins") {
        sign_ins::beside_other_routes(&server, &person);
    }
    if wants("refresh") {
        refresh::against_a_bare_update(&server);
    }
}

/// `GET /api/portal/organization` with one token, compared with a bare handler with the same response.
fn bearer_read(server: &Charter, person: &person::Person) {
    let body = person.organization(&server.host);
    let bare = bare::start(&body);
    println!("the answer is {} bytes: {body}", body.len());
    let with_token = vec![person.get("/api/portal/organization", &server.host); REQUESTS];
    let to_bare = vec![person.get("/organizations/info", &bare.host); REQUESTS];
    let (mut of_bare, mut of_charter) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let bare_round = load::run(&bare.host, &to_bare, CONNECTIONS);
        let charter_round = load::run(&server.host, &with_token, CONNECTIONS);
        // The first round warms both up.
        if round > 0 {
            print_row("bare", &bare_round);
            print_row("bearer", &charter_round);
            of_bare.push(bare_round.rate);
            of_charter.push(charter_round.rate);
        }
    }
    let (bare, charter) = (median(of_bare), median(of_charter));
    println!(
        "bearer read: {charter:.0} / {bare:.0} requests a second, ratio {:.2}\n",
        charter / bare
    );
}

fn print_row(name: &str, measured: &Measured) {
    println!(
        "{name:8} {:>8.0} requests a second, p50 {:>9.1?}, p99 {:>9.1?}, other answers {}",
        measured.rate, measured.p50, measured.p99, measured.unexpected
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
