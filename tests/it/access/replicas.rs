//! What a replica has in memory for decisions is not used once another replica has changed it.

use std::cmp::Reverse;
use std::fs;

use charter_domain::id::DecisionId;
use serde_json::{Value, json};
use test_support::cluster::{Cluster, send, stop};
use test_support::process::Charter;
use test_support::service::Persona as _;

use super::domains::Folder;
use super::{Asks as _, EVALUATION, EVALUATIONS, TOKEN, question};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domains_denials_are_listed_and_explained_at_every_replica() {
    let folder = Folder::with(&["records"]);
    let path = folder.path().display().to_string();
    let tokens = format!("gateway:{TOKEN}");
    let operator = "of-operators-0123456789abcdef0123456789";
    let settings = [
        ("POLICIES__DIR", &*path),
        ("POLICIES__TESTS", "off"),
        ("ACCESS__TOKENS", &tokens),
        ("SERVER__OPS_TOKEN", operator),
    ];
    let Some(cluster) = Cluster::with_settings(&settings).await else {
        return;
    };
    let charters = cluster.serve();
    let of_operators = format!("Bearer {operator}");
    let get = async |of: &Charter, target: &str| {
        let answer = of.side().get(target);
        answer.header("authorization", &of_operators).await
    };
    // Denials of both domains at both replicas, taking turns.
    let write = question(("user", "alice"), "write", ("record", "record-2"));
    let built_in = question(
        ("ServiceAccount", &cluster.issue("guest", &[]).1),
        "organizations:GetOrganization",
        ("Organization", &organization(&charters[0], &cluster).await),
    );
    let (auditor, _) = cluster.issue("auditor", &["decisions:GetDecision"]);
    let mut expected = Vec::new();
    for round in 0..6 {
        let by = &charters[round % 2];
        for (path, asked) in [
            ("/domains/records/access/v1/evaluations", &write),
            (EVALUATIONS, &built_in),
        ] {
            let asked = json!({"evaluations": [asked], "options": {"explain": true}});
            let answer = by.ask(path, &asked).await.ok();
            let context = &answer["evaluations"][0]["context"];
            let id = context["decision_id"].as_str().expect("an id");
            expected.push(id.to_owned());
        }
    }
    expected.sort();
    let made_at = |id: &String| {
        let id: DecisionId = id.parse().expect("an id");
        Reverse(id.made_at_millis())
    };
    let list = async |of: &Charter, query: &str| {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let target = format!("/decisions?outcome=deny&limit=2{query}{cursor}");
            let page = get(of, &target).await.ok();
            let results = page["results"].as_array().expect("a list");
            let id = |it: &Value| it["id"].as_str().expect("an id").to_owned();
            all.extend(results.iter().map(id));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    };
    for of in &charters {
        while list(of, "").await.len() < expected.len() {}
        // Those of one millisecond have no order.
        let mut listed = list(of, "").await;
        assert!(listed.is_sorted_by_key(made_at), "{listed:?}");
        listed.sort();
        assert_eq!(listed, expected, "each once");
        let of_domain = list(of, "&domain=records").await;
        assert_eq!(of_domain.len(), 6);
        for id in &expected {
            let shown = get(of, &format!("/decisions/{id}")).await.ok();
            let is_of_domain = of_domain.contains(id);
            assert_eq!(shown["domain"] == "records", is_of_domain, "{shown}");
            assert_eq!(shown["organization"].is_null(), is_of_domain, "{shown}");
            assert!(!shown["explanation"].is_null(), "{shown}");
        }
        // No organization is shown what a domain decided.
        let asked = auditor.sign("GET", &format!("/decisions/{}", of_domain[0]), "");
        assert_eq!(send(of, &asked).await.status, 404);
    }
    stop(charters);
}

async fn organization<R>(of: &Charter, cluster: &Cluster<R>) -> String {
    let info = send(of, &cluster.read()).await.json();
    info["id"].as_str().expect("an id").to_owned()
}
