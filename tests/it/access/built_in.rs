//! The built-in domain: Charter's own permissions, asked about Charter's own objects.

use charter_domain::permission::Permission;
use serde_json::json;
use test_support::service::{Persona, TeamRole};
use test_support::services::TestDatabase;

use super::{Asks, EVALUATION, decision, question, service};
use crate::surface::portal::DEACTIVATE;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn normalization_sees_at_once_that_it_is_over() {
    Box::pin(over(TestDatabase::sqlite())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn normalization_sees_at_once_that_it_is_over_on_postgres() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        Box::pin(over(database)).await;
    }
}

async fn over(database: TestDatabase) {
    let service = service(database).await;
    let acme = service.organization("acme").await;
    let other = service.organization("other").await;
    let normalizer = acme.signer(&[Permission::Normalize]).await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let owner = acme.person(TeamRole::Owner).await;
    let organization = acme.organization.id.to_string();
    let normalize = |of: &str, organization: &str| {
        question(
            ("ServiceAccount", of),
            "normalization:Normalize",
            ("Organization", organization),
        )
    };
    let mut full = normalize(&normalizer.id, &organization);
    assert!(decision(&service, &full).await);
    // What the asker adds is taken and not believed.
    full["context"] = json!({"now": "2000-01-01", "is_active": true});
    full["resource"]["properties"] = json!({"is_active": false});
    assert!(decision(&service, &full).await);
    assert!(!decision(&service, &normalize(&reader.id, &organization)).await);
    assert!(
        !decision(
            &service,
            &normalize(&normalizer.id, &other.organization.id.to_string())
        )
        .await
    );
    let person = charter_domain::id::UserId::from_uuid(owner.id.parse().expect("a UUID"));
    let update = question(
        ("User", &person.to_string()),
        "organizations:UpdateOrganization",
        ("Organization", &organization),
    );
    assert!(decision(&service, &update).await);
    let by_uuid = question(
        ("User", &owner.id),
        "organizations:UpdateOrganization",
        ("Organization", &acme.organization.id.uuid().to_string()),
    );
    assert!(decision(&service, &by_uuid).await);
    let key = question(
        ("User", &person.to_string()),
        "service-accounts:RevokeKey",
        ("AccessKey", &reader.key_id),
    );
    assert!(decision(&service, &key).await);
    let role = question(
        ("User", &person.to_string()),
        "team:AssignRole",
        ("Role", "owner"),
    );
    assert!(decision(&service, &role).await);

    owner.ask("POST", DEACTIVATE).await.ok();
    assert!(!decision(&service, &full).await);
    assert!(!decision(&service, &update).await);
    let by = service.operator();
    let store = service.store();
    store
        .reactivate_organization(acme.organization.id, &by)
        .await
        .expect("reactivated");
    assert!(decision(&service, &full).await);
    owner
        .patch(&normalizer.path(), json!({"is_active": false}))
        .await
        .ok();
    assert!(!decision(&service, &full).await);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_subjects_actions_and_resources_are_denied() {
    let service = service(TestDatabase::sqlite()).await;
    let acme = service.organization("acme").await;
    let signer = acme.manager().await;
    let organization = acme.organization.id.to_string();
    let good = question(
        ("ServiceAccount", &signer.id),
        "organizations:GetOrganization",
        ("Organization", &organization),
    );
    assert!(decision(&service, &good).await);
    for id in ["sa-nonsense", "", "sa-01k6dyspfte23tskdzn1kqd65k"] {
        let mut nobody = good.clone();
        nobody["subject"]["id"] = json!(id);
        assert!(!decision(&service, &nobody).await);
        let mut nothing = good.clone();
        nothing["resource"]["id"] = json!(id);
        assert!(!decision(&service, &nothing).await);
    }
    // What there is not is no error (certification, section 4.6).
    for (pointer, value) in [
        ("/action/name", json!("organizations:Fly")),
        ("/action/name", json!("reads")),
        ("/subject/type", json!("Robot")),
        ("/subject/type", json!("Organization")),
        ("/resource/type", json!("Robot")),
    ] {
        let mut unknown = good.clone();
        *unknown.pointer_mut(pointer).expect("it is there") = value;
        assert!(!decision(&service, &unknown).await, "{unknown}");
        unknown["options"] = json!({"explain": true});
        let told = service.ask(EVALUATION, &unknown).await.ok();
        let reason = told["context"]["reason"].as_str().expect("a reason");
        assert!(reason.starts_with("there is no "), "{told}");
        assert!(told["context"].get("decision_id").is_none(), "{told}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_explained_decision_is_on_record_under_its_id() {
    let service = service(TestDatabase::sqlite()).await;
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let organization = acme.organization.id.to_string();
    for (action, allowed, reason) in [
        (
            "organizations:GetOrganization",
            true,
            "a policy permits `organizations:GetOrganization`",
        ),
        (
            "organizations:UpdateOrganization",
            false,
            "no policy permits `organizations:UpdateOrganization`",
        ),
    ] {
        let mut asked = question(
            ("ServiceAccount", &reader.id),
            action,
            ("Organization", &organization),
        );
        asked["options"] = json!({"explain": true});
        let told = service.ask(EVALUATION, &asked).await.ok();
        assert_eq!(told["decision"], json!(allowed));
        assert_eq!(told["context"]["reason"], json!(reason));
        let id = told["context"]["decision_id"].as_str().expect("an id");
        let id = id.parse().expect("a decision's id");
        let found = service.state().decision_lookup.find(id).expect("readable");
        assert_eq!(found.expect("on record").action.id, action);
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unverified_owner_reads_only() {
    let service = service(TestDatabase::sqlite()).await;
    let owner = service.register("zoo").await;
    let organization = service.store().find_organization("zoo").await;
    let organization = organization.expect("it is there").id.to_string();
    let may = async |action: Permission| {
        let on = ("Organization", organization.as_str());
        decision(
            &service,
            &question(("User", &owner.id), action.as_str(), on),
        )
        .await
    };
    assert!(may(Permission::GetOrganization).await);
    assert!(may(Permission::ListMembers).await);
    assert!(!may(Permission::UpdateOrganization).await);
    assert!(!may(Permission::InviteMember).await);
    service.verify(&owner).await;
    assert!(may(Permission::UpdateOrganization).await);
    service.stop().await;
}
