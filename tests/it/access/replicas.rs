//! What a replica has in memory for decisions is not used once another replica has changed it.

use std::fs;

use serde_json::{Value, json};
use test_support::cluster::{Cluster, send, stop};
use test_support::process::Charter;

use super::domains::Folder;
use super::{Asks as _, EVALUATION, TOKEN, question};

/// Allows who has this name.
const BY_NAME: &str = r#"@id("billing:by-name")
permit (principal is Charter::ServiceAccount, action, resource)
when { principal.name == "guest" };
"#;

async fn decision(of: &Charter, path: &str, question: &Value) -> Value {
    of.ask(path, question).await.ok()["decision"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_replica_changed_is_decided_anew() {
    let folder = Folder::with(&["gateway"]).without_rules("gateway");
    let schema = folder.domain("gateway").join("schema.cedarschema");
    let text = fs::read_to_string(schema).expect("a schema");
    let with_name = text.replacen("\"roles\":", "\"name\": String,\n    \"roles\":", 1);
    folder.write("gateway", "schema.cedarschema", &with_name);
    folder.write("gateway", "billing.cedar", BY_NAME);
    let path = folder.path().display().to_string();
    let tokens = format!("gateway:{TOKEN}");
    let settings = [
        ("POLICIES__DIR", &*path),
        ("POLICIES__TESTS", "off"),
        ("ACCESS__TOKENS", &tokens),
    ];
    let Some(cluster) = Cluster::with_settings(&settings).await else {
        return;
    };
    let (_, guest) = cluster.issue("guest", &["organizations:GetOrganization"]);
    // Nobody changes a service account that may do more than oneself.
    let permissions = [
        "organizations:GetOrganization",
        "service-accounts:UpdateServiceAccount",
    ];
    let (manager, _) = cluster.issue("manager", &permissions);
    let charters = cluster.serve();
    let info = send(&charters[0], &cluster.read()).await.json();
    let organization = info["id"].as_str().expect("an id");
    let built_in = question(
        ("ServiceAccount", &guest),
        "organizations:GetOrganization",
        ("Organization", organization),
    );
    let gateway = question(
        ("Charter::ServiceAccount", &guest),
        "billing:ListInvoices",
        ("Service", "billing"),
    );
    let of_gateway = "/domains/gateway/access/v1/evaluation";
    // Asked twice, so that the second answer is one from memory.
    for _ in 0..2 {
        for charter in &charters {
            assert_eq!(decision(charter, EVALUATION, &built_in).await, true);
            assert_eq!(decision(charter, of_gateway, &gateway).await, true);
        }
    }
    let change = async |by: &Charter, what: Value| {
        let target = format!("/service-accounts/{guest}");
        let changed = manager.sign("PATCH", &target, &what.to_string());
        assert_eq!(send(by, &changed).await.status, 200);
    };
    for (by, other) in [(0, 1), (1, 0)] {
        let [by, other] = [by, other].map(|number| &charters[number]);
        change(by, json!({"name": "renamed"})).await;
        assert_eq!(decision(by, of_gateway, &gateway).await, false);
        while decision(other, of_gateway, &gateway).await == true {}
        change(by, json!({"name": "guest"})).await;
        while decision(other, of_gateway, &gateway).await == false {}
        change(by, json!({"is_active": false})).await;
        assert_eq!(decision(by, EVALUATION, &built_in).await, false);
        while decision(other, EVALUATION, &built_in).await == true {}
        assert_eq!(decision(other, of_gateway, &gateway).await, false);
        change(by, json!({"is_active": true})).await;
        while decision(other, EVALUATION, &built_in).await == false {}
        while decision(other, of_gateway, &gateway).await == false {}
    }
    stop(charters);
}
