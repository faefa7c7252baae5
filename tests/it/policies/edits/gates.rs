//! What an edit must pass while requests are served: examples, proofs, what was promised at start,
//! and an approval for what allows more.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use charter_authz::folder::Folder;
use charter_store::LastRevision;
use sea_orm::ConnectionTrait as _;
use test_support::policy_solver::{solver, solver_program};
use test_support::policy_world::whole_copy_of_shipped;
use test_support::service::Service;
use test_support::services::connect;

use super::{STOP, WIDER, in_force, live, serve, serve_copy, sound, until};

/// Why the folder as it is now is refused.
async fn reason(service: &Service, dir: &Path) -> String {
    let wanted = whole_digest(dir);
    let engine = &service.state().engine;
    let refused = || {
        engine
            .health()
            .refused
            .clone()
            .filter(|refused| refused.digest.as_ref() == Some(&wanted))
    };
    until("refused", async || refused().is_some()).await;
    refused().expect("refused").reason
}

fn whole_digest(dir: &Path) -> Arc<str> {
    Arc::clone(Folder::read(dir).expect("a folder").whole_digest())
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).expect("a file");
    assert!(text.contains(from), "{from}");
    fs::write(file, text.replacen(from, to, 1)).expect("written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_opens_one_tenant_to_another_is_refused_with_an_example() {
    if solver().is_none() {
        return;
    }
    // The examples would find it, too.
    let (folder, service) = serve_copy("tests = \"off\"\nproofs = \"required\"").await;
    let dir = folder.path();
    let before = in_force(&service);
    let health = service.state().engine.health();
    // The test's folder is its own.
    let is_expected = |warning: &String| warning.starts_with("writable:");
    assert!(
        health.not_run.is_empty() && health.warnings.iter().all(is_expected),
        "{health:?}"
    );
    let guardrails = dir.join("guardrails.cedar");
    let good = fs::read(&guardrails).expect("a file");
    replace(
        &guardrails,
        "(resource has organization && resource.organization == principal.organization)",
        "(resource has organization)",
    );
    let reason = reason(&service, dir).await;
    println!("{reason}");
    for told in ["proofs", "tenant-isolation", "Organization::", ".cedar:"] {
        assert!(reason.contains(told), "{told}: {reason}");
    }
    assert_eq!(in_force(&service), before);
    fs::write(&guardrails, good).expect("taken back");
    sound(&service, "sound again").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invariant_from_the_start_is_removed_only_with_an_approval() {
    if solver().is_none() {
        return;
    }
    let (folder, service) = serve_copy("tests = \"off\"\nproofs = \"required\"").await;
    let dir = folder.path();
    let before = in_force(&service);
    // Without its promise, nothing in the folder itself speaks against it.
    fs::remove_file(dir.join("invariants/deactivation.cedar")).expect("removed");
    replace(
        &dir.join("roles.cedar"),
        "[Action::\"organizations:DeactivateOrganization\",\n   Action::\"service-accounts:AssignRole\"",
        "[Action::\"service-accounts:AssignRole\"",
    );
    let told = reason(&service, dir).await;
    assert!(
        told.contains("deactivation") && told.contains("charter policy approve"),
        "{told}"
    );
    assert_eq!(in_force(&service), before);

    let digest = whole_digest(dir).to_string();
    approve(&service, &digest);
    live(&service, dir, "approved").await;
    assert_ne!(in_force(&service), before);
    service.stop().await;
}

/// As an operator does, with the service's own settings.
fn approve(service: &Service, digest: &str) {
    service.told(&[
        "policy", "approve", digest, "--reason", "a test", "--by", "alice",
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wider_edit_waits_for_an_approval_where_settings_require_one() {
    if solver().is_none() {
        return;
    }
    let (folder, service) =
        serve_copy("tests = \"off\"\nproofs = \"off\"\nwidening = \"approved\"").await;
    let dir = folder.path();
    let before = in_force(&service);
    let roles = dir.join("roles.cedar");
    let text = fs::read_to_string(&roles).expect("a file");
    fs::write(&roles, format!("{text}{WIDER}")).expect("an edit");
    let told = reason(&service, dir).await;
    assert!(
        told.contains("team:InviteMember") && told.contains("charter policy approve"),
        "{told}"
    );
    assert_eq!(in_force(&service), before);
    let digest = whole_digest(dir).to_string();
    approve(&service, &digest);
    live(&service, dir, "approved").await;
    // What allows less needs nobody.
    fs::write(&roles, &text).expect("taken back");
    live(&service, dir, "narrower").await;
    assert_eq!(in_force(&service), before);
    // The approval was for that one step.
    fs::write(&roles, format!("{text}{WIDER}")).expect("the same again");
    let told = reason(&service, dir).await;
    assert!(told.contains("charter policy approve"), "{told}");
    assert_eq!(in_force(&service), before);
    service.stop().await;
}

/// A solver that waits while `dir/closed` is there, and writes the process that asks to `dir/asked` when it begins.
fn gated(solver: &Path, dir: &Path) -> String {
    let (program, dir) = (dir.join("cvc5"), dir.display());
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" != --version ]; then\n  echo $PPID >> {dir}/asked\n\
         while [ -e {dir}/closed ]; do sleep 0.05; done\nfi\nexec {} \"$@\"\n",
        solver.display()
    );
    fs::write(&program, script).expect("a script");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
    program.display().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_that_is_withdrawn_during_the_check_approves_nothing() {
    let (Some(_), Some(solver)) = (solver(), solver_program()) else {
        return;
    };
    let programs = tempfile::tempdir().expect("a folder");
    let (asked, closed) = (
        programs.path().join("asked"),
        programs.path().join("closed"),
    );
    let settings = format!(
        "tests = \"off\"\nproofs = \"required\"\nwidening = \"approved\"\nsolver = \"{}\"",
        gated(&solver, programs.path())
    );
    let folder = whole_copy_of_shipped();
    let dir = folder.path();
    // It promises that nobody may more than shipped.
    fs::remove_file(dir.join("invariants/grants.cedar")).expect("removed");
    let service = serve(dir, &settings).await;
    let before = in_force(&service);
    fs::write(&closed, "").expect("closed");
    let checks = async |number: usize| {
        until("a check runs", async || {
            let asked = fs::read_to_string(&asked).unwrap_or_default();
            asked.lines().collect::<BTreeSet<&str>>().len() >= number
        })
        .await;
    };
    let _ = fs::remove_file(&asked);
    // Each is checked instead of the one before, but for the last: it would overtake too often.
    fs::write(dir.join("wider.cedar"), WIDER).expect("an edit");
    checks(1).await;
    fs::write(dir.join("wider.cedar"), format!("{WIDER}// Once more.\n")).expect("an edit");
    checks(2).await;
    let digest = whole_digest(dir).to_string();
    approve(&service, &digest);
    checks(3).await;
    let approvals = service.told(&["policy", "approvals", "--json"]);
    let approvals: serde_json::Value = serde_json::from_str(&approvals).expect("json");
    let id = approvals[0]["id"].as_str().expect("an id");
    service.told(&["policy", "withdraw", id, "--by", "alice"]);
    fs::remove_file(&closed).expect("opened");
    // A check that took too long is repeated first.
    until("it waits for an approval", async || {
        let told = reason(&service, dir).await;
        if told.contains("did not finish") {
            service.clock.advance(30);
        }
        told.contains("charter policy approve")
    })
    .await;
    assert_eq!(in_force(&service), before);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_cannot_be_recorded_is_in_force_with_a_warning_and_recorded_later() {
    let (folder, service) = serve_copy("tests = \"off\"\nproofs = \"off\"").await;
    let dir = folder.path();
    let url = format!("sqlite://{}/charter.db", service.directory().display());
    let blocker = connect(&url).await;
    blocker
        .execute_unprepared("ALTER TABLE policy_revisions RENAME TO away")
        .await
        .expect("no table");
    let more = "@id(\"more\")\npermit (principal is User, action == Action::\"team:ListMembers\", resource is Organization) when { principal == principal };\n";
    fs::write(dir.join("more.cedar"), more).expect("an edit");
    let engine = &service.state().engine;
    let is_told = || {
        let health = engine.health();
        health.warnings.iter().any(|it| it.starts_with("notes:"))
    };
    until("told", async || is_told()).await;
    live(&service, dir, "in force all the same").await;
    blocker
        .execute_unprepared("ALTER TABLE away RENAME TO policy_revisions")
        .await
        .expect("a table");
    until("recorded", async || !is_told()).await;
    let last = service.store().last_policy_revision(None).await;
    let LastRevision::Known(_, files) = last.expect("a revision") else {
        panic!("it is not known");
    };
    assert_eq!(&files["more.cedar"][..], more);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emergency_stop_is_not_held_up() {
    let (folder, service) = serve_copy("tests = \"required\"\nproofs = \"auto\"").await;
    let dir = folder.path();
    // Examples that expect something to be allowed fail, and the second can never match.
    let stop = "@id(\"stop\")\nforbid (principal, action, resource);\n\
                @id(\"stop.nothing\")\nforbid (principal, action, resource) when { principal.is_active && !principal.is_active };\n";
    fs::write(dir.join("stop.cedar"), stop).expect("an edit");
    live(&service, dir, "stopped").await;
    let engine = &service.state().engine;
    let told = || engine.health().failed_checks.join("\n");
    until("told", async || told().contains("tests:")).await;
    assert!(engine.health().is_degraded());
    // The same with a permit beside it is an edit like any other.
    let before = in_force(&service);
    fs::write(dir.join("stop.cedar"), format!("{stop}@id(\"more\")\npermit (principal is User, action == Action::\"team:ListMembers\", resource is Organization);\n")).expect("an edit");
    let told = reason(&service, dir).await;
    assert!(told.contains("tests:"), "{told}");
    assert_eq!(in_force(&service), before);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_than_forbids_is_excused() {
    let (folder, service) = serve_copy("tests = \"required\"\nproofs = \"off\"").await;
    let dir = folder.path();
    let examples = dir.join("tests");
    fs::rename(&examples, dir.join("away")).expect("moved away");
    let told = reason(&service, dir).await;
    assert!(told.contains("no examples"), "{told}");
    // Nor beside a forbid.
    fs::write(dir.join("stop.cedar"), STOP).expect("an edit");
    let told = reason(&service, dir).await;
    assert!(told.contains("no examples"), "{told}");
    fs::rename(dir.join("away"), &examples).expect("brought back");
    live(&service, dir, "the stop alone").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_example_that_fails_holds_an_edit_up() {
    let (folder, service) = serve_copy("proofs = \"off\"").await;
    let dir = folder.path();
    let before = in_force(&service);
    let text = fs::read_to_string(dir.join("roles.cedar")).expect("a file");
    let narrower = text.replacen(
        "principal in Role::\"member\",\n  action in Action::\"reads\",",
        "principal in Role::\"member\",\n  action == Action::\"team:ListMembers\",",
        1,
    );
    assert_ne!(narrower, text);
    fs::write(dir.join("roles.cedar"), narrower).expect("an edit");
    let told = reason(&service, dir).await;
    assert!(told.contains("tests:") && told.contains(".json"), "{told}");
    assert_eq!(in_force(&service), before);
    service.stop().await;
}
