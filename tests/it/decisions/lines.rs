//! What a line says.

use std::time::Duration;

use charter_decision_log::{DecisionLookup as _, LogDirectory};
use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{Persona, Service};
use test_support::services::TestDatabase;

use super::stand_alone::Bench;
use super::{Logged as _, WAIT_TIMEOUT, files};

const INFO: &str = "/organizations/info";

on_both_services!(
    an_allowed_request_is_a_line,
    a_denial_names_its_line,
    every_question_of_a_request_is_a_line,
);

/// The entity of that type in a record.
fn entity<'a>(record: &'a Value, of: &str) -> &'a Value {
    let entities = record["entities"].as_array().expect("entities");
    let mut found = entities.iter().filter(|it| it["uid"]["type"] == of);
    let entity = found.next().unwrap_or_else(|| panic!("no {of}: {record}"));
    assert!(found.next().is_none(), "{record}");
    entity
}

async fn an_allowed_request_is_a_line(service: &Service) {
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let answer = reader.get(INFO).header("x-request-id", "r-1").await;
    answer.ok();
    let logged = service.logged();
    let [record] = logged.as_slice() else {
        panic!("{logged:?}")
    };
    let organization = acme.organization.id.to_string();
    let now = record["at"].as_str().expect("a time");
    assert_eq!(record["request_id"], "r-1");
    assert_eq!(record["organization"], json!(organization));
    assert_eq!(
        record["policy_digest"],
        json!(**service.state().engine.snapshot().digest())
    );
    assert_eq!(
        record["principal"],
        json!({"type": "ServiceAccount", "id": reader.id})
    );
    assert_eq!(
        record["action"],
        json!({"type": "Action", "id": "organizations:GetOrganization"})
    );
    assert_eq!(
        record["resource"],
        json!({"type": "Organization", "id": organization})
    );
    assert_eq!(
        record["context"]["source_ip"],
        json!({"__extn": {"fn": "ip", "arg": "127.0.0.1"}})
    );
    assert_eq!(
        record["context"]["authentication"]["__entity"],
        json!({"type": "AuthenticationMethod", "id": "signed-request"})
    );
    assert!(
        record["context"]["now"].to_string().contains("datetime"),
        "{record}"
    );
    assert!(now.ends_with('Z') && now.len() == 24, "{now}");
    assert_eq!(record["entities"].as_array().map(Vec::len), Some(3));
    assert_eq!(entity(record, "Organization")["attrs"]["is_active"], true);
    let parents = entity(record, "ServiceAccount")["parents"].to_string();
    assert!(
        parents.contains("organizations:GetOrganization"),
        "{parents}"
    );
    assert_eq!(record["decision"], "allow");
    assert_eq!(record["reason"], Value::Null);
    assert_eq!(
        record["determining"],
        json!(["organizations:GetOrganization"])
    );
    assert_eq!(record["errors"], json!([]));
    assert_eq!(record["masked"], json!([]));
    assert!(record.get("shadow").is_none());
}

async fn a_denial_names_its_line(service: &Service) {
    let acme = service.organization("acme").await;
    let nobody = acme.signer(&[]).await;
    let answer = nobody.get(INFO).await;
    answer.assert_refused(403, "NOT_PERMITTED");
    let id = answer.json()["error"]["decision_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert!(id.starts_with("dec-"), "{id}");
    let record = service.logged_as(&id);
    assert_eq!(record["decision"], "deny");
    assert_eq!(record["reason"], "not_permitted");
    assert_eq!(record["determining"], json!([]));
    // Nothing of the policies is told to who was refused.
    assert_eq!(
        answer.json()["error"]["message"],
        "no policy permits `organizations:GetOrganization` here"
    );
}

async fn every_question_of_a_request_is_a_line(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let body = json!({"name": "x", "permissions": ["accounts:GetAccount", "team:ListMembers"]});
    let answer = manager.post("/service-accounts", body).await;
    answer.assert_refused(403, "NOT_PERMITTED");
    let logged = service.logged();
    let told: Vec<_> = logged
        .iter()
        .map(|it| {
            let text = |of: &Value| of.as_str().expect("text").to_owned();
            (
                text(&it["action"]["id"]),
                text(&it["resource"]["type"]),
                text(&it["decision"]),
            )
        })
        .collect();
    let row = |action: &str, resource: &str, decision: &str| {
        (action.to_owned(), resource.to_owned(), decision.to_owned())
    };
    assert_eq!(
        told,
        [
            row("service-accounts:CreateServiceAccount", "Account", "allow"),
            row("service-accounts:GrantPermission", "Permission", "allow"),
            row("service-accounts:GrantPermission", "Permission", "deny"),
        ]
    );
    assert_eq!(answer.json()["error"]["decision_id"], logged[2]["id"]);
    assert_eq!(logged[0]["request_id"], logged[2]["request_id"]);
}

#[test]
fn a_decision_is_found_whenever_it_was_written() {
    let mut bench = Bench::new();
    bench.limits.rotate_bytes = 1_000;
    bench.limits.keep_for = Duration::from_hours(10_000);
    bench.clock.advance(10 * 86_400);
    let log = bench.open();
    let reader = bench.acme.program(&[], &["organizations:GetOrganization"]);
    let decide = || {
        let decided = bench.decide(&log, &reader, Permission::GetOrganization);
        assert!(log.recorder().flush(WAIT_TIMEOUT));
        decided.expect("on record").id
    };
    let mut ids = Vec::new();
    for step in 0..12 {
        ids.push(decide());
        // Hours on, and every third time a day back.
        bench.clock.set_back(if step % 3 == 2 { 86_400 } else { 0 });
        bench.clock.advance(7_200);
    }
    assert!(files(&bench.dir()).len() > 5);
    for id in ids {
        let found = log.recorder().find(id).expect("readable");
        assert_eq!(found.expect("it is there").id, id.to_string());
    }
    log.close();
    bench.assert_intact();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evaluations_of_other_services_are_logged() {
    let token = "0123456789abcdef0123456789abcdef";
    let setting = format!("ops_token = \"{token}\"");
    let service = Service::with_server(TestDatabase::sqlite(), &setting).await;
    let acme = service.organization("acme").await;
    let normalizer = acme.signer(&[Permission::Normalize]).await;
    let organization = acme.organization.id.to_string();
    let question = json!({
        "subject": {"type": "ServiceAccount", "id": normalizer.id},
        "action": {"name": "normalization:Normalize"},
        "resource": {"type": "Organization", "id": organization},
    });
    let asked = service
        .operator_side()
        .post("/access/v1/evaluation", question)
        .header("authorization", &format!("Bearer {token}"))
        .await;
    assert_eq!(asked.ok(), json!({"decision": true}));
    let logged = service.logged();
    assert_eq!(logged.len(), 1);
    assert_eq!(logged[0]["principal"]["id"], json!(normalizer.id));
    assert_eq!(logged[0]["decision"], "allow");
    // It is not taken for something that was done.
    assert_eq!(logged[0]["via"], "evaluation");
    let id = logged[0]["id"].as_str().expect("an id");
    let auditor = acme.signer(&[Permission::GetDecision]).await;
    let shown = auditor.get(&format!("/decisions/{id}")).await.ok();
    assert_eq!(shown["via"], "evaluation");
    let own = service.logged().pop().expect("the auditor's own question");
    assert!(own.get("via").is_none(), "{own}");
    service.stop().await;
}

/// The most memory that this process has had, in KiB.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the process's state");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number.and_then(|it| it.parse().ok()).expect("a number")
}

#[test]
fn a_search_takes_little_memory_whatever_the_files_hold() {
    let (bench, other) = (Bench::new(), Bench::new());
    let (log, others) = (bench.open(), other.open());
    bench.fill(&log, 1);
    log.close();
    let reader = other.acme.program(&[], &[]);
    let decided = other.decide(&others, &reader, Permission::GetOrganization);
    let id = decided.expect("on record").id;
    let newest = files(&bench.dir()).remove(0);
    let file = std::fs::OpenOptions::new().write(true).open(newest);
    let before = most_memory();
    // A line of zeros that take no room on the disk.
    file.expect("a file").set_len(512 << 20).expect("longer");
    assert!(log.recorder().find(id).expect("readable").is_none());
    let elsewhere = LogDirectory::new(bench.dir()).find(id);
    assert!(elsewhere.expect("readable").is_none());
    let taken = most_memory() - before;
    assert!(taken < 64 << 10, "{taken} KiB");
}
