//! Automatic mutations of the shipped policies: the shipped examples and invariants refuse each that
//! allows more than before, and a table says by which gate.

mod examples;
mod mutate;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::SystemClock;
use charter_domain::permission::Permission;
use charter_policy::analysis::proof_cache::ProofCache;
use charter_policy::analysis::{Options, prove_for_gate};
use charter_policy::diff::{Diff, DiffDirection, compare_sets};
use charter_policy::solver::Solver;
use secrecy::SecretSlice;
use tempfile::TempDir;
use test_support::policy_solver::{Edited, limits, proofs, solver};
use test_support::policy_world::{Tenant, ask, shipped};

use examples::Examples;
use mutate::{Mutation, additions, mutations};

/// The shipped folder after a mutation; `None` if it is refused when read.
fn mutated(mutation: &Mutation, old: &Snapshot) -> Option<Snapshot> {
    let shipped = Folder::read(&shipped()).expect("the shipped folder");
    let mut files = shipped.files().clone();
    files.insert(mutation.file.to_owned(), Arc::from(mutation.text.as_str()));
    let folder = Folder::from_files("policies".as_ref(), files).ok()?;
    Snapshot::updated_from(old, &folder).ok()
}

/// Requests of every kind of caller that one set allows and the other does not.
fn newly_allowed(old: &Snapshot, new: &Snapshot) -> BTreeSet<&'static str> {
    let tenants = [Tenant::new(1), Tenant::new(2)];
    let mut found = BTreeSet::new();
    for home in &[Tenant::new(1), Tenant::deactivated(1)] {
        for &permission in Permission::ALL {
            let mut callers = vec![
                home.program(&[], &[]),
                home.program(&[], &[permission.as_str()]),
                home.program(&[], &["organizations:GetOrganization"]),
                home.person("nobody"),
            ];
            for role in ["owner", "admin", "member"] {
                callers.push(home.person(role));
                callers.push(home.program(&[role], &[]));
            }
            for (_, resource) in tenants.iter().flat_map(|t| t.resources(permission)) {
                for caller in &callers {
                    if !found.contains(permission.as_str())
                        && ask(new, caller, permission, resource).is_allowed()
                        && !ask(old, caller, permission, resource).is_allowed()
                    {
                        found.insert(permission.as_str());
                    }
                }
            }
        }
    }
    found
}

/// What became of one mutation.
struct Outcome {
    direction: Option<DiffDirection>,
    /// All gates that refuse it.
    gates: Vec<&'static str>,
}

fn overall(diff: &Diff) -> DiffDirection {
    let narrower = diff.permissions.values().any(|p| !p.narrower.is_empty());
    match (diff.is_wider(), narrower) {
        (true, true) => DiffDirection::Both,
        (true, false) => DiffDirection::Wider,
        (false, true) => DiffDirection::Narrower,
        (false, false) => DiffDirection::Equal,
    }
}

fn judge(mutation: &Mutation, old: &Snapshot, examples: &Examples, solver: &Solver) -> Outcome {
    let Some(new) = mutated(mutation, old) else {
        return Outcome {
            direction: None,
            gates: vec!["check"],
        };
    };
    let diff =
        compare_sets(old, &new, solver, limits(), &SystemClock::start()).expect("a comparison");
    let allowed = newly_allowed(old, &new);
    for permission in &allowed {
        assert!(
            !diff.permissions[*permission].wider.is_empty(),
            "{} allows more of {permission}, and the diff does not say so",
            mutation.title
        );
    }
    for permission in diff.permissions.values() {
        for change in permission.wider.iter().chain(&permission.narrower) {
            assert!(change.example.is_some(), "{}: {change:?}", mutation.title);
        }
    }
    let mut gates = Vec::new();
    if diff.is_wider() {
        if !examples.all_hold(&new) {
            gates.push("tests");
        }
        if !proofs(&new, solver).is_proved() {
            gates.push("proofs");
        }
        gates.push("approval");
    }
    Outcome {
        direction: Some(overall(&diff)),
        gates,
    }
}

fn run(chosen: &[Mutation], solver: &Solver) {
    let old = Edited::new().load();
    let examples = Examples::read(&old);
    let mut by_direction: BTreeMap<String, usize> = BTreeMap::new();
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    let mut any: BTreeMap<&str, usize> = BTreeMap::new();
    for mutation in chosen {
        let outcome = judge(mutation, &old, &examples, solver);
        let direction = outcome
            .direction
            .map_or("refused when read".to_owned(), |d| d.word().to_owned());
        let is_wider = matches!(
            outcome.direction,
            Some(DiffDirection::Wider | DiffDirection::Both)
        );
        assert!(!is_wider || !outcome.gates.is_empty(), "{}", mutation.title);
        println!(
            "{direction:<20} {:<24} {}",
            outcome.gates.join(", "),
            mutation.title
        );
        *by_direction.entry(direction).or_default() += 1;
        if let Some(gate) = outcome.gates.first().copied() {
            *first.entry(gate).or_default() += 1;
        }
        for gate in outcome.gates {
            *any.entry(gate).or_default() += 1;
        }
    }
    println!("{} mutations: {by_direction:?}", chosen.len());
    println!("first gate that refuses: {first:?}");
    println!("all gates that refuse: {any:?}");
}

/// Mutations that no example tells from the shipped policies, in their order.
fn unnoticed<'m>(all: &'m [Mutation], old: &Snapshot) -> Vec<(&'m Mutation, Snapshot)> {
    let examples = Examples::read(old);
    assert!(examples.all_hold(old));
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let look = &|mutation: &'m Mutation| {
        let new = mutated(mutation, old)?;
        examples.all_hold(&new).then_some((mutation, new))
    };
    thread::scope(|scope| {
        let share = all.len().div_ceil(cores);
        let running: Vec<_> = all
            .chunks(share)
            .map(|some| scope.spawn(move || some.iter().filter_map(look).collect::<Vec<_>>()))
            .collect();
        let done = running.into_iter().map(thread::ScopedJoinHandle::join);
        done.flat_map(|found| found.expect("no panic")).collect()
    })
}

/// With the default settings nobody has to approve what allows more.
#[test]
#[ignore = "minutes: some hundred folders, and a comparison of each that no example tells from the shipped one"]
fn the_shipped_examples_and_invariants_refuse_every_widening_mutation_in_full() {
    let mut all = mutations();
    assert!(all.len() >= 200, "{}", all.len());
    all.extend(additions());
    assert!(all.len() >= 1_000, "{}", all.len());
    let old = Edited::new().load();
    let unnoticed = unnoticed(&all, &old);
    let Some(solver) = solver() else { return };
    let kept = TempDir::new().expect("a temporary folder");
    let cache = ProofCache {
        dir: kept.path().join("proofs"),
        key: SecretSlice::from(vec![1; 32]),
        read_only: false,
    };
    let options = Options {
        limits: limits(),
        shadows: false,
    };
    let clock = SystemClock::start();
    let mut missed = Vec::new();
    for (mutation, new) in unnoticed {
        let proofs = prove_for_gate(&new, None, &solver, &options, Some(&cache), &clock);
        let is_missed = proofs.is_ok()
            && compare_sets(&old, &new, &solver, limits(), &clock)
                .expect("a comparison")
                .is_wider();
        if is_missed {
            missed.push(mutation.title.as_str());
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn the_mutation_that_lets_an_admin_read_decisions_is_refused_by_an_example() {
    let old = Edited::new().load();
    let all = mutations();
    let title = "roles.admin: drop Action::\"decisions:GetDecision\" from the list";
    let mutation = all.iter().find(|mutation| mutation.title == title);
    let new = mutated(mutation.expect("a mutation"), &old).expect("a sound folder");
    assert!(!Examples::read(&old).all_hold(&new));
}

#[test]
fn each_widening_mutation_of_a_sample_is_refused() {
    let Some(solver) = solver() else { return };
    let all = mutations();
    let step = all.len() / 4;
    let sample: Vec<Mutation> = all.into_iter().step_by(step).collect();
    run(&sample, &solver);
}

#[test]
#[ignore = "minutes: proves and compares each of some hundred folders"]
fn each_widening_mutation_is_refused_in_full() {
    let Some(solver) = solver() else { return };
    run(&mutations(), &solver);
}
