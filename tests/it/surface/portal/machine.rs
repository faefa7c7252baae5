//! People on the machine surface: accounts, service accounts and keys with a bearer token, as policy
//! allows.

use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{Person, Persona, Service, TeamRole};

on_both_services!(
    an_owner_hands_out_a_key,
    an_admin_grants_all_but_what_only_owners_have,
    a_member_reads,
    another_tenants_things_are_not_found,
);

async fn new_account(person: &Person, body: Value) -> String {
    let made = person.post("/service-accounts", body).await.created();
    format!("/service-accounts/{}", made["id"].as_str().expect("an id"))
}

async fn an_owner_hands_out_a_key(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let all = json!([
        "organizations:GetOrganization",
        "organizations:DeactivateOrganization"
    ]);
    let path = new_account(
        &owner,
        json!({"name": "CI", "roles": ["owner", "member"], "permissions": all}),
    )
    .await;
    let keys = format!("{path}/keys");
    let made = owner
        .post(&keys, json!({"description": "first"}))
        .await
        .created();
    let holder = service.holder(&made);
    holder.get("/organizations/info").await.ok();
    let rotated = owner
        .post(&format!("{}/rotate", holder.key()), json!({}))
        .await
        .created();
    service
        .holder(&rotated)
        .get("/organizations/info")
        .await
        .ok();
    assert_eq!(owner.get(&keys).await.ok()["total"], 2);
    owner.delete(&holder.key()).await.no_content();
    holder
        .get("/organizations/info")
        .await
        .assert_refused(401, "KEY_REVOKED");
    owner.patch(&path, json!({"is_active": false})).await.ok();
    owner.delete(&path).await.no_content();
    owner
        .get("/organizations/info")
        .await
        .assert_refused(401, "MALFORMED_AUTHORIZATION");
    let account = owner
        .post("/accounts", json!({"name": "Lab"}))
        .await
        .created();
    owner
        .get(&format!(
            "/accounts/{}",
            account["id"].as_str().expect("an id")
        ))
        .await
        .ok();
}

async fn an_admin_grants_all_but_what_only_owners_have(service: &Service) {
    let acme = service.organization("acme").await;
    let admin = acme.person(TeamRole::Admin).await;
    let path = new_account(
        &admin,
        json!({"name": "CI", "roles": ["admin"], "permissions": ["accounts:CreateAccount"]}),
    )
    .await;
    admin
        .post(&format!("{path}/keys"), json!({}))
        .await
        .created();
    for more in [
        json!({"name": "CI", "roles": ["owner"]}),
        json!({"name": "CI", "permissions": ["organizations:DeactivateOrganization"]}),
    ] {
        admin
            .post("/service-accounts", more)
            .await
            .assert_refused(403, "NOT_PERMITTED");
    }
    // A key of an owner's service account would be the owner's permissions.
    let owner = acme.person(TeamRole::Owner).await;
    let above = new_account(&owner, json!({"name": "Above", "roles": ["owner"]})).await;
    admin
        .post(&format!("{above}/keys"), json!({}))
        .await
        .assert_refused(403, "NOT_PERMITTED");
}

async fn a_member_reads(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let member = acme.person(TeamRole::Member).await;
    for target in [
        "/accounts",
        "/service-accounts",
        &manager.path(),
        &manager.keys(),
    ] {
        member.get(target).await.ok();
    }
    for request in [
        member.post("/accounts", json!({"name": "x"})),
        member.post("/service-accounts", json!({"name": "x"})),
        member.patch(&manager.path(), json!({"name": "x"})),
        member.delete(&manager.path()),
        member.post(&manager.keys(), json!({})),
        member.post(&format!("{}/rotate", manager.key()), json!({})),
        member.delete(&manager.key()),
    ] {
        request.await.assert_refused(403, "NOT_PERMITTED");
    }
}

async fn another_tenants_things_are_not_found(service: &Service) {
    let acme = service.organization("acme").await;
    let other = service.organization("other").await;
    let foreign = other.manager().await;
    let owner = acme.person(TeamRole::Owner).await;
    for request in [
        owner.get(&foreign.path()),
        owner.get(&foreign.keys()),
        owner.patch(&foreign.path(), json!({"name": "x"})),
        owner.delete(&foreign.path()),
        owner.post(&foreign.keys(), json!({})),
        owner.delete(&foreign.key()),
        owner.get(&format!("/accounts/{}", other.account.id)),
    ] {
        request.await.assert_refused(404, "NOT_FOUND");
    }
    foreign.get("/organizations/info").await.ok();
}
