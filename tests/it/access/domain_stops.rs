//! Emergency stops of domains: at once, whatever is being checked of the same domain or of another.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use charter_store::{LastRevision, TakenAs};
use serde_json::{Value, json};
use test_support::policy_world::copy;
use test_support::process::Home;
use test_support::service::Service;
use test_support::services::TestDatabase;

use super::domains::{Folder, example, path, started, until};
use super::restarts::of_domain;
use super::{Asks as _, TOKEN, question};

const STOP: &str = "@id(\"stop\")\nforbid (principal, action, resource);\n";

/// A solver that never answers but to `--version`: checks that ask it do not end.
fn mute(dir: &Path) -> String {
    let program = dir.join("cvc5");
    let script = "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'This is cvc5 version 9.9'; exit; fi\nexec sleep 600\n";
    fs::write(&program, script).expect("a script");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
    program.display().to_string()
}

/// Makes an edit that allows less: that it allows no more has to be proved.
fn narrow(folder: &Folder) {
    let file = folder.domain("records").join("records.cedar");
    let text = fs::read_to_string(file).expect("a file");
    let narrower = text.replace(
        "unless { resource.status == \"archived\" }",
        "unless { resource.status == \"archived\" || resource.status == \"closed\" }",
    );
    assert_ne!(text, narrower);
    folder.write("records", "records.cedar", &narrower);
}

/// Two domains with the same files.
fn records_and_twin() -> Folder {
    let folder = Folder::with(&["records"]);
    copy(&example("records"), &folder.domain("twin"));
    folder
}

/// What this domain decides of what the example allows.
async fn reads(service: &Service, domain: &str) -> Value {
    let read = question(("user", "alice"), "read", ("record", "record-1"));
    let asked = service.ask(&path(domain, "evaluation"), &read);
    asked.await.ok()["decision"].clone()
}

async fn until_stopped(service: &Service, domain: &str) {
    while reads(service, domain).await == json!(true) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_hangs_holds_up_neither_other_domains_nor_a_stop_of_its_own() {
    let (folder, programs) = (records_and_twin(), tempfile::tempdir().expect("a folder"));
    let policies = format!(
        "dir = \"{}\"\ncheck_timeout = \"10m\"\ntests = \"off\"\nproofs = \"off\"\nwidening = \"approved\"\n\
         solver = \"{}\"\n[access]\ntokens = [\"gateway:{TOKEN}\"]\n",
        folder.path().display(),
        mute(programs.path())
    );
    let service = Service::with_policies(TestDatabase::sqlite(), &policies).await;
    assert_eq!(reads(&service, "twin").await, json!(true));
    narrow(&folder);
    folder.write("twin", "stop.cedar", STOP);
    until_stopped(&service, "twin").await;
    copy(&example("todo"), &folder.domain("todo"));
    until(&service, |ready| ready["domains"]["todo"]["status"] == "ok").await;
    assert_eq!(reads(&service, "records").await, json!(true));
    folder.write("records", "stop.cedar", STOP);
    until_stopped(&service, "records").await;
    let recorded = loop {
        let recorded = service.store().last_policy_revision(Some("records")).await;
        match recorded.expect("readable") {
            LastRevision::Known(revision, files) if revision.taken_as == TakenAs::Stop => {
                break files;
            }
            _ => tokio::task::yield_now().await,
        }
    };
    assert!(recorded.contains_key("stop.cedar") && !recorded["records.cedar"].contains("closed"));
    // None of it waited for the check, which still goes on.
    let ready = super::domains::ready(&service).await;
    assert_eq!(ready["domains"]["records"].get("refused"), None, "{ready}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_of_a_domain_beside_a_refused_edit_is_in_force_and_told_of_if_examples_fail() {
    let folder = records_and_twin();
    let service = started(TestDatabase::sqlite(), &folder).await;
    folder.write("records", "broken.cedar", "permit (principal, act");
    until(&service, |ready| {
        ready["domains"]["records"]["refused"].is_string()
    })
    .await;
    folder.write("records", "stop.cedar", STOP);
    until_stopped(&service, "records").await;
    assert_eq!(reads(&service, "twin").await, json!(true));
    let told = until(&service, |ready| {
        ready["domains"]["records"]["failed_checks"].is_array()
    })
    .await;
    let told = &told["domains"]["records"];
    assert_eq!(told["status"], "degraded");
    assert!(
        told["failed_checks"][0]
            .as_str()
            .is_some_and(|it| it.starts_with("tests:")),
        "{told}"
    );
    assert!(
        told["refused"]
            .as_str()
            .is_some_and(|it| it.contains("broken.cedar")),
        "{told}"
    );
    // Ending it is an edit like others.
    for name in ["broken.cedar", "stop.cedar"] {
        fs::remove_file(folder.domain("records").join(name)).expect("removed");
    }
    until(&service, |ready| {
        ready["domains"]["records"]["status"] == "ok"
    })
    .await;
    assert_eq!(reads(&service, "records").await, json!(true));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_goes_on_with_what_was_accepted_of_a_domain_whose_check_hangs() {
    let (folder, programs) = (records_and_twin(), tempfile::tempdir().expect("a folder"));
    let home = Home::on(TestDatabase::sqlite())
        .with(
            "CHARTER__POLICIES__DIR",
            &folder.path().display().to_string(),
        )
        .with("CHARTER__POLICIES__TESTS", "off")
        .with("CHARTER__POLICIES__PROOFS", "off")
        .with("CHARTER__POLICIES__WIDENING", "approved")
        .with("CHARTER__POLICIES__SOLVER", &mute(programs.path()))
        .with("CHARTER__POLICIES__CHECK_TIMEOUT", "10m")
        .with("CHARTER__ACCESS__TOKENS", &format!("gateway:{TOKEN}"));
    let before = of_domain(&home.serve(), "records").await;
    narrow(&folder);
    let service = home.serve();
    let told = of_domain(&service, "records").await;
    assert_eq!(told["refused"], "the check of this folder has not finished");
    assert_eq!(told["digest"], before["digest"]);
    assert_eq!(of_domain(&service, "twin").await["status"], "ok");
    // Checked again beside what is in force, it does not hold up a stop.
    folder.write("records", "stop.cedar", STOP);
    let read = question(("user", "alice"), "read", ("record", "record-1"));
    while service
        .ask(&path("records", "evaluation"), &read)
        .await
        .ok()["decision"]
        == json!(true)
    {}
    service.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_domains_stay_until_an_operator_says_that_they_are_removed() {
    let folder = records_and_twin();
    let home = Home::on(TestDatabase::sqlite())
        .with(
            "CHARTER__POLICIES__DIR",
            &folder.path().display().to_string(),
        )
        .with("CHARTER__POLICIES__TESTS", "off")
        .with("CHARTER__POLICIES__PROOFS", "off")
        .with("CHARTER__ACCESS__TOKENS", &format!("gateway:{TOKEN}"));
    let service = home.serve();
    let domains = folder.path().join("domains");
    let away = folder.path().join("away");
    let read = question(("user", "alice"), "read", ("record", "record-1"));
    let asked = || service.ask(&path("records", "evaluation"), &read);
    let is_told = |told: &Value| {
        let warnings = told["warnings"].as_array().into_iter().flatten();
        let mut warnings = warnings.filter_map(Value::as_str);
        told["status"] == "degraded" && warnings.any(|it| it.starts_with("domains:"))
    };
    // The directory is missing, then empty, as that of a mount that is gone.
    fs::rename(&domains, &away).expect("moved away");
    for name in ["records", "twin"] {
        while !is_told(&of_domain(&service, name).await) {}
    }
    fs::create_dir(&domains).expect("a directory");
    assert_eq!(asked().await.ok()["decision"], json!(true));
    fs::remove_dir(&domains).expect("removed");
    fs::rename(&away, &domains).expect("moved back");
    for name in ["records", "twin"] {
        while of_domain(&service, name).await["status"] != "ok" {}
    }
    // One of several is removed with its folder.
    fs::remove_dir_all(folder.domain("twin")).expect("removed");
    while !of_domain(&service, "twin").await.is_null() {}
    fs::remove_dir_all(folder.domain("records")).expect("removed");
    while !is_told(&of_domain(&service, "records").await) {}
    assert_eq!(asked().await.ok()["decision"], json!(true));
    service.signal("HUP");
    while !of_domain(&service, "records").await.is_null() {}
    asked().await.assert_refused(404, "NOT_FOUND");
    service.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_of_a_domain_beside_an_example_that_cannot_be_read_is_in_force() {
    let folder = records_and_twin();
    let service = started(TestDatabase::sqlite(), &folder).await;
    let example = folder.domain("records").join("tests/zz.json");
    fs::write(&example, b"\xff").expect("written");
    let is_refused = |ready: &Value| ready["domains"]["records"]["refused"].is_string();
    let told = until(&service, is_refused).await;
    let told = told["domains"]["records"]["refused"].to_string();
    assert!(
        told.contains("zz.json") && told.contains("not UTF-8"),
        "{told}"
    );
    assert_eq!(reads(&service, "records").await, json!(true));
    folder.write("records", "stop.cedar", STOP);
    until_stopped(&service, "records").await;
    assert_eq!(reads(&service, "twin").await, json!(true));
    assert!(is_refused(&super::domains::ready(&service).await));
    service.stop().await;
}
