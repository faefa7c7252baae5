//! Folders of domains of one's own: each is followed by itself, and what is wrong with it is told.

use std::fs;

use charter_authz::custom_domain::CustomDomain;
use charter_authz::folder;
use serde_json::json;
use test_support::policy_world::copy;
use test_support::services::TestDatabase;

use super::Asks;
use super::domains::{Folder, example, path, question, ready, started, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_domain_is_followed_by_itself() {
    let folder = Folder::with(&["records", "todo"]);
    folder.write("todo", "todo.cedar", "this is no policy");
    let service = started(TestDatabase::sqlite(), &folder).await;
    let reads = question(
        json!({"type": "user", "id": "alice"}),
        json!({"name": "read"}),
        json!({"type": "record", "id": "record-1"}),
    );
    let decision = async || {
        service
            .ask(&path("records", "evaluation"), &reads)
            .await
            .ok()["decision"]
            .clone()
    };
    let state = ready(&service).await;
    assert_eq!(state["status"], "degraded");
    assert_eq!(state["domains"]["todo"]["status"], "degraded");
    assert_eq!(state["domains"]["records"]["status"], "ok");
    assert_eq!(state["policies"]["status"], "ok");
    assert_eq!(decision().await, json!(true));
    let broken = service.ask(&path("todo", "evaluation"), &reads).await;
    broken.assert_refused(503, "UNAVAILABLE");
    // Mended.
    copy(&example("todo"), &folder.domain("todo"));
    let state = until(&service, |ready| ready["domains"]["todo"]["status"] == "ok").await;
    assert_eq!(state["status"], "ok");
    // An edit that its examples contradict is refused; what was in force stays so.
    let policies =
        fs::read_to_string(folder.domain("records").join("records.cedar")).expect("read");
    let digest = state["domains"]["records"]["digest"].clone();
    folder.write(
        "records",
        "records.cedar",
        &policies.replace("group::\"readers\"", "group::\"writers\""),
    );
    let state = until(&service, |ready| {
        ready["domains"]["records"]["status"] != "ok"
    })
    .await;
    assert_eq!(state["domains"]["records"]["digest"], digest);
    let reason = state["domains"]["records"]["refused"]
        .as_str()
        .expect("a reason");
    assert!(reason.contains("a reader reads"), "{reason}");
    assert_eq!(decision().await, json!(true));
    folder.write("records", "records.cedar", &policies);
    until(&service, |ready| {
        ready["domains"]["records"]["status"] == "ok"
    })
    .await;
    // An entity is taken away.
    let entities =
        fs::read_to_string(folder.domain("records").join("entities.json")).expect("read");
    let line = entities
        .lines()
        .find(|line| line.contains("alice"))
        .expect("a line");
    folder.write(
        "records",
        "entities.json",
        &entities.replace(&format!("{line}\n"), ""),
    );
    until(&service, |ready| {
        let now = &ready["domains"]["records"]["digest"];
        *now != digest && now.is_string()
    })
    .await;
    assert_eq!(decision().await, json!(false));
    // The domain itself goes.
    fs::remove_dir_all(folder.domain("records")).expect("removed");
    until(&service, |ready| ready["domains"].get("records").is_none()).await;
    let gone = service.ask(&path("records", "evaluation"), &reads).await;
    gone.assert_refused(404, "NOT_FOUND");
    service.stop().await;
}

#[test]
fn faults_of_a_folder_are_reported_with_their_place() {
    let load = |name: &str, text: &str| -> String {
        let folder = Folder::with(&["records", "gateway"]);
        let domain = if name == "routes.toml" {
            "gateway"
        } else {
            "records"
        };
        folder.write(domain, name, text);
        let read = folder::Folder::read(&folder.domain(domain)).expect("readable");
        match CustomDomain::from_folder(&read) {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.report(),
        }
    };
    let group = |id: &str, parent: &str| {
        format!(
            "{{ \"uid\": {{ \"type\": \"group\", \"id\": \"{id}\" }}, \"attrs\": {{}}, \"parents\": [{{ \"type\": \
             \"group\", \"id\": \"{parent}\" }}] }}"
        )
    };
    let circle = format!(
        "[\n{},\n{},\n{}\n]",
        group("a", "b"),
        group("b", "c"),
        group("c", "a")
    );
    let report = load("entities.json", &circle);
    assert!(report.contains("entities.json:2:1"), "{report}");
    assert!(
        report.contains("a circle of parents: `group::\"a\"` in `group::\"b\"`"),
        "{report}"
    );
    for (text, told, place) in [
        (format!("[\n{}\n]", group("a", "a")), "a circle of parents", ":2:1"),
        (format!("[\n{}\n]", group("a", "z")), "which the file does not have", ":2:1"),
        ("[\n{ \"uid\": { \"type\": \"record\", \"id\": \"1\" }, \"attrs\": {}, \"parents\": [] }\n]".to_owned(), "status", ":2:1"),
        ("[\n{ \"uid\": { \"type\": \"user\", \"id\": \"1\" }, \"attrs\": { \"role\": 1 }, \"parents\": [] }\n]".to_owned(), "role", ":2:1"),
        ("[\n{ \"uid\": { \"type\": \"ship\", \"id\": \"1\" }, \"attrs\": {}, \"parents\": [] }\n]".to_owned(), "ship", ":2:1"),
        ("{}".to_owned(), "not a JSON array", ":1:"),
        ("[\n{ \"uid\": { \"type\": \"user\", \"id\": \"1\" }, \"attrs\": {}, \"attrs\": {}, \"parents\": [] }\n]".to_owned(), "attrs", ":2:1"),
    ] {
        let report = load("entities.json", &text);
        assert!(report.contains(told), "{report}");
        assert!(report.contains(&format!("entities.json{place}")), "{report}");
    }
    for (text, told) in [
        (
            "[routes]\n\"GET /a\" = { action = \"billing:Fly\", resource = 'Service::\"billing\"' }",
            "there is no action `billing:Fly`",
        ),
        (
            "[routes]\n\"GET /a\" = { action = \"billing:ListInvoices\", resource = 'Ship::\"x\"' }",
            "no entity type `Ship`",
        ),
        (
            "[routes]\n\"GET /a\" = { action = \"billing:ReadInvoice\", resource = 'Invoice::\"{id}\"' }",
            "the path has no `{id}`",
        ),
        (
            "[routes]\n\"get /a\" = { action = \"billing:ListInvoices\", resource = 'Service::\"billing\"' }",
            "not a method in capitals",
        ),
        (
            "[routes]\n\"GET /a/\" = { action = \"billing:ListInvoices\", resource = 'Service::\"billing\"' }",
            "no segment of a path",
        ),
        (
            "[routes]\n\"GET /a%2Fb\" = { action = \"billing:ListInvoices\", resource = 'Service::\"billing\"' }",
            "no segment of a path",
        ),
        (
            "[routes]\n\"GET /a/{id}\" = { action = \"billing:ReadInvoice\", resource = 'Invoice::\"{id}\"' }\n\
             \"GET /a/new\" = { action = \"billing:ListInvoices\", resource = 'Service::\"billing\"' }",
            "another route matches, too",
        ),
        (
            "[routes]\n\"GET /a\" = { action = \"billing:ListInvoices\", resource = 'Service::\"billing\"', more = 1 }",
            "unknown field",
        ),
        ("[rutes]\n", "unknown field"),
    ] {
        let report = load("routes.toml", text);
        assert!(report.contains(told), "{report}");
        assert!(report.contains("routes.toml:"), "{report}");
    }
    assert_eq!(load("entities.json", "[]"), "ok");
}

#[test]
fn a_domain_may_be_linked_within_the_policy_folder_and_not_out_of_it() {
    use std::os::unix::fs::symlink;

    let (folder, elsewhere) = (Folder::with(&["records"]), Folder::with(&["todo"]));
    let is_read = |dir: &std::path::Path| charter_authz::folder::Folder::read(dir);
    // The same name below some other `domains`.
    symlink(elsewhere.domain("todo"), folder.domain("todo")).expect("a link");
    let error = is_read(&folder.domain("todo")).expect_err("a link out");
    assert!(error.report().contains("is a link, to"), "{error}");
    std::fs::remove_file(folder.domain("todo")).expect("removed");
    // A link to the policy folder is none out of it, nor is one of a mounted folder to its data.
    let (domains, data) = (folder.path().join("domains"), folder.path().join("..data"));
    std::fs::create_dir(&data).expect("a directory");
    std::fs::rename(&domains, data.join("domains")).expect("moved");
    symlink("..data/domains", &domains).expect("a link");
    is_read(&folder.domain("records")).expect("a domain");
    let links = tempfile::tempdir().expect("a directory");
    let linked = links.path().join("current");
    symlink(folder.path(), &linked).expect("a link");
    is_read(&linked.join("domains/records")).expect("a domain");
    // All domains elsewhere.
    std::fs::remove_file(&domains).expect("removed");
    symlink(elsewhere.path().join("domains"), &domains).expect("a link");
    let error = is_read(&folder.domain("todo")).expect_err("a link out");
    assert!(error.report().contains("is a link, to"), "{error}");
    let error = is_read(&folder.domain("gone")).expect_err("no folder");
    let report = error.report();
    assert!(report.contains("put the domain's folder back") && !report.contains("policies.dir"));
}
