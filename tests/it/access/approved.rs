//! Where wider edits wait for an approval, those of domains do, too.

use std::fs;
use std::process::Command;

use charter_authz::folder::Folder as AuthzFolder;
use serde_json::{Value, json};
use test_support::policy_solver::solver;
use test_support::service::Service;
use test_support::services::TestDatabase;

use super::domains::{Folder, until};
use super::{Asks as _, TOKEN, question};

pub(super) const WIDER: &str =
    "@id(\"wider\")\npermit (principal, action == Action::\"write\", resource);\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wider_edit_of_a_domain_waits_until_it_is_approved() {
    if solver().is_none() {
        return;
    }
    let folder = Folder::with(&["records", "todo"]);
    let policies = format!(
        "dir = \"{}\"\ncheck_timeout = \"100s\"\ntests = \"off\"\nproofs = \"off\"\nwidening = \"approved\"\n\
         [access]\ntokens = [\"gateway:{TOKEN}\"]\n",
        folder.path().display()
    );
    let service = Service::with_policies(TestDatabase::sqlite(), &policies).await;
    let decision = async || {
        let write = question(("user", "alice"), "write", ("record", "record-2"));
        let asked = service.ask("/domains/records/access/v1/evaluation", &write);
        asked.await.ok()["decision"].clone()
    };
    assert_eq!(decision().await, json!(false));
    folder.write("records", "wider.cedar", WIDER);
    let of_records = |ready: &Value| ready["domains"]["records"]["refused"].clone();
    let held = until(&service, |ready| of_records(ready).is_string()).await;
    let told = of_records(&held).as_str().expect("a text").to_owned();
    let hint = told
        .split("charter policy approve ")
        .nth(1)
        .expect("a hint");
    let digest = hint.split(' ').next().expect("a digest");
    assert!(hint.contains("--domain records"), "{told}");
    assert_eq!(decision().await, json!(false));
    let config = service.directory().join("settings.toml");
    fs::write(&config, service.settings()).expect("a file");
    let approve = |domain: &str| {
        let command = ["policy", "approve", digest, "--domain", domain];
        Command::new(env!("CARGO_BIN_EXE_charter"))
            .args(command)
            .args(["--reason", "a test", "--by", "alice", "--config"])
            .arg(&config)
            .output()
            .expect("a command")
    };
    // It is the folder of no other domain.
    assert_eq!(approve("todo").status.code(), Some(1));
    let approved = approve("records");
    let told = String::from_utf8_lossy(&approved.stderr);
    assert!(approved.status.success(), "{told}");
    let shown = String::from_utf8_lossy(&approved.stdout);
    assert!(shown.contains("wider"), "{shown}");
    until(&service, |ready| of_records(ready).is_null()).await;
    assert_eq!(decision().await, json!(true));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_declarations_entities_and_routes_wait_until_they_are_approved() {
    if solver().is_none() {
        return;
    }
    let folder = Folder::with(&["records", "gateway"]);
    let policies = format!(
        "dir = \"{}\"\ncheck_timeout = \"100s\"\ntests = \"off\"\nproofs = \"off\"\nwidening = \"approved\"\n\
         [access]\ntokens = [\"gateway:{TOKEN}\"]\n",
        folder.path().display()
    );
    let service = Service::with_policies(TestDatabase::sqlite(), &policies).await;
    let refused = async |domain: &str| {
        let told = until(&service, |ready| {
            ready["domains"][domain]["refused"].is_string()
        })
        .await;
        told["domains"][domain]["refused"]
            .as_str()
            .expect("a text")
            .to_owned()
    };
    let entities = fs::read_to_string(folder.domain("records").join("entities.json"));
    let entities = entities.expect("a file");
    let promoted = entities.replace(
        "\"role\": \"admin\" }, \"parents\": [{ \"type\": \"group\", \"id\": \"readers\" }]",
        "\"role\": \"admin\" }, \"parents\": [{ \"type\": \"group\", \"id\": \"writers\" }]",
    );
    assert_ne!(entities, promoted);
    folder.write("records", "entities.json", &promoted);
    let told = refused("records").await;
    assert!(told.contains("changed user::\"bob\""), "{told}");
    assert!(told.contains("--domain records"), "{told}");
    // What it said before is in force, however it is written.
    folder.write("records", "entities.json", &entities.replace("[{", "[ {"));
    until(&service, |ready| {
        ready["domains"]["records"]["refused"].is_null()
    })
    .await;

    // Whoever asks would choose what its questions say of it.
    let schema = folder.domain("records").join("schema.cedarschema");
    let schema = fs::read_to_string(schema).expect("a file");
    let more = schema.replace(
        "String,\n};\n\nentity record",
        "String,\n  vip?: Bool,\n};\n\nentity record",
    );
    assert_ne!(schema, more);
    folder.write("records", "schema.cedarschema", &more);
    let told = refused("records").await;
    assert!(told.contains("new user.vip"), "{told}");
    folder.write(
        "records",
        "schema.cedarschema",
        &format!("// As before.\n{schema}"),
    );
    until(&service, |ready| {
        ready["domains"]["records"]["refused"].is_null()
    })
    .await;

    let routes = fs::read_to_string(folder.domain("gateway").join("routes.toml"));
    let more = routes.expect("a file")
        + "\"GET /more/{id}\" = { action = \"billing:ReadInvoice\", resource = 'Invoice::\"{id}\"' }\n";
    folder.write("gateway", "routes.toml", &more);
    let told = refused("gateway").await;
    assert!(told.contains("new GET /more/{id}"), "{told}");

    let before = service.directory().join("before/domains/records");
    fs::create_dir_all(before.parent().expect("a parent")).expect("made");
    let copied = Command::new("cp")
        .arg("-r")
        .arg(folder.domain("records"))
        .arg(&before)
        .status();
    assert!(copied.expect("copied").success());
    folder.write("records", "entities.json", &promoted);
    let diff = Command::new(env!("CARGO_BIN_EXE_charter"))
        .args(["policy", "diff"])
        .args([&before, &folder.domain("records")])
        .output();
    let diff = diff.expect("a command");
    let shown = String::from_utf8_lossy(&diff.stdout);
    assert_eq!(diff.status.code(), Some(3), "{shown}");
    assert!(shown.contains("changed user::\"bob\""), "{shown}");
    service.stop().await;
}

/// What is approved of one is approved of no other, whatever its files.
#[test]
fn equal_files_of_two_domains_are_two_folders() {
    let folder = Folder::with(&["records"]);
    let (one, other) = (folder.domain("records"), folder.domain("other"));
    let read = |dir: &std::path::Path| AuthzFolder::read(dir).expect("a folder");
    let records = read(&one);
    fs::rename(&one, &other).expect("renamed");
    let other = read(&other);
    assert_eq!(records.digest(), other.digest());
    assert_ne!(records.whole_digest(), other.whole_digest());
}
