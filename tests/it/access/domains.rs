//! Domains of one's own: loaded by themselves, followed, and deaf to what a request may not say.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::policy_world::{copy, shipped};
use test_support::service::{Persona, Service};
use test_support::services::TestDatabase;

use super::{Asks, TOKEN, ids};

/// A copy of the shipped policies, with some of the examples as domains.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn with(domains: &[&str]) -> Self {
        let folder = Self(tempfile::tempdir().expect("a directory"));
        copy(&shipped(), &folder.path());
        for name in domains {
            copy(&example(name), &folder.domain(name));
        }
        folder
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("policies")
    }

    pub(crate) fn domain(&self, name: &str) -> PathBuf {
        self.path().join("domains").join(name)
    }

    pub(crate) fn write(&self, domain: &str, name: &str, text: &str) {
        fs::write(self.domain(domain).join(name), text).expect("written");
    }
}

fn example(name: &str) -> PathBuf {
    test_support::repository()
        .join("examples/domains")
        .join(name)
}

pub(crate) async fn started(database: TestDatabase, folder: &Folder) -> Service {
    let access = format!("[access]\ntokens = [\"gateway:{TOKEN}\"]\n");
    Service::with_folder(database, &folder.path(), &access).await
}

fn path(domain: &str, endpoint: &str) -> String {
    format!("/domains/{domain}/access/v1/{endpoint}")
}

fn question(subject: Value, action: Value, resource: Value) -> Value {
    json!({"subject": subject, "action": action, "resource": resource})
}

async fn ready(service: &Service) -> Value {
    service.operator_side().get("/readyz").await.json()
}

/// Waits until readiness says so.
pub(crate) async fn until(service: &Service, is_so: impl Fn(&Value) -> bool) -> Value {
    loop {
        let ready = ready(service).await;
        if is_so(&ready) {
            return ready;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn properties_fill_what_the_schema_declares_and_the_file_stands_over_them() {
    let folder = Folder::with(&["records"]);
    let service = started(TestDatabase::sqlite(), &folder).await;
    let evaluation = path("records", "evaluation");
    let write =
        |subject: Value, resource: Value| question(subject, json!({"name": "write"}), resource);
    let user =
        |id: &str, properties: Value| json!({"type": "user", "id": id, "properties": properties});
    let record =
        |id: &str, properties: Value| json!({"type": "record", "id": id, "properties": properties});
    for (asked, expected, why) in [
        (
            write(
                user("alice", json!({})),
                record("new", json!({"status": "active"})),
            ),
            true,
            "the request describes what the file does not know",
        ),
        (
            write(
                user("alice", json!({})),
                record("record-2", json!({"status": "active"})),
            ),
            false,
            "the file says that it is archived",
        ),
        (
            write(
                user("mallory", json!({"role": "admin"})),
                record("record-2", json!({})),
            ),
            true,
            "nobody else says what this user is",
        ),
        (
            write(
                user("bob", json!({"role": "nobody"})),
                record("record-2", json!({})),
            ),
            true,
            "the file says that this is an administrator",
        ),
        (
            write(user("alice", json!({})), record("new", json!({}))),
            false,
            "nobody says the status",
        ),
        (
            write(
                user("alice", json!({"more": [1, {"x": null}]})),
                record("record-1", json!({"size": 3})),
            ),
            true,
            "what is not declared is ignored",
        ),
    ] {
        let answer = service.ask(&evaluation, &asked).await;
        assert_eq!(answer.ok(), json!({"decision": expected}), "{why}: {asked}");
    }
    // An unknown group is no parent: nothing but the file says who is in one.
    let mut claims = write(
        user("eve", json!({"parents": ["writers"]})),
        record("record-1", json!({})),
    );
    claims["subject"]["parents"] = json!([{"type": "group", "id": "writers"}]);
    assert_eq!(
        service.ask(&evaluation, &claims).await.ok(),
        json!({"decision": false})
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_property_of_another_type_is_a_400_that_names_it() {
    let folder = Folder::with(&["records"]);
    let service = started(TestDatabase::sqlite(), &folder).await;
    let evaluation = path("records", "evaluation");
    let write =
        |subject: Value, resource: Value| question(subject, json!({"name": "write"}), resource);
    let user =
        |id: &str, properties: Value| json!({"type": "user", "id": id, "properties": properties});
    let record =
        |id: &str, properties: Value| json!({"type": "record", "id": id, "properties": properties});
    for (asked, field) in [
        (
            write(
                user("alice", json!({"role": 7})),
                record("record-1", json!({})),
            ),
            "/subject/properties/role",
        ),
        (
            write(
                user("alice", json!({})),
                record("new", json!({"status": ["active"]})),
            ),
            "/resource/properties/status",
        ),
        // Null is a value, and of no attribute's type.
        (
            write(
                user("mallory", json!({"role": null})),
                record("record-1", json!({})),
            ),
            "/subject/properties/role",
        ),
        (
            write(
                user("alice", json!({})),
                record("new", json!({"status": null})),
            ),
            "/resource/properties/status",
        ),
        (
            question(
                user("alice", json!({})),
                json!({"name": "delete", "properties": {"soft": null}}),
                record("record-1", json!({})),
            ),
            "/action/properties/soft",
        ),
        (
            question(
                user("alice", json!({})),
                json!({"name": "delete", "properties": {"soft": "yes"}}),
                record("record-1", json!({})),
            ),
            "/action/properties/soft",
        ),
    ] {
        let refused = service.ask(&evaluation, &asked).await;
        assert_eq!(refused.broken_on_portal(), [field], "{asked}");
        // In a batch it is that item's own matter.
        let batch = json!({"evaluations": [asked]});
        let answer = service
            .ask(&path("records", "evaluations"), &batch)
            .await
            .ok();
        let item = &answer["evaluations"][0];
        assert_eq!(item["decision"], json!(false));
        assert!(
            item["context"]["reason"]
                .as_str()
                .is_some_and(|it| it.contains(field)),
            "{answer}"
        );
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn domains_know_nothing_of_one_another() {
    let folder = Folder::with(&["records", "todo"]);
    let service = started(TestDatabase::sqlite(), &folder).await;
    // Owners and roles of the second domain; its people are nobody in the first one.
    let todo = path("todo", "evaluation");
    let update = |id: &str, owner: &str| {
        question(
            json!({"type": "user", "id": id}),
            json!({"name": "can_update_todo"}),
            json!({"type": "todo", "id": "1", "properties": {"ownerID": owner}}),
        )
    };
    for (id, owner, expected) in [
        ("morty", "morty@the-citadel.com", true),
        ("morty", "rick@the-citadel.com", false),
        ("rick", "morty@the-citadel.com", true),
        ("beth", "beth@the-smiths.com", false),
        ("alice", "", false),
    ] {
        let answer = service.ask(&todo, &update(id, owner)).await;
        assert_eq!(answer.ok(), json!({"decision": expected}), "{id} {owner}");
    }
    // A token of one domain's search is not one of another's.
    let mut search = question(
        json!({"type": "user"}),
        json!({"name": "read"}),
        json!({"type": "record", "id": "record-1"}),
    );
    search["page"] = json!({"limit": 1});
    let first = service
        .ask(&path("records", "search/subject"), &search)
        .await;
    assert_eq!(ids(&first), ["alice"]);
    search["page"]["token"] = first.ok()["page"]["next_token"].clone();
    let elsewhere = service.ask(&path("todo", "search/subject"), &search).await;
    assert_eq!(elsewhere.status, 400);
    for name in ["nothing", "..", "Records", "records%2F"] {
        let answer = service.ask(&path(name, "evaluation"), &search).await;
        assert!(
            [400, 404].contains(&answer.status),
            "{name}: {}",
            answer.status
        );
    }
    service.stop().await;
}

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
fn what_is_wrong_with_a_folder_is_told_with_its_place() {
    use charter_authz::folder;
    use charter_authz::own_domain::OwnDomain;

    let load = |name: &str, text: &str| -> String {
        let folder = Folder::with(&["records", "gateway"]);
        let domain = if name == "routes.toml" {
            "gateway"
        } else {
            "records"
        };
        folder.write(domain, name, text);
        let read = folder::Folder::read(&folder.domain(domain)).expect("readable");
        match OwnDomain::from_folder(&read) {
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
