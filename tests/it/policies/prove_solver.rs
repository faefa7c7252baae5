//! What a proof comes to whose solver fails, answers nonsense or is not there; the exit codes of the command.

use std::time::Duration;

use charter_authz::snapshot::Snapshot;
use charter_domain::clock::SystemClock;
use charter_policy::analysis::{Options, ProofVerdict, prove, prove_for_gate};
use charter_policy::solver::{Solver, SolverError, SolverLimits};
use test_support::policy_solver::{Edited, limits, played, solver};
use test_support::process::Home;

/// Whatever a solver does but answer `unsat`, nothing is proved by it.
#[test]
fn only_a_plain_answer_proves() {
    let short = SolverLimits {
        query: Duration::from_millis(200),
        whole: Duration::from_secs(4),
        workers: 2,
    };
    let snapshot = Edited::new().load();
    let scripts = [
        (
            "while read line; do case $line in *check-sat*) echo unknown;; esac; done",
            "`unknown`",
            false,
        ),
        ("exec sleep 60", "no answer in time", true),
        ("exit 3", "ended", true),
        (
            "read line; echo '(error \"out of memory\")'; cat > /dev/null",
            "out of memory",
            false,
        ),
        (
            "while read line; do case $line in *check-sat*) echo unsatisfied;; esac; done",
            "unrecognized",
            false,
        ),
        (
            "while read line; do case $line in *check-sat*) echo sat;; \
             *get-model*) printf '(\\n)\\n';; esac; done",
            "does not reproduce",
            false,
        ),
        (
            "while read line; do case $line in *check-sat*) echo sat;; \
             *get-model*) printf '(\\n(define-fun t0 () Nonsense 7)\\n)\\n';; esac; done",
            "",
            false,
        ),
    ];
    let clock = SystemClock::start();
    for (script, reason, is_unfinished) in scripts {
        let (solver, _dir) = played(script);
        let options = Options {
            limits: short,
            shadows: false,
        };
        let proofs = prove(&snapshot, None, &solver, &options, &clock);
        assert!(!proofs.is_proved(), "{script}");
        assert_eq!(proofs.is_unfinished(), is_unfinished, "{script}");
        assert!(
            proofs.report().contains(reason),
            "{script}: {}",
            proofs.report()
        );
        for finding in &proofs.findings {
            assert!(
                matches!(finding.verdict, ProofVerdict::NotProved { .. }),
                "{script}: {}",
                finding.text()
            );
        }
    }
}

#[test]
fn faults_that_need_no_solver_are_not_timeouts() {
    let (stopped, _dir) = played("exit 3");
    let at_start = Edited::new().load();
    let gate = |snapshot: &Snapshot| {
        let options = Options {
            limits: limits(),
            shadows: false,
        };
        let clock = SystemClock::start();
        prove_for_gate(snapshot, Some(&at_start), &stopped, &options, None, &clock)
            .expect_err("nothing is proved")
    };
    assert!(gate(&at_start).is_unfinished());
    let regrouped = Edited::new().replace(
        "schema.cedarschema",
        "action \"organizations:UpdateOrganization\" in [\"writes\"]",
        "action \"organizations:UpdateOrganization\" in [\"reads\"]",
    );
    let refused = gate(&regrouped.load());
    assert!(!refused.is_unfinished(), "{refused}");
}

#[test]
fn a_solver_that_is_not_there_is_told_with_its_package() {
    let nowhere = std::path::Path::new("/nowhere/cvc5");
    let error = Solver::find(Some(nowhere)).expect_err("no solver");
    assert!(matches!(error, SolverError::Missing { .. }));
    assert!(
        error
            .to_string()
            .contains("install the Debian package `cvc5`"),
        "{error}"
    );
    let other = Solver::find(Some(std::path::Path::new("/bin/echo"))).expect_err("no solver");
    assert!(matches!(other, SolverError::Unfit { .. }), "{other}");
}

#[test]
fn the_command_tells_by_its_exit_code() {
    if solver().is_none() {
        return;
    }
    let home = Home::new();
    let good = Edited::new();
    let dir = good.path().display().to_string();
    let out = home.run(&["policy", "prove", &dir]).success();
    assert!(out.starts_with("proved, "), "{out}");

    let bad = Edited::new().replace(
        "normalization.cedar",
        "principal is ServiceAccount in Permission::\"normalization:Normalize\"",
        "principal is ServiceAccount",
    );
    let outcome = home.run(&[
        "policy",
        "prove",
        &bad.path().display().to_string(),
        "--json",
    ]);
    assert_eq!(outcome.code, Some(1));
    let json: serde_json::Value = serde_json::from_str(&outcome.out).expect("one document");
    let finding = &json["findings"][0];
    assert_eq!(finding["claim"]["name"], "grants");
    assert_eq!(
        finding["verdict"]["by"][0]["place"],
        "normalization.cedar:5"
    );
    let request = &finding["verdict"]["counterexample"]["request"];
    assert_eq!(request["action"], "Action::\"normalization:Normalize\"");

    let broken = Edited::new().write("broken.cedar", "permit (principal");
    let outcome = home.run(&["policy", "prove", &broken.path().display().to_string()]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.err.contains("broken.cedar:1:"), "{}", outcome.err);
    let outcome = home.run(&["policy", "prove", &dir, "--solver", "/nowhere"]);
    assert_eq!(outcome.code, Some(2));
    assert!(
        outcome.err.contains("install the Debian package `cvc5`"),
        "{}",
        outcome.err
    );
}
