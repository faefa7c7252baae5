//! The cost of one decision, from 10 policies to 10,000: `cargo bench --bench decision`.
//!
//! Compare the ratios; absolute times depend on the machine.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot prepare its input has nothing to measure"
)]

#[path = "policies/generated.rs"]
mod generated;

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use cedar_policy::Authorizer;
use charter_authz::principal::Principal;
use charter_authz::question::Question;
use charter_authz::resource::Resource;
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::{Clock, SystemClock};
use charter_domain::permission::Permission;
use generated::generated;
use test_support::policy_world::{Tenant, address, copy_of_shipped, now, shipped};

/// Duration of one run.
const RUN: Duration = Duration::from_millis(20);

fn main() {
    let clock = SystemClock::start();
    println!(
        "{:>28} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "policies", "load ms", "prepare", "again", "own", "account", "whole set", "ratio"
    );
    let mut base = None;
    let mut row = |title: &str, folder: &Path| {
        let started = clock.monotonic();
        let snapshot = Snapshot::load(folder).expect("a good folder");
        let load = clock.monotonic().saturating_sub(started).as_secs_f64() * 1e3;
        let costs = costs(&clock, &snapshot);
        let base = *base.get_or_insert(costs.own);
        println!(
            "{title:>28} {load:>9.1} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>9.1} {:>9.2}",
            costs.prepare,
            costs.again,
            costs.own,
            costs.account,
            costs.whole_set,
            costs.own / base
        );
    };
    for size in [10, 100, 1_000, 10_000] {
        let folder = generated(size, true);
        row(&format!("{size} spread"), folder.path());
    }
    row("shipped", &shipped());
    for (title, condition) in [
        (
            "shipped, one reads time",
            "context.now < datetime(\"2000-01-01\")",
        ),
        (
            "shipped, one reads address",
            "context.source_ip.isInRange(ip(\"203.0.113.77/32\"))",
        ),
    ] {
        let folder = copy_of_shipped();
        let policy = format!(
            "@id(\"bench\")\nforbid (principal, action == Action::\"organizations:GetOrganization\", resource)\n\
             when {{ {condition} }};\n"
        );
        fs::write(folder.path().join("bench.cedar"), policy).expect("a policy");
        row(title, folder.path());
    }
    for size in [100, 1_000, 10_000] {
        let folder = generated(size, false);
        row(&format!("{size} on one action"), folder.path());
    }
    println!("times in microseconds unless said otherwise; ratio is of `own` to the first row");
}

struct Costs {
    prepare: f64,
    /// As `own`, with the record that the caller was prepared with: its outcome may be remembered (ADR 0026).
    again: f64,
    own: f64,
    account: f64,
    whole_set: f64,
}

fn costs(clock: &SystemClock, snapshot: &Snapshot) -> Costs {
    let tenant = Tenant::new(1);
    let caller = tenant.program(
        &[],
        &["organizations:GetOrganization", "accounts:GetAccount"],
    );
    let principal = Principal::prepare(&caller, snapshot);
    let question = |permission, resource| Question {
        principal: &principal,
        permission,
        resource,
        source_ip: address(),
        now: now(),
    };
    let own = question(
        Permission::GetOrganization,
        Resource::Organization(&tenant.organization),
    );
    let again = question(
        Permission::GetOrganization,
        Resource::Organization(principal.caller().organization()),
    );
    let account = question(Permission::GetAccount, tenant.account());
    assert!(
        snapshot.decide(&own).is_allowed(),
        "the question is allowed"
    );
    // Without the index, which reduces the policies to those that may apply.
    let authorizer = Authorizer::new();
    let (_, inputs) = snapshot.decide_with_inputs(&own);
    let request = inputs.expect("a request of the schema").request;
    let entities = principal.entities(snapshot).expect("its entities");
    let entities = snapshot
        .with_actions(entities.iter().cloned())
        .expect("distinct entities");
    Costs {
        prepare: time(clock, || {
            black_box(Principal::prepare(&caller, snapshot));
        }),
        again: time(clock, || {
            black_box(snapshot.decide(black_box(&again)));
        }),
        own: time(clock, || {
            black_box(snapshot.decide(black_box(&own)));
        }),
        account: time(clock, || {
            black_box(snapshot.decide(black_box(&account)));
        }),
        whole_set: time(clock, || {
            let response = authorizer.is_authorized(&request, snapshot.policies(), &entities);
            black_box(response);
        }),
    }
}

/// The median of eleven runs, in microseconds for each call.
fn time(clock: &SystemClock, mut call: impl FnMut()) -> f64 {
    let mut runs: Vec<f64> = (0..11)
        .map(|_| {
            let started = clock.monotonic();
            let mut calls = 0;
            loop {
                call();
                calls += 1;
                let elapsed = clock.monotonic().saturating_sub(started);
                // Reading the clock between calls adds about 0.05 microseconds to each.
                if elapsed >= RUN {
                    break elapsed.as_secs_f64() * 1e6 / f64::from(calls);
                }
            }
        })
        .collect();
    runs.sort_by(f64::total_cmp);
    runs.get(5).copied().unwrap_or(f64::NAN)
}
