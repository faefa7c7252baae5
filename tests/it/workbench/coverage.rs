//! `GET /policies/coverage`.

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::service::Persona as _;
use test_support::services::TestDatabase;

use super::{get, shipped};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn examples_and_decisions_show_which_policies_work() {
    let service = shipped(TestDatabase::sqlite()).await;
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    for _ in 0..2 {
        reader.get("/organizations/info").await.ok();
    }
    assert!(
        service
            .state()
            .decisions
            .flush(std::time::Duration::from_mins(1))
    );
    let shown = get(&service, "/policies/coverage").await.ok();
    assert_eq!(
        shown["digest"],
        json!(**service.state().engine.snapshot().digest())
    );
    let examples = &shown["examples"];
    assert_eq!(
        (&examples["percent"], &examples["failures"]),
        (&json!(100), &json!([]))
    );
    let policies = examples["policies"].as_array().expect("policies");
    let owner = policies.iter().find(|it| it["policy"] == "roles.owner");
    let owner = owner.expect("there");
    assert_eq!(
        (&owner["decided"], &owner["file"]),
        (&json!(true), &json!("roles.cedar"))
    );
    assert!(owner["conditions"].is_array());
    let decided = &shown["decided"];
    assert_eq!(decided["is_complete"], true, "{decided}");
    assert_eq!(decided["since"], "2025-09-23T12:00:00Z");
    assert_eq!(
        decided["policies"],
        json!({"organizations:GetOrganization": {
            "allowed": 2, "denied": 0, "last": "2025-09-30T12:00:00Z",
        }})
    );
    let never = decided["never"].as_array().expect("a list");
    assert_eq!(never.len() + 1, policies.len());

    service.clock.advance(2 * 24 * 60 * 60);
    let shown = get(&service, "/policies/coverage?days=1").await.ok();
    assert_eq!(shown["decided"]["policies"], json!({}));
    for bad in ["days=0", "days=367", "days=x", "x=1"] {
        let answer = get(&service, &format!("/policies/coverage?{bad}")).await;
        answer.assert_refused(400, "BAD_PARAMETER");
    }
    assert_ne!(shown["decided"]["since"], Value::Null);
    service.stop().await;
}
