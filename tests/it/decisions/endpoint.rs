//! `GET /decisions/{id}` (contract section 4).

use charter_domain::id::DecisionId;
use charter_domain::permission::Permission;
use serde_json::json;
use test_support::client::Answer;
use test_support::on_both_services;
use test_support::service::{Persona, Service, TeamRole};
use test_support::services::TestDatabase;

use super::Logged as _;

const INFO: &str = "/organizations/info";

on_both_services!(
    a_denial_is_explained,
    foreign_decisions_are_404,
    refusals_name_the_permission,
    a_crowd_of_searches_is_bounded,
);

/// The id that a 403 names.
fn id_of(answer: &Answer) -> String {
    answer.assert_refused(403, "NOT_PERMITTED");
    let answer = answer.json();
    answer["error"]["decision_id"]
        .as_str()
        .expect("an id")
        .to_owned()
}

async fn a_denial_is_explained(service: &Service) {
    let acme = service.organization("acme").await;
    let nobody = acme.signer(&[]).await;
    let auditor = acme.signer(&[Permission::GetDecision]).await;
    let id = id_of(&nobody.get(INFO).header("x-request-id", "r-7").await);
    let shown = auditor.get(&format!("/decisions/{id}")).await.ok();
    assert_eq!(shown["id"], json!(id));
    assert_eq!(shown["request_id"], "r-7");
    assert_eq!(
        shown["principal"],
        json!({"type": "ServiceAccount", "id": nobody.id})
    );
    assert_eq!(shown["action"]["id"], "organizations:GetOrganization");
    assert_eq!(
        shown["resource"]["id"],
        json!(acme.organization.id.to_string())
    );
    assert_eq!(
        (&shown["decision"], &shown["reason"]),
        (&json!("deny"), &json!("not_permitted"))
    );
    assert_eq!(
        (&shown["policies"], &shown["errors"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(shown["entities"].as_array().map(Vec::len), Some(3));
    assert!(
        shown["context"]["source_ip"]
            .to_string()
            .contains("127.0.0.1")
    );
    assert_eq!(shown["masked"], json!([]));
    let nearest = &shown["explanation"]["nearest"][0];
    assert_eq!(
        nearest["policy"], "organizations:GetOrganization",
        "{}",
        shown["explanation"]
    );
    // An allowed one, with its policy's place: the auditor's own question.
    let own = service.logged();
    let own = own
        .iter()
        .rev()
        .find(|it| it["action"]["id"] == "decisions:GetDecision");
    let own = own.expect("its own question")["id"]
        .as_str()
        .expect("an id");
    let shown = auditor.get(&format!("/decisions/{own}")).await.ok();
    assert_eq!(shown["decision"], "allow");
    let policy = &shown["policies"][0];
    assert_eq!(
        (&policy["id"], &policy["file"]),
        (&json!("decisions:GetDecision"), &json!("decisions.cedar"))
    );
    assert!(
        policy["line"].as_u64().is_some_and(|line| line > 1),
        "{policy}"
    );
}

async fn foreign_decisions_are_404(service: &Service) {
    let acme = service.organization("acme").await;
    let other = service.organization("other").await;
    let auditor = other.signer(&[Permission::GetDecision]).await;
    let foreign = id_of(&acme.signer(&[]).await.get(INFO).await);
    let unknown = DecisionId::generate(
        charter_domain::clock::Clock::now(&*service.clock),
        &charter_domain::entropy::OsEntropy,
    )
    .to_string();
    let mut answers = Vec::new();
    for id in [
        foreign.as_str(),
        &unknown,
        "dec-nonsense",
        "x",
        &foreign.to_uppercase(),
    ] {
        let request = auditor.get(&format!("/decisions/{id}"));
        let answer = request.header("x-request-id", "r-1").await;
        answer.assert_refused(404, "NOT_FOUND");
        answers.push(answer.body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
}

async fn a_crowd_of_searches_is_bounded(service: &Service) {
    let (acme, globex) = (
        service.organization("acme").await,
        service.organization("globex").await,
    );
    let auditor = acme.signer(&[Permission::GetDecision]).await;
    let id = id_of(&acme.signer(&[]).await.get(INFO).await);
    let target = format!("/decisions/{id}");
    // Somebody searches for as long as this is held.
    let searches = &service.state().searches;
    let permit = searches.permit(globex.organization.id).await;
    let permit = permit.expect("nobody else");
    let crowd = futures_util::future::join_all((0..20).map(|_| auditor.get(&target).into_future()));
    let mut waited = 0;
    for answer in crowd.await {
        if answer.status == 503 {
            answer.assert_refused(503, "UNAVAILABLE");
            waited += 1;
        } else {
            answer.assert_refused(429, "RATE_LIMIT_EXCEEDED");
            assert_eq!(answer.header("x-ratelimit-limit"), Some("4"));
        }
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    assert_eq!(waited, 4, "its share of those who may wait");
    drop(permit);
    auditor.get(&target).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organization_that_has_used_up_its_searches_waits_alone() {
    let settings = "[budgets]\nsearches_per_minute = 2\n";
    let service = Service::with(TestDatabase::sqlite(), settings).await;
    let (acme, globex) = (
        service.organization("acme").await,
        service.organization("globex").await,
    );
    let auditor = acme.signer(&[Permission::GetDecision]).await;
    let nowhere = DecisionId::from_uuid(uuid::Uuid::from_u128(7));
    let target = format!("/decisions/{nowhere}");
    for _ in 0..2 {
        auditor.get(&target).await.assert_refused(404, "NOT_FOUND");
    }
    let refused = auditor.get(&target).await;
    refused.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    let headers = ["limit", "remaining", "reset"]
        .map(|name| refused.header(&format!("x-ratelimit-{name}")).expect(name));
    assert_eq!(headers, ["2", "0", "30"]);
    assert_eq!(refused.header("retry-after"), Some("30"));
    let message = &refused.json()["error"]["message"];
    assert_eq!(
        message,
        "the organization has used up its share of searches; try again in 30 s"
    );
    let other = globex.signer(&[Permission::GetDecision]).await;
    other.get(&target).await.assert_refused(404, "NOT_FOUND");
    service.clock.advance(30);
    auditor.get(&target).await.assert_refused(404, "NOT_FOUND");
    service.stop().await;
}

async fn refusals_name_the_permission(service: &Service) {
    let acme = service.organization("acme").await;
    let nobody = acme.signer(&[]).await;
    let id = id_of(&nobody.get(INFO).await);
    let target = format!("/decisions/{id}");
    id_of(&nobody.get(&target).await);
    // No shipped role includes it.
    let owner = acme.person(TeamRole::Owner).await;
    id_of(&owner.get(&target).await);
    service
        .anonymous()
        .get(&target)
        .await
        .assert_refused(401, "MISSING_CREDENTIALS");
}
