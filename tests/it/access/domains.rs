//! Domains of one's own: deaf to what a request may not say, and to one another.

use std::fs;
use std::path::PathBuf;

use charter_domain::id::{ServiceAccountId, UserId};
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::policy_world::{copy, shipped};
use test_support::polling::found;
use test_support::service::{Grants, Persona, Service, TeamRole};
use test_support::services::TestDatabase;

use super::interop_domains::id_of;
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

    /// Nothing says any more what the domain's policies must do.
    pub(crate) fn without_rules(self, domain: &str) -> Self {
        for rules in ["invariants", "tests"] {
            fs::remove_dir_all(self.domain(domain).join(rules)).expect("removed");
        }
        self
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

pub(super) fn example(name: &str) -> PathBuf {
    test_support::repository()
        .join("examples/domains")
        .join(name)
}

pub(crate) async fn started(database: TestDatabase, folder: &Folder) -> Service {
    let access = format!("[access]\ntokens = [\"gateway:{TOKEN}\"]\n");
    Service::with_folder(database, &folder.path(), &access).await
}

pub(super) fn path(domain: &str, endpoint: &str) -> String {
    format!("/domains/{domain}/access/v1/{endpoint}")
}

pub(super) fn question(subject: Value, action: Value, resource: Value) -> Value {
    json!({"subject": subject, "action": action, "resource": resource})
}

pub(super) async fn ready(service: &Service) -> Value {
    service.operator_side().get("/readyz").await.json()
}

/// Waits until readiness says so.
pub(crate) async fn until(service: &Service, is_so: impl Fn(&Value) -> bool) -> Value {
    found("readiness says so", async || {
        Some(ready(service).await).filter(|ready| is_so(ready))
    })
    .await
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
        (id_of("morty"), "morty@the-citadel.com", true),
        (id_of("morty"), "rick@the-citadel.com", false),
        (id_of("rick"), "morty@the-citadel.com", true),
        (id_of("beth"), "beth@the-smiths.com", false),
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
async fn records_of_the_store_are_known_by_both_forms_of_their_ids() {
    let folder = Folder::with(&["gateway"]);
    let service = started(TestDatabase::sqlite(), &folder).await;
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let reader = acme.signer_with(Grants {
        roles: &["member"],
        ..Grants::default()
    });
    let reader = reader.await;
    let user = UserId::parse_uuid(&owner.id).expect("a UUID");
    let program: ServiceAccountId = reader.id.parse().expect("an id");
    let action = json!({"name": "billing:ListInvoices"});
    let invoices = json!({"type": "Service", "id": "billing"});
    for (of, spellings) in [
        (
            "User",
            [user.to_string(), owner.id.clone(), owner.id.to_uppercase()],
        ),
        (
            "ServiceAccount",
            [
                program.to_string(),
                program.uuid().to_string(),
                program.uuid().to_string().to_uppercase(),
            ],
        ),
    ] {
        for id in spellings {
            let subject = json!({"type": format!("Charter::{of}"), "id": id});
            let asked = question(subject, action.clone(), invoices.clone());
            let one = service.ask(&path("gateway", "evaluation"), &asked).await;
            assert_eq!(one.ok(), json!({"decision": true}), "{asked}");
            let batch = json!({"evaluations": [asked]});
            let many = service.ask(&path("gateway", "evaluations"), &batch).await;
            assert_eq!(many.ok()["evaluations"], json!([{"decision": true}]));
            let found = service.ask(&path("gateway", "search/action"), &asked).await;
            assert!(ids(&found).contains(&"billing:ListInvoices".to_owned()));
            let found = service
                .ask(&path("gateway", "search/resource"), &asked)
                .await;
            assert_eq!(ids(&found), ["billing"], "{asked}");
            // The built-in domain reads them the same way.
            let built_in = question(
                json!({"type": of, "id": id}),
                json!({"name": "organizations:GetOrganization"}),
                json!({"type": "Organization", "id": acme.organization.id.uuid().to_string()}),
            );
            let known = service.ask("/access/v1/search/action", &built_in).await;
            assert!(!ids(&known).is_empty(), "{built_in}");
        }
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_property_is_refused_with_its_rule_in_plain_words() {
    let folder = Folder::with(&["records"]);
    let schema = fs::read_to_string(folder.domain("records").join("schema.cedarschema"));
    let schema = schema.expect("a schema").replace(
        "\"role\"?: String,",
        "\"role\"?: String, \"age\"?: Long, \"score\"?: decimal, \"from\"?: ipaddr, \"tags\"?: Set<String>, \"home\"?: {\"floor\": Long}, \"boss\"?: user,",
    );
    folder.write("records", "schema.cedarschema", &schema);
    let service = started(TestDatabase::sqlite(), &folder).await;
    let whole = format!("must be a whole number from {} to {}", i64::MIN, i64::MAX);
    let decimal = "must be a decimal number as a string, such as `\"1.5\"`";
    let address = "must be an IP address or network as a string, such as `\"192.0.2.7\"`";
    for (name, value, place, rule) in [
        ("age", json!(3.5), "", whole.as_str()),
        ("age", json!(3.0), "", &whole),
        ("age", json!(9_223_372_036_854_775_808_u64), "", &whole),
        ("age", json!("3"), "", &whole),
        ("score", json!(1.5), "", decimal),
        ("score", json!("much"), "", decimal),
        ("from", json!("nowhere"), "", address),
        ("from", json!(7), "", address),
        ("tags", json!(["a", 7]), "/1", "must be a string"),
        ("home", json!({"floor": 1.5}), "/floor", &whole),
        ("home", json!({}), "/floor", "is missing"),
        (
            "boss",
            json!("bob"),
            "",
            "must be an entity, `{\"type\": \"user\", \"id\": …}`",
        ),
    ] {
        let asked = question(
            json!({"type": "user", "id": "mallory", "properties": {name: value}}),
            json!({"name": "write"}),
            json!({"type": "record", "id": "record-1"}),
        );
        let field = format!("/subject/properties/{name}{place}");
        let refused = service.ask(&path("records", "evaluation"), &asked).await;
        let details = refused.json()["error"]["details"].clone();
        assert_eq!(
            details,
            json!([{"field": field, "message": rule}]),
            "{asked}"
        );
        let batch = json!({"evaluations": [asked]});
        let answer = service.ask(&path("records", "evaluations"), &batch).await;
        let reason = answer.ok()["evaluations"][0]["context"]["reason"].clone();
        let expected = format!("some values break a rule; `{field}` {rule}");
        assert_eq!(reason, json!(expected));
    }
    service.stop().await;
}
