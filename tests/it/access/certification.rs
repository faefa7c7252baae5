//! The certification scenario of the Authorization API 1.0 (openid/authzen,
//! `certification/authorization-api-1_0-scenario.md`), case by case, with the domain `records`.

use serde_json::{Value, json};
use test_support::service::{Persona, Service};
use test_support::services::TestDatabase;

use super::certification_cases::{
    Case,
    Expected::{Decision, Decisions, Nothing, Results, Status},
    action, ask, basic, batch, record,
};
use super::certification_searches::searches;
use super::domains::{Folder, started};
use super::{Asks, TOKEN, ids};

const BASE: &str = "/domains/records/access/v1";

async fn check(service: &Service, case: &Case) {
    let number = case.number;
    let path = format!("{BASE}/{}", case.path);
    let answer = service.ask(&path, &case.sent).await;
    if let Status(status) = case.expected {
        assert_eq!(answer.status, status, "{number}: {}", answer.json());
        return;
    }
    assert_eq!(answer.status, 200, "{number}: {}", answer.json());
    let of = answer.header("content-type");
    assert!(
        of.is_some_and(|of| of.starts_with("application/json")),
        "{number}"
    );
    let body = answer.json();
    match &case.expected {
        Decision(expected) => assert_eq!(body, json!({"decision": expected}), "{number}"),
        Decisions(expected) => {
            let decisions = body["evaluations"].as_array().expect("an array");
            assert_eq!(decisions.len(), expected.len(), "{number}: {body}");
            for (decision, expected) in decisions.iter().zip(expected) {
                let decision = decision["decision"].as_bool();
                assert!(decision.is_some(), "{number}: {body}");
                assert!(
                    expected.is_none() || *expected == decision,
                    "{number}: {body}"
                );
            }
        }
        Results(of, included) => {
            let found = ids(&answer);
            for id in included {
                assert!(found.iter().any(|found| found == id), "{number}: {body}");
            }
            for result in body["results"].as_array().expect("an array") {
                assert_eq!(result.get("type").and_then(Value::as_str), *of, "{number}");
            }
        }
        Nothing => assert_eq!(body["results"], json!([]), "{number}"),
        Status(_) => {}
    }
    // 2.6: the same again.
    let again = service.ask(&path, &case.sent).await;
    assert_eq!(again.json(), body, "{number}, again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_of_the_scenario() {
    let folder = Folder::with(&["records"]);
    let service = started(TestDatabase::sqlite(), &folder).await;
    let cases: Vec<Case> = [basic(), batch(), searches()]
        .into_iter()
        .flatten()
        .collect();
    for case in &cases {
        check(&service, case).await;
    }
    let good = &cases[0].sent;
    let path = format!("{BASE}/evaluation");
    // 2.4.3 to 2.4.5.
    for (of, body) in [
        ("text/plain", good.to_string()),
        ("application/json", "{\"subject\":".to_owned()),
        ("application/json", String::new()),
    ] {
        let answer = super::raw(&service, &path, of, &body).await;
        assert_eq!(answer.status, 400, "{of}: {body}");
    }
    // 2.5.
    let echoed = service.ask(&path, good).header("x-request-id", "a-1/b:2");
    assert_eq!(echoed.await.header("x-request-id"), Some("a-1/b:2"));
    service.ask(&path, good).await.ok();
    // 4.5.
    let search = format!("{BASE}/search/subject");
    let mut question = ask(json!({"type": "user"}), action("read"), record("record-1"));
    question["page"] = json!({"limit": 1});
    let first = service.ask(&search, &question).await;
    assert_eq!(ids(&first), ["alice"]);
    let token = first.ok()["page"]["next_token"].clone();
    assert_ne!(token, json!(""));
    question["page"] = json!({"token": token});
    let second = service.ask(&search, &question).await;
    assert_eq!(ids(&second), ["bob"]);
    assert!(second.ok()["page"]["next_token"].is_string());
    // 6.
    let metadata = service
        .operator_side()
        .get("/.well-known/authzen-configuration/domains/records")
        .header("authorization", &format!("Bearer {TOKEN}"))
        .await
        .ok();
    let base = format!(
        "http://{}/domains/records",
        service.operator_side().address()
    );
    assert_eq!(metadata["policy_decision_point"], json!(base));
    let endpoint = format!("{base}/access/v1/evaluation");
    assert_eq!(metadata["access_evaluation_endpoint"], json!(endpoint));
    service.stop().await;
}
