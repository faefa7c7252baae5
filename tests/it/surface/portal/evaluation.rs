//! `POST /access/v1/evaluation` on the operations listener (contract section 6).

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::service::{Persona, Request, Service, TeamRole};
use test_support::services::TestDatabase;

use super::DEACTIVATE;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const PATH: &str = "/access/v1/evaluation";

async fn service(database: TestDatabase) -> Service {
    Service::with_server(database, &format!("ops_token = \"{TOKEN}\"")).await
}

fn ask(service: &Service, question: &Value) -> Request {
    service
        .operator_side()
        .post(PATH, question.clone())
        .header("authorization", &format!("Bearer {TOKEN}"))
}

fn question(subject: (&str, &str), action: &str, resource: (&str, &str)) -> Value {
    json!({
        "subject": {"type": subject.0, "id": subject.1},
        "action": {"name": action},
        "resource": {"type": resource.0, "id": resource.1},
    })
}

async fn decision(service: &Service, question: &Value) -> bool {
    let answer = ask(service, question).await.ok();
    assert_eq!(
        answer.as_object().map(serde_json::Map::len),
        Some(1),
        "{answer}"
    );
    answer["decision"].as_bool().expect("a decision")
}

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
async fn who_may_ask_and_how() {
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
    let side = service.operator_side();
    side.post(PATH, good.clone())
        .await
        .assert_refused(401, "MISSING_CREDENTIALS");
    for token in [
        "x",
        &TOKEN.replace('0', "1"),
        &format!("{TOKEN}0"),
        &TOKEN[1..],
    ] {
        let request = side
            .post(PATH, good.clone())
            .header("authorization", &format!("Bearer {token}"));
        request.await.assert_refused(401, "INVALID_TOKEN");
    }
    // Not for clients.
    let main = service
        .anonymous()
        .post(PATH, good.clone())
        .header("authorization", &format!("Bearer {TOKEN}"));
    main.await.assert_refused(404, "NOT_FOUND");
    for id in ["sa-nonsense", "", "sa-01k6dyspfte23tskdzn1kqd65k"] {
        let mut nobody = good.clone();
        nobody["subject"]["id"] = json!(id);
        assert!(!decision(&service, &nobody).await);
        let mut nothing = good.clone();
        nothing["resource"]["id"] = json!(id);
        assert!(!decision(&service, &nothing).await);
    }
    for (pointer, value) in [
        ("/action/name", json!("organizations:Fly")),
        ("/action/name", json!("reads")),
        ("/subject/type", json!("Robot")),
        ("/subject/type", json!("Organization")),
        ("/resource/type", json!("Robot")),
        ("/subject/id", json!(7)),
    ] {
        let mut broken = good.clone();
        *broken.pointer_mut(pointer).expect("it is there") = value;
        assert_eq!(ask(&service, &broken).await.broken_on_portal(), [pointer]);
    }
    for name in ["subject", "action", "resource"] {
        let mut missing = good.clone();
        missing.as_object_mut().expect("an object").remove(name);
        ask(&service, &missing)
            .await
            .assert_refused(400, "MISSING_FIELD");
    }
    service.stop().await;

    let nobody_may = Service::on(TestDatabase::sqlite()).await;
    ask(&nobody_may, &good)
        .await
        .assert_refused(401, "INVALID_TOKEN");
    nobody_may.stop().await;
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
    let on = ("Organization", organization.as_str());
    let strange = service
        .operator_side()
        .post(
            &format!("{PATH}?x=1"),
            question(("User", &owner.id), "team:ListMembers", on),
        )
        .header("authorization", &format!("Bearer {TOKEN}"));
    strange.await.assert_refused(400, "BAD_PARAMETER");
    service.stop().await;
}
