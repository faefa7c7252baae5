//! `charter policy advise --service-account`: which of its roles and permissions it needs.

use std::fs;
use std::path::{Path, PathBuf};

use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::SystemClock;
use charter_domain::permission::Permission as P;
use charter_domain::progress::Progress;
use charter_policy::advise::{
    Advice, AdviceRequest, AdviceVerdict, HeldGrants, LogPeriod, RefusedAdvice, Subject, advise,
};
use serde_json::Value;
use test_support::policy_solver::{limits, solver};
use test_support::policy_world::{now, shipped};
use test_support::process::Home;
use test_support::signed_client::Client;

use super::advised::{World, read_context};
use super::advised_coverage::append;
use super::domain_questions::{Domain, read_by_service_account};
use super::stand_alone::Bench;
use super::{files, records};

/// What is advised for a service account of these grants; the log has its id.
fn advise_account(
    bench: &Bench,
    policies: &Path,
    held: HeldGrants,
) -> Result<Advice, RefusedAdvice> {
    advise_with_progress(bench, policies, held, &Progress::default())
}

fn advise_with_progress(
    bench: &Bench,
    policies: &Path,
    held: HeldGrants,
    progress: &Progress,
) -> Result<Advice, RefusedAdvice> {
    let folder = Folder::read(policies).expect("readable");
    let snapshot = Snapshot::from_folder(&folder).expect("sound");
    advise(&AdviceRequest {
        subject: &Subject::ServiceAccount(held),
        dir: policies,
        folder: &folder,
        snapshot: &snapshot,
        domain: None,
        logs: &[bench.dir()],
        period: LogPeriod {
            since: now(),
            until: None,
        },
        solver: &solver().expect("a solver"),
        limits: limits(),
        clock: &SystemClock::start(),
        progress,
    })
}

fn held(roles: &[&str], permissions: &[&str]) -> HeldGrants {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    HeldGrants {
        id: format!("sa-{:026}", 9_999),
        roles: owned(roles),
        permissions: owned(permissions),
    }
}

/// The advice after a log of these uses by a service account with these grants.
fn after_use(held: &HeldGrants, used: &[P]) -> Advice {
    let world = World::new(&[]);
    let roles: Vec<&str> = held.roles.iter().map(String::as_str).collect();
    let permissions: Vec<&str> = held.permissions.iter().map(String::as_str).collect();
    let log = world.bench.open();
    world.decide(&log, &world.bench.acme.program(&roles, &permissions), used);
    world.decide(&log, &world.bench.acme.person("owner"), &[P::ListEvents]);
    log.close();
    advise_account(&world.bench, &shipped(), held.clone()).expect("covered")
}

#[test]
fn a_service_account_keeps_the_permissions_that_it_used() {
    if solver().is_none() {
        return;
    }
    let all = held(
        &[],
        &[
            "organizations:GetOrganization",
            "accounts:ListAccounts",
            "audit:ListEvents",
        ],
    );
    let advice = after_use(&all, &[P::GetOrganization, P::ListAccounts]);
    assert_eq!(advice.verdict, AdviceVerdict::Narrower, "{advice}");
    assert_eq!(advice.decisions, 2, "{advice}");
    assert_eq!(advice.uses[0].never, ["audit:ListEvents"]);
    // Less is allowed of giving away, too: what it no longer holds it cannot pass on.
    assert_eq!(
        advice.narrowed,
        ["audit:ListEvents", "service-accounts:GrantPermission"]
    );
    assert!(
        advice.diff.contains("\n-permission audit:ListEvents\n"),
        "{advice}"
    );
    assert!(
        advice
            .diff
            .contains("\n permission organizations:GetOrganization\n"),
        "{advice}"
    );
    let needed = held(
        &[],
        &["organizations:GetOrganization", "accounts:ListAccounts"],
    );
    let advice = after_use(&needed, &[P::GetOrganization, P::ListAccounts]);
    assert_eq!(advice.verdict, AdviceVerdict::NothingToLeaveOut, "{advice}");
}

#[test]
fn a_role_gives_way_to_the_permissions_that_were_used() {
    if solver().is_none() {
        return;
    }
    // Whoever holds a permission passes it on, which the role does not allow.
    let advice = after_use(&held(&["admin"], &[]), &[P::GetOrganization, P::CreateKey]);
    let AdviceVerdict::NotFound(why) = &advice.verdict else {
        panic!("{advice}");
    };
    assert!(
        why.contains("wider service-accounts:GrantPermission"),
        "{why}"
    );
    // A smaller role does.
    let advice = after_use(&held(&["admin"], &[]), &[P::GetOrganization]);
    assert_eq!(advice.verdict, AdviceVerdict::Narrower, "{advice}");
    assert!(advice.diff.contains("\n+role member\n"), "{advice}");
    let both = held(&["admin", "member"], &["organizations:GetOrganization"]);
    let advice = after_use(&both, &[P::GetOrganization]);
    assert_eq!(advice.verdict, AdviceVerdict::Narrower, "{advice}");
    assert!(advice.diff.contains("\n-role admin\n"), "{advice}");
    assert!(advice.diff.contains("\n-role member\n"), "{advice}");
    assert!(
        !advice.diff.contains("-permission organizations"),
        "{advice}"
    );
}

#[test]
fn grants_that_were_given_away_are_kept() {
    if solver().is_none() {
        return;
    }
    let all = held(&[], &["organizations:GetOrganization", "audit:ListEvents"]);
    let advice = after_use(&all, &[P::GrantPermission]);
    assert_eq!(advice.verdict, AdviceVerdict::Narrower, "{advice}");
    assert!(
        advice.diff.contains("\n-permission audit:ListEvents\n"),
        "{advice}"
    );
    assert!(
        !advice
            .diff
            .contains("\n-permission organizations:GetOrganization\n"),
        "{advice}"
    );
}

/// The first line's time, as `--since` takes it.
fn beginning(dir: &Path) -> String {
    let first: PathBuf = files(dir).remove(0);
    let text = fs::read_to_string(first).expect("a file");
    let line: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    line["at"].as_str().expect("a time").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_account_is_judged_by_what_it_holds_in_the_database() {
    if solver().is_none() {
        return;
    }
    let home = Home::new();
    let charter = home.serve();
    let (manager, mut client) = (charter.manager(), Client::http1(charter.main));
    let listed = client
        .send(&manager.sign("GET", "/service-accounts", ""))
        .await;
    let listed = listed.json();
    let accounts = listed["results"].as_array().expect("a list");
    let account = accounts.iter().find(|it| it["name"] == "Demo manager");
    let id = account.expect("the manager")["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    tokio::task::spawn_blocking(move || {
        charter.stop();
        let since = beginning(&home.data().join("decisions"));
        let advise = [
            "policy",
            "advise",
            "--demo",
            "--service-account",
            &id,
            "--since",
            &since,
        ];
        let path = "/usr/local/bin:/usr/bin:/bin";
        let advised = home
            .command(&advise)
            .env("PATH", path)
            .output()
            .expect("it runs");
        let out = String::from_utf8(advised.stdout).expect("text");
        assert_eq!(
            advised.status.code(),
            Some(0),
            "{out}{}",
            String::from_utf8_lossy(&advised.stderr)
        );
        assert!(
            out.contains("used 1 time  service-accounts:ListServiceAccounts"),
            "{out}"
        );
        assert!(
            out.contains("\n-permission service-accounts:DeleteServiceAccount\n"),
            "{out}"
        );
        assert!(
            !out.contains("\n-permission service-accounts:ListServiceAccounts\n"),
            "{out}"
        );
    })
    .await
    .expect("it ends");
}

#[test]
fn grants_that_another_domain_reads_are_kept() {
    if solver().is_none() {
        return;
    }
    let world = World::new(&["gateway"]);
    let log = world.bench.open();
    let gateway = Domain::load("gateway");
    let question = read_by_service_account(&held(&["member"], &[]).id);
    gateway
        .ask(&world.bench, &log, &question)
        .expect("on record");
    log.close();
    let advised = advise_account(&world.bench, &shipped(), held(&["member", "admin"], &[]));
    let advised = advised.expect("covered");
    assert_eq!(advised.verdict, AdviceVerdict::Narrower, "{advised}");
    assert!(advised.diff.contains("\n-role admin\n"), "{advised}");
    assert!(!advised.diff.contains("\n-role member\n"), "{advised}");
}

#[test]
fn grants_elsewhere_that_cannot_be_read_are_not_none() {
    if solver().is_none() {
        return;
    }
    let world = World::new(&["gateway"]);
    let log = world.bench.open();
    let question = read_by_service_account(&held(&["member"], &[]).id);
    let asked = Domain::load("gateway").ask(&world.bench, &log, &question);
    asked.expect("on record");
    log.close();
    let file = files(&world.bench.dir()).remove(0);
    let (record, whole) = (records(&file).remove(0), fs::read(&file).expect("a file"));
    let changes: [fn(&mut Value); 2] = [
        |record| record["entities"] = "lost".into(),
        |record| {
            for entity in record["entities"].as_array_mut().expect("a list") {
                entity["attrs"]["roles"] = 7.into();
            }
        },
    ];
    for change in changes {
        fs::write(&file, &whole).expect("written");
        append(&file, record.clone(), change);
        let advised = advise_account(&world.bench, &shipped(), held(&["member", "admin"], &[]));
        let refused = advised.expect_err("unreadable");
        assert!(matches!(refused, RefusedAdvice::Unjudged(_)), "{refused}");
    }
}

#[test]
fn counted_decisions_are_not_shown_to_be_allowed_where_policies_read_the_context() {
    if solver().is_none() {
        return;
    }
    let mut world = World::new(&[]);
    world.bench.allowed_per_second = 1;
    let log = world.bench.open();
    let used = "organizations:GetOrganization";
    let program = world.bench.acme.program(&[], &[used]);
    for _ in 0..10 {
        world.decide(&log, &program, &[P::GetOrganization]);
    }
    log.close();
    let all = held(&[], &[used, "audit:ListEvents"]);
    let ask = || {
        let advice = advise_account(&world.bench, &world.folder.path(), all.clone());
        let advice = advice.expect("covered");
        assert_eq!(advice.verdict, AdviceVerdict::Narrower, "{advice}");
        advice
    };
    let advice = ask();
    assert!(advice.counted_shown, "{advice}");
    let text = advice.to_string();
    assert!(text.contains("and so are the counted ones"), "{text}");
    read_context(&world.folder);
    let advice = ask();
    assert!(!advice.counted_shown, "{advice}");
    let text = advice.to_string();
    assert!(text.contains("not shown for the 9 counted ones"), "{text}");
    assert!(!text.contains("so are the counted ones"), "{text}");
}

#[test]
fn the_log_is_read_twice_however_many_grants_are_tried() {
    if solver().is_none() {
        return;
    }
    let world = World::new(&[]);
    let used = "organizations:GetOrganization";
    let log = world.bench.open();
    let program = world.bench.acme.program(&["admin", "member"], &[used]);
    world.decide(&log, &program, &[P::GetOrganization]);
    log.close();
    let progress = Progress::default();
    let both = held(&["admin", "member"], &[used]);
    let advice = advise_with_progress(&world.bench, &shipped(), both, &progress);
    assert_eq!(advice.expect("covered").verdict, AdviceVerdict::Narrower);
    let sizes = files(&world.bench.dir()).into_iter().map(|file| {
        let file = fs::metadata(file).expect("a file");
        file.len()
    });
    assert_eq!(progress.done(), 2 * sizes.sum::<u64>());
}

#[test]
fn a_role_that_another_domain_reads_is_not_added_again() {
    if solver().is_none() {
        return;
    }
    let advised = |roles: &[&str], used: P| {
        let world = World::new(&["gateway"]);
        let log = world.bench.open();
        let question = read_by_service_account(&held(roles, &[]).id);
        let asked = Domain::load("gateway").ask(&world.bench, &log, &question);
        asked.expect("on record");
        world.decide(&log, &world.bench.acme.program(roles, &[]), &[used]);
        log.close();
        advise_account(&world.bench, &shipped(), held(roles, &[])).expect("covered")
    };
    let advice = advised(&["member"], P::GetOrganization);
    assert_eq!(advice.verdict, AdviceVerdict::NothingToLeaveOut, "{advice}");
    // What is held already, in another order, is no advice either.
    let advice = advised(&["admin", "member"], P::ListDecisions);
    assert_eq!((&advice.patch, &*advice.diff), (&None, ""), "{advice}");
}
