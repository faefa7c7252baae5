//! What was proved is remembered as long as all that it depends on is the same, and only by who has
//! the key.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use charter_authz::snapshot::Snapshot;
use charter_domain::clock::SystemClock;
use charter_policy::analysis::proof_cache::ProofCache;
use charter_policy::analysis::{NotProved, Options, ProofReport, prove_for_gate};
use charter_policy::solver::{self, Solver};
use secrecy::SecretSlice;
use tempfile::TempDir;
use test_support::policy_solver::{Edited, limits, played, solver};

fn cache_in(dir: &TempDir, key: u8) -> ProofCache {
    ProofCache {
        dir: dir.path().join("proofs"),
        key: SecretSlice::from(vec![key; 32]),
        read_only: false,
    }
}

fn prove(
    snapshot: &Snapshot,
    at_start: Option<&Snapshot>,
    solver: &Solver,
    cache: &ProofCache,
) -> Result<ProofReport, NotProved> {
    let options = Options {
        limits: limits(),
        shadows: false,
    };
    let clock = SystemClock::start();
    prove_for_gate(snapshot, at_start, solver, &options, Some(cache), &clock)
}

#[test]
fn proofs_are_reused_until_anything_changes() {
    let Some(solver) = solver() else { return };
    let dir = TempDir::new().expect("a temporary folder");
    let cache = |key: u8| cache_in(&dir, key);
    let snapshot = Edited::new().load();
    let gate = |snapshot: &Snapshot, start: Option<&Snapshot>, key| {
        prove(snapshot, start, &solver, &cache(key))
    };
    let first = gate(&snapshot, None, 1).expect("proofs");
    assert!(!first.from_cache);
    let again = gate(&snapshot, None, 1).expect("proofs");
    assert!(again.from_cache && again.questions == 0);
    assert_eq!(again.invariants, first.invariants);

    // Another key, another start, another solver, other policies: nothing is known.
    assert!(cache(2).get(&snapshot, None, &solver).is_none());
    assert!(cache(1).get(&snapshot, None, &played(":").0).is_none());
    let other = Edited::new().replace("roles.cedar", "// An owner does everything;", "// All;");
    assert!(cache(1).get(&other.load(), None, &solver).is_none());

    // Cut anywhere, or changed anywhere, it is not there.
    let entries = std::fs::read_dir(dir.path().join("proofs")).expect("the cache");
    let files: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some())
        .collect();
    let [file] = files.as_slice() else {
        panic!("{files:?}");
    };
    let kept = std::fs::read(file).expect("an entry");
    for position in 0..kept.len() {
        let mut changed = kept.clone();
        changed[position] ^= 1;
        for forged in [&changed, &kept[..position]] {
            std::fs::write(file, forged).expect("an entry");
            assert!(
                cache(1).get(&snapshot, None, &solver).is_none(),
                "{position}"
            );
        }
    }
    assert!(!gate(&snapshot, None, 1).expect("proofs").from_cache);
    assert!(gate(&snapshot, None, 1).expect("proofs").from_cache);

    // What was promised at start counts with what its actions were.
    let at_start = |start: &Snapshot| cache(1).get(&snapshot, Some(start), &solver);
    assert!(at_start(&snapshot).is_none());
    gate(&snapshot, Some(&snapshot), 1).expect("proofs");
    assert!(at_start(&snapshot).is_some());
    let regrouped = Edited::new().replace(
        "schema.cedarschema",
        "action \"organizations:UpdateOrganization\" in [\"writes\"]",
        "action \"organizations:UpdateOrganization\" in [\"reads\"]",
    );
    assert!(at_start(&regrouped.load()).is_none());
}

/// One that says that it is of the same version is another solver all the same.
#[test]
fn another_program_at_the_same_place_has_proved_nothing() {
    if solver().is_none() {
        return;
    }
    let dir = TempDir::new().expect("a temporary folder");
    let program = dir.path().join("solver");
    let install = |comment: &str| {
        let script = format!("#!/bin/sh\n# {comment}\nexec cvc5 \"$@\"\n");
        fs::write(&program, script).expect("a script");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
        let search_path = OsString::from(dir.path());
        let found = solver::on_path(Path::new("solver"), &search_path).expect("it is there");
        assert_eq!(found, program);
        Solver::find(Some(&found)).expect("a solver")
    };
    let nowhere = OsString::from(dir.path());
    assert_eq!(solver::on_path(Path::new("cvc5"), &nowhere), None);

    let cache = cache_in(&dir, 1);
    let snapshot = Edited::new().load();
    let solver = install("one");
    prove(&snapshot, None, &solver, &cache).expect("proofs");
    assert!(cache.get(&snapshot, None, &install("one")).is_some());
    assert!(cache.get(&snapshot, None, &install("another")).is_none());
}

/// Its version alone does not tell it from others.
#[test]
fn proofs_of_a_solver_without_a_digest_are_not_cached() {
    if solver().is_none() {
        return;
    }
    let dir = TempDir::new().expect("a temporary folder");
    let cache = cache_in(&dir, 1);
    let snapshot = Edited::new().load();
    let solver = Solver::find(None).expect("a solver on the search path");
    assert_eq!(solver.digest(), None);
    for _ in 0..2 {
        let proofs = prove(&snapshot, None, &solver, &cache).expect("proofs");
        assert!(!proofs.from_cache && proofs.questions > 0);
    }
    assert!(!cache.dir.exists());
}

#[test]
fn failed_proofs_are_not_cached() {
    let Some(solver) = solver() else { return };
    let edited = Edited::new().replace(
        "normalization.cedar",
        "principal is ServiceAccount in Permission::\"normalization:Normalize\"",
        "principal is ServiceAccount",
    );
    let dir = TempDir::new().expect("a temporary folder");
    let cache = cache_in(&dir, 1);
    let snapshot = edited.load();
    for _ in 0..2 {
        prove(&snapshot, None, &solver, &cache).expect_err("a refusal");
    }
    let files = std::fs::read_dir(&cache.dir).expect("the cache");
    let names: Vec<_> = files
        .map(|file| file.expect("a file").file_name())
        .collect();
    assert_eq!(names, ["claims"], "no folder is known to be proved");
}

/// One permit for each of some service accounts, each on a condition of its own.
fn many(count: usize) -> String {
    let permits: Vec<String> = (0..count)
        .map(|number| {
            format!(
                "@id(\"many-{number}\")\npermit (principal == ServiceAccount::\"sa-{number:026}\", \
                 action in [Action::\"accounts:GetAccount\", Action::\"accounts:UpdateAccount\"], resource)\n\
                 when {{ principal in Permission::\"accounts:GetAccount\" && principal in Permission::\"accounts:UpdateAccount\" && \
                 resource.organization == principal.organization && context.source_ip.isInRange(ip(\"10.{}.{}.0/24\")) }};\n",
                number / 200,
                number % 200
            )
        })
        .collect();
    permits.concat()
}

#[test]
fn an_edit_costs_what_it_changes() {
    let Some(solver) = solver() else { return };
    let dir = TempDir::new().expect("a temporary folder");
    let cache = cache_in(&dir, 1);
    let questions = |edited: &Edited| {
        let proofs = prove(&edited.load(), None, &solver, &cache);
        proofs.expect("proofs").questions
    };
    let edited = Edited::new().write("many.cedar", &many(40));
    let first = questions(&edited);
    assert!(first > 40, "{first}");
    // Another permit, a changed one, one less, another guard.
    let edited = edited.write("many.cedar", &many(41));
    let one_more = questions(&edited);
    assert!((1..20).contains(&one_more), "{one_more}");
    let edited = edited.replace("many.cedar", "10.0.7.0/24", "10.9.7.0/24");
    let one_changed = questions(&edited);
    assert!((1..20).contains(&one_changed), "{one_changed}");
    let edited = edited.write("many.cedar", &many(30));
    assert_eq!(questions(&edited), 0, "it was all proved before");
    let edited = edited.write(
        "stop.cedar",
        "@id(\"stop\")\nforbid (principal is User, action, resource) when { !principal.email_verified };\n",
    );
    let another_guard = questions(&edited);
    assert!(another_guard < 20, "{another_guard}");

    // What it took away may not be there any more: then it is asked anew, and found.
    let open = edited.replace(
        "guardrails.cedar",
        "forbid (principal, action, resource)\nunless\n",
        "forbid (principal is User, action, resource)\nunless\n",
    );
    let open = open.replace(
        "many.cedar",
        "resource.organization == principal.organization && context.source_ip.isInRange(ip(\"10.0.5.0/24\"))",
        "context.source_ip.isInRange(ip(\"10.0.5.0/24\"))",
    );
    let refused = prove(&open.load(), None, &solver, &cache).expect_err("a broken invariant");
    assert!(
        refused
            .report
            .contains("broken: invariant `tenant-isolation`"),
        "{refused}"
    );
}

/// A clock on which each look costs a moment, so that the time is over after so many.
struct Passing(std::sync::atomic::AtomicU64);

impl charter_domain::clock::Clock for Passing {
    fn now(&self) -> charter_domain::timestamp::Timestamp {
        test_support::policy_world::now()
    }

    fn monotonic(&self) -> std::time::Duration {
        let looks = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        std::time::Duration::from_millis(looks)
    }
}

#[test]
fn a_proof_that_runs_out_of_time_goes_on_where_it_stopped() {
    let Some(solver) = solver() else { return };
    let dir = TempDir::new().expect("a temporary folder");
    let cache = cache_in(&dir, 1);
    let options = Options {
        limits: solver::SolverLimits {
            whole: std::time::Duration::from_millis(1_500),
            ..limits()
        },
        shadows: false,
    };
    let snapshot = Edited::new().write("many.cedar", &many(20)).load();
    let mut tries = 0;
    loop {
        tries += 1;
        let clock = Passing(std::sync::atomic::AtomicU64::new(0));
        match prove_for_gate(&snapshot, None, &solver, &options, Some(&cache), &clock) {
            Ok(proofs) => break assert!(proofs.is_proved()),
            Err(refused) => assert!(refused.is_unfinished(), "{refused}"),
        }
        assert!(tries < 100, "it never ends");
    }
    assert!(
        tries > 1,
        "the time was enough at once: the test shows nothing"
    );
}

/// In a process of its own: the threads that write the question down go on until it ends, and would slow down all
/// other tests.
#[test]
fn a_question_that_cannot_be_written_down_in_time_is_not_waited_for() {
    let own = std::env::current_exe().expect("a program");
    let test = "policies::prove_cache::a_question_that_takes_minutes_to_write_down";
    let mut command = std::process::Command::new(own);
    let run = command.args(["--exact", test, "--ignored"]).output();
    let run = run.expect("it starts");
    let out = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success() && out.contains("1 passed"),
        "{out}\n{}",
        String::from_utf8_lossy(&run.stderr)
    );
}

#[test]
#[ignore = "run by the test above"]
fn a_question_that_takes_minutes_to_write_down() {
    let Some(solver) = solver() else { return };
    let options = Options {
        limits: solver::SolverLimits {
            query: std::time::Duration::from_secs(1),
            ..limits()
        },
        shadows: false,
    };
    let overflowing = ".offset(duration(\"1d\"))".repeat(24);
    let edited = Edited::new()
        .write(
            "extra.cedar",
            &format!("@id(\"extra\")\nforbid (principal is User, action == Action::\"team:InviteMember\", resource)\nwhen {{ context.now{overflowing} < context.now }};\n"),
        )
        .replace(
            "normalization.cedar",
            "principal is ServiceAccount in Permission::\"normalization:Normalize\"",
            "principal is ServiceAccount",
        );
    let clock = SystemClock::start();
    let proofs = charter_policy::analysis::prove(&edited.load(), None, &solver, &options, &clock);
    let report = proofs.report();
    assert!(
        report.contains("not proved: that extra (extra.cedar:1) never fails"),
        "{report}"
    );
    assert!(
        report.contains("too large to be put to the solver in time"),
        "{report}"
    );
    assert!(
        report.contains("broken: invariant `grants`"),
        "what else is wrong is found: {report}"
    );
}
