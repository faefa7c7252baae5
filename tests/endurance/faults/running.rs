//! Calls that fail while clients write.

use std::collections::BTreeSet;
use std::time::Duration;

use test_support::choices::Choices;
use test_support::policy_solver::solver;
use test_support::policy_world::copy;
use test_support::process::{Charter, Home, policies};
use test_support::services::TestDatabase;
use test_support::services::faults::{Call, Fault, How, Plan};
use test_support::signed_client::Client;
use test_support::signed_client::WAIT_TIMEOUT;

use super::history::{History, recover, until_ready};
use super::targets::{AT_FIRST, PROOFS, SOME, TARGETS, Target, is_of, without_database};
use crate::load::Load;

#[derive(Debug, Clone, Copy)]
enum Ending {
    Kill,
    KillMeanwhile,
    Stop,
    StopMeanwhile,
}

const ENDINGS: [Ending; 4] = [
    Ending::Stop,
    Ending::Kill,
    Ending::StopMeanwhile,
    Ending::KillMeanwhile,
];

pub(crate) fn with_settings(home: Home) -> Home {
    home.with("CHARTER__PORTAL__REGISTER_PER_HOUR", "10000")
        .with("CHARTER__BUDGETS__WRITES_PER_HOUR", "100000000")
        .with("CHARTER__DECISIONS__ROTATE_BYTES", "65536")
        .with("CHARTER__DECISIONS__KEEP_FILES", "1000")
        // Its folder never changes here.
        .with("CHARTER__POLICIES__PROOFS", "off")
        .with("CHARTER__POLICIES__TESTS", "off")
}

fn plan((call, path, most): Target, choices: &mut Choices) -> Plan {
    let below = |choices: &mut Choices, bound: u32| {
        u32::try_from(choices.below(bound as usize)).expect("a small number")
    };
    Plan {
        call,
        path: path.to_owned(),
        after: below(choices, most),
        times: if call == Call::SyncAndOpen {
            [2, 3, u32::MAX][choices.below(3)]
        } else {
            [1, 2, u32::MAX][choices.below(3)]
        },
        how: if call == Call::Write && choices.below(2) == 0 {
            How::Full
        } else {
            How::Io
        },
    }
}

/// A home whose policies are proved and can be edited, and everything that fails there.
fn in_full(home: Home) -> (Home, Vec<Target>) {
    let home = with_settings(home);
    if solver().is_none() {
        return (home, TARGETS.to_vec());
    }
    let folder = home.file("policies");
    copy(&policies(), &folder);
    let home = home
        .with("CHARTER__POLICIES__DIR", &folder.display().to_string())
        .with("CHARTER__POLICIES__PROOFS", "required")
        .with("CHARTER__POLICIES__CHECK_TIMEOUT", "600s")
        .with("PATH", "/usr/local/bin:/usr/bin:/bin");
    (home, [&TARGETS[..], &PROOFS[..]].concat())
}

/// Another text each time; it is checked, and proved, in the background.
fn edit_policies(home: &Home, life: usize, number: usize) {
    let file = home.file("policies").join("edit.cedar");
    let address = format!(
        "2001:db8::{life:x}:{:x}:{:x}",
        number >> 16,
        number & 0xffff
    );
    let condition = format!("context.source_ip == ip(\"{address}\")");
    let text = format!(
        "@id(\"edit\")\nforbid (principal is User, action, resource) when {{ {condition} }};\n"
    );
    std::fs::write(file, text).expect("an edit");
}

/// Until it has failed, and clients have heard of it.
async fn bring_about(
    home: &Home,
    history: &mut History,
    charter: &Charter,
    load: &Load,
    plan: &Plan,
    fault: &Fault<'_>,
) {
    // More than come in the half minute that some calls are made once in.
    const ENOUGH: usize = 100_000;
    let before = load.answered();
    if plan.path.contains("/mail") || plan.path.ends_with("/data") {
        while fault.failed() == 0 {
            let before = mails(home);
            history.register(charter).await;
            // It is sent in the background. What is done once must not be done between two faults.
            let is_tried = || fault.failed() > 0 || mails(home) > before;
            load.wait_until(is_tried).await;
        }
    }
    if plan.path.contains("/policies/") {
        edit_policies(home, history.lives(), before);
    }
    // The opening fails after the sync.
    let kinds = if plan.call == Call::SyncAndOpen { 2 } else { 1 };
    let has_happened = || fault.failed() >= kinds || load.answered() > before + ENOUGH;
    load.wait_until(has_happened).await;
    let seen = fault.seen();
    assert!(fault.failed() >= kinds, "{seen} calls seen: {plan:?}");
    let since = load.answered();
    load.wait_until(|| load.answered() > since + 20).await;
}

fn mails(home: &Home) -> usize {
    let found = std::fs::read_dir(home.data().join("mail"));
    found.map_or(0, |found| {
        let names = found.flatten().map(|found| found.path());
        names
            .filter(|path| path.extension().is_some_and(|it| it == "eml"))
            .count()
    })
}

/// One life of a service, with some faults.
async fn live(home: &Home, history: &mut History, plans: &[Plan], ending: Ending) {
    let charter = home.serve();
    let load = history.go_on(&charter).await;
    load.wait_for(6).await;
    let (last, others) = plans.split_last().expect("a plan");
    for plan in others {
        let fault = home.faults().begin(plan);
        bring_about(home, history, &charter, &load, plan, &fault).await;
        drop(fault);
        recover(&charter, &load).await;
    }
    let fault = home.faults().begin(last);
    bring_about(home, history, &charter, &load, last, &fault).await;
    match ending {
        Ending::KillMeanwhile => {
            charter.kill();
            drop(fault);
            history.add(load.ended().await);
        }
        Ending::Kill => {
            drop(fault);
            recover(&charter, &load).await;
            charter.kill();
            history.add(load.ended().await);
        }
        Ending::StopMeanwhile => {
            load.stop();
            history.add(load.ended().await);
            charter.terminate();
            let (status, _) = charter.ended();
            drop(fault);
            assert_eq!(status.code(), Some(0), "{last:?}: {}", home.log());
        }
        Ending::Stop => {
            drop(fault);
            recover(&charter, &load).await;
            load.stop();
            history.add(load.ended().await);
            charter.stop();
        }
    }
    println!("{ending:?} after {plans:?}");
    history.verify(home, matches!(ending, Ending::Stop)).await;
}

/// Lives with those calls failing in turn, until there were so many, and so many writes acknowledged.
async fn nothing_is_lost(home: Home, targets: &[Target], lives: usize, acknowledged: usize) {
    let Some(home) = home.with_faults() else {
        return;
    };
    let mut choices = Choices::new(17);
    let mut history = History::default();
    let mut targets = AT_FIRST.iter().chain(targets.iter().cycle());
    let mut life = 0;
    while life < lives || history.acknowledged() < acknowledged {
        let plans: Vec<Plan> = targets
            .by_ref()
            .take(3)
            .map(|target| plan(*target, &mut choices))
            .collect();
        live(&home, &mut history, &plans, ENDINGS[life % ENDINGS.len()]).await;
        life += 1;
    }
    let acknowledged = history.acknowledged();
    println!("{life} lives, {acknowledged} writes acknowledged, all there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_outlive_failing_calls_on_sqlite() {
    nothing_is_lost(with_settings(Home::new()), &SOME, 2, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_outlive_failing_calls_on_postgres() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        let some = without_database(&SOME);
        nothing_is_lost(with_settings(Home::on(database)), &some, 1, 0).await;
    }
}

/// Nothing more is written, so nothing else makes it try again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_is_retried() {
    let Some(home) = with_settings(Home::new()).with_faults() else {
        return;
    };
    let charter = home.serve();
    let (manager, mut client) = (charter.manager(), Client::http1(charter.main));
    for (number, path) in [
        "*/audit-heads.jsonl",
        "*/decisions/decisions-*.jsonl",
        "*/decision-head.json",
    ]
    .into_iter()
    .enumerate()
    {
        let fault = home.faults().begin(&Plan {
            times: 1,
            ..Plan::all(Call::Sync, path)
        });
        let body = format!(r#"{{"name":"write {number}"}}"#);
        let written = client.send(&manager.sign("POST", "/accounts", &body)).await;
        assert_eq!(written.status, 201);
        let again = async {
            while fault.seen() < 2 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let again = tokio::time::timeout(WAIT_TIMEOUT, again).await;
        assert!(again.is_ok(), "{path} is not synced again");
        until_ready(&charter).await;
    }
    charter.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: each call on each file, and 20,000 writes"]
async fn acknowledged_writes_outlive_failing_calls_in_full() {
    let (home, targets) = in_full(Home::new());
    nothing_is_lost(home, &targets, 36, 20_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: each call on each file, and 20,000 writes"]
async fn acknowledged_writes_outlive_failing_calls_on_postgres_in_full() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        let (home, targets) = in_full(Home::on(database));
        nothing_is_lost(home, &without_database(&targets), 28, 20_000).await;
    }
}

/// A file that is not in the table would never be seen to fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute: until the next half minute of the replay guard has begun"]
async fn the_table_has_all_that_a_running_service_writes_in_full() {
    let (home, targets) = in_full(Home::new());
    let Some(home) = home.with_faults() else {
        return;
    };
    let charter = home.serve();
    let mut history = History::default();
    let load = history.go_on(&charter).await;
    load.wait_for(6).await;
    home.faults().record();
    history.register(&charter).await;
    let proves = targets.len() > TARGETS.len();
    if proves {
        edit_policies(&home, 0, 1);
    }
    let seen = |target: &'static str| {
        let calls = home.faults().recorded();
        calls
            .iter()
            .any(|made| is_of(made, &(Call::Sync, target, 0)))
    };
    // The next half minute, a checkpoint, another decision file and a proof.
    load.wait_until(|| {
        seen("*/replay/.*.new")
            && seen("*/charter.db")
            && seen("*/decisions/.decisions-*.jsonl.*.new")
            && (!proves || seen("*/policies/proofs/.*.proof.*.new"))
    })
    .await;
    let calls = home.faults().recorded();
    home.faults().stop();
    charter.kill();
    load.ended().await;
    let missing: BTreeSet<_> = calls
        .iter()
        .filter(|(_, path)| path.starts_with(home.data()))
        .filter(|made| !AT_FIRST.iter().chain(&targets).any(|it| is_of(made, it)))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
