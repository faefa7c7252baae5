//! Page tokens belong to a question, however it is written.

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::service::TeamRole;
use test_support::services::TestDatabase;

use super::search::{ACTION, RESOURCE, SUBJECT};
use super::{Asks, ids, question, raw, service};

/// The same JSON with the members of every object the other way round.
fn turned(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members = members.iter().rev();
            let members = members.map(|(name, it)| format!("{}:{}", json!(name), turned(it)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(turned).collect();
            format!("[{}]", items.join(","))
        }
        other => other.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_token_is_good_whatever_the_order_of_members() {
    let service = service(TestDatabase::sqlite()).await;
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    for _ in 0..2 {
        acme.signer(&[Permission::GetOrganization]).await;
    }
    let organization = acme.organization.id.to_string();
    let context = json!({"b": {"d": 1, "c": [{"f": 2, "e": 3}]}, "a": 4});
    for (path, search) in [
        (
            SUBJECT,
            question(
                ("ServiceAccount", ""),
                "organizations:GetOrganization",
                ("Organization", &organization),
            ),
        ),
        (
            RESOURCE,
            question(
                ("User", &owner.id),
                "service-accounts:GetServiceAccount",
                ("ServiceAccount", ""),
            ),
        ),
        (
            ACTION,
            question(("User", &owner.id), "", ("Organization", &organization)),
        ),
    ] {
        let mut search = search;
        search["context"] = context.clone();
        search["subject"]["properties"] = context.clone();
        search["page"] = json!({"limit": 1, "properties": context});
        let first = service.ask(path, &search).await;
        assert_eq!(ids(&first).len(), 1);
        search["page"]["token"] = first.ok()["page"]["next_token"].clone();
        let next = raw(&service, path, "application/json", &turned(&search)).await;
        assert_eq!(ids(&next).len(), 1, "{path}");
        // Another order of items is another question.
        search["context"]["b"]["c"] = json!([7]);
        let other = service.ask(path, &search).await;
        other.assert_refused(400, "BAD_PARAMETER");
    }
    service.stop().await;
}
