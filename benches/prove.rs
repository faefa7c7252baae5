//! The cost of proofs and diffs, from the shipped policies to 5,000: `cargo bench --bench prove`.
//!
//! Needs the solver. Absolute times depend on the machine.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot prepare its input has nothing to measure"
)]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use charter_authz::snapshot::Snapshot;
use charter_domain::clock::{Clock, SystemClock};
use charter_domain::permission::Permission;
use charter_policy::analysis::proof_cache::ProofCache;
use charter_policy::analysis::{Options, prove, prove_for_gate};
use charter_policy::diff::compare_sets;
use charter_policy::solver::{Solver, SolverLimits};
use secrecy::SecretSlice;
use tempfile::TempDir;

const ROUNDS: usize = 3;

#[expect(clippy::too_many_lines, reason = "the measurements in their order")]
fn main() {
    let clock = SystemClock::start();
    let solver = Solver::find(None).expect("the solver; Debian's package is `cvc5`");
    println!("cvc5 {}, medians of {ROUNDS}, seconds", solver.version());
    println!(
        "{:<44} {:>8} {:>10} {:>10}",
        "proofs", "seconds", "questions", "findings"
    );
    let row = |title: &str, dir: &Path, shadows: bool| {
        let snapshot = Snapshot::load(dir).expect("a good folder");
        let options = Options {
            limits: SolverLimits::default(),
            shadows,
        };
        let (seconds, proofs) = time(&clock, || prove(&snapshot, None, &solver, &options, &clock));
        println!(
            "{title:<44} {seconds:>8.2} {:>10} {:>10}",
            proofs.questions,
            proofs.findings.len()
        );
    };
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    row("shipped, 4 invariants", &shipped, false);
    row("shipped, with shadows", &shipped, true);
    for size in [100, 1_000] {
        let folder = generated(size, Grants::ToPrincipals);
        row(
            &format!("{size} to principals, 3 invariants"),
            folder.path(),
            false,
        );
        let folder = generated(size, Grants::ByPermission);
        row(
            &format!("{size} by permission, 4 invariants"),
            folder.path(),
            false,
        );
    }
    for grants in [Grants::ToPrincipals, Grants::ByPermission] {
        edits_of_5_000(&clock, &solver, grants);
    }
    println!("{:<44} {:>8} {:>10}", "diffs", "seconds", "questions");
    let old = Snapshot::load(&shipped).expect("a good folder");
    let edited = copy(&shipped);
    edit(
        edited.path(),
        "resource == Role::\"owner\"",
        "resource == Role::\"admin\"",
    );
    compare(
        "shipped, a role swapped",
        &clock,
        &solver,
        &old,
        edited.path(),
    );
    for grants in [Grants::ToPrincipals, Grants::ByPermission] {
        let folder = generated(1_000, grants);
        let old = Snapshot::load(folder.path()).expect("a good folder");
        edit(
            folder.path(),
            "@id(\"grant.500\")\npermit",
            "@id(\"grant.500\")\nforbid",
        );
        edit(
            folder.path(),
            "\"sa-00000000000000000000000400\"",
            "\"sa-00000000000000000000000007\"",
        );
        edit(folder.path(), "\"203.0.113.44/32\"", "\"203.0.113.0/24\"");
        compare(
            &format!("1,000 {grants:?}, permits edited"),
            &clock,
            &solver,
            &old,
            folder.path(),
        );
        edit(folder.path(), "!principal.is_active ||", "");
        compare(
            &format!("1,000 {grants:?}, and a guard"),
            &clock,
            &solver,
            &old,
            folder.path(),
        );
    }
}

/// As the gate proves: for the first time, and after edits, when most results are cached.
fn edits_of_5_000(clock: &SystemClock, solver: &Solver, grants: Grants) {
    let (folder, kept) = (generated(5_000, grants), TempDir::new().expect("a folder"));
    let cache = ProofCache {
        dir: kept.path().join("proofs"),
        key: SecretSlice::from(vec![7; 32]),
        read_only: false,
    };
    let options = Options {
        // As for a folder of that size in the service: see `policies.check_timeout_per_policy`.
        limits: SolverLimits {
            whole: Duration::from_mins(5),
            ..SolverLimits::default()
        },
        shadows: false,
    };
    let row = |title: &str| {
        let snapshot = Snapshot::load(folder.path()).expect("a good folder");
        let started = clock.monotonic();
        let proved = prove_for_gate(&snapshot, None, solver, &options, Some(&cache), clock);
        let seconds = clock.monotonic().saturating_sub(started).as_secs_f64();
        let (proofs, verdict) = match &proved {
            Ok(proofs) => (proofs, "proved"),
            Err(refused) => (&*refused.proofs, "not proved"),
        };
        let (title, questions) = (format!("5,000 {grants:?}, {title}"), proofs.questions);
        println!("{title:<44} {seconds:>8.2} {questions:>10} {verdict:>10}");
    };
    row("the first time");
    let permit = "@id(\"grant.500\")\npermit";
    let forbid = permit.replace("permit", "forbid");
    edit(folder.path(), permit, &forbid);
    row("a permit made a forbid");
    edit(folder.path(), &forbid, permit);
    edit(folder.path(), "@id(\"grant.77\")", "@id(\"edited\")");
    edit(folder.path(), "203.0.113.44/32", "203.0.113.0/24");
    let principal = |number: u32| format!("\"sa-{number:026}\"");
    edit(folder.path(), &principal(400), &principal(7));
    row("permits edited");
}

fn compare(title: &str, clock: &SystemClock, solver: &Solver, old: &Snapshot, new: &Path) {
    let new = Snapshot::load(new).expect("a good folder");
    let (seconds, diff) = time(clock, || {
        compare_sets(old, &new, solver, SolverLimits::default(), clock).expect("a comparison")
    });
    println!(
        "{title:<44} {seconds:>8.2} {:>10}   {}",
        diff.questions,
        diff.summary().trim_end()
    );
}

/// The median, and the last result.
fn time<T>(clock: &SystemClock, mut work: impl FnMut() -> T) -> (f64, T) {
    let mut once = || {
        let started = clock.monotonic();
        let result = work();
        (clock.monotonic().saturating_sub(started), result)
    };
    let mut runs: Vec<(Duration, T)> = (0..ROUNDS).map(|_| once()).collect();
    runs.sort_by_key(|(duration, _)| *duration);
    let (median, result) = runs.swap_remove(ROUNDS / 2);
    (median.as_secs_f64(), result)
}

/// Replaces the text in the policy files that contain it.
fn edit(dir: &Path, from: &str, to: &str) {
    for path in policy_files(dir) {
        let text = fs::read_to_string(&path).expect("a file");
        fs::write(path, text.replace(from, to)).expect("a file");
    }
}

fn policy_files(dir: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(dir)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "cedar")
        })
}

fn copy(from: &Path) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    fs::create_dir(folder.path().join("invariants")).expect("a folder");
    for below in ["", "invariants"] {
        for entry in fs::read_dir(from.join(below)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name");
            if path.is_file() {
                fs::copy(&path, folder.path().join(below).join(name)).expect("a copy");
            }
        }
    }
    folder
}

#[derive(Debug, Clone, Copy)]
enum Grants {
    /// Each to its own service account. The invariant about grants is left out, because permissions that were not
    /// granted by name are then allowed.
    ToPrincipals,
    /// Each by the permission of its action, from its own network.
    ByPermission,
}

/// The guardrails, the invariants, and so many grants spread over the actions.
fn generated(size: usize, grants: Grants) -> TempDir {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let folder = copy(&shipped);
    for path in policy_files(folder.path()) {
        if !path.ends_with("guardrails.cedar") {
            fs::remove_file(path).expect("a file less");
        }
    }
    if matches!(grants, Grants::ToPrincipals) {
        fs::remove_file(folder.path().join("invariants/grants.cedar")).expect("a file less");
    }
    let actions: Vec<&str> = Permission::ALL
        .iter()
        .map(|permission| permission.as_str())
        .filter(|name| {
            !name.starts_with("team:")
                && !name.ends_with("Settings")
                && !name.ends_with("Role")
                && !name.ends_with("GrantPermission")
                && !name.contains("Deactivate")
        })
        .collect();
    let numbers: Vec<usize> = (0..size.saturating_sub(4)).collect();
    // A file has at most a megabyte.
    for (part, numbers) in numbers.chunks(1_000).enumerate() {
        let mut text = String::new();
        for number in numbers {
            let action = actions.get(number % actions.len()).expect("an action");
            let written = match grants {
                Grants::ToPrincipals => writeln!(
                    text,
                    "@id(\"grant.{number}\")\npermit (principal == \
                     ServiceAccount::\"sa-{number:026}\", action == Action::\"{action}\", resource);"
                ),
                Grants::ByPermission => writeln!(
                    text,
                    "@id(\"grant.{number}\")\npermit (principal is ServiceAccount in \
                     Permission::\"{action}\", action == Action::\"{action}\", resource)\n\
                     when {{ context.source_ip.isInRange(ip(\"203.0.{}.{}/32\")) }};",
                    113 + number / 250,
                    number % 250
                ),
            };
            written.expect("a string takes any text");
        }
        let path = folder.path().join(format!("grants-{part}.cedar"));
        fs::write(path, text).expect("a written file");
    }
    folder
}
