//! From zero to a signed request, and to its end: a person registers, signs in, hands out a key, and
//! the key's requests work until the organization is deactivated.

use serde_json::json;
use test_support::on_both_services;
use test_support::service::{Persona, Service};

use super::{DEACTIVATE, ORGANIZATION, SETTINGS};

on_both_services!(a_registered_owner_hands_out_a_key_that_works_until_the_deactivation);

async fn a_registered_owner_hands_out_a_key_that_works_until_the_deactivation(service: &Service) {
    let owner = service.register("zoo").await;
    owner
        .put(SETTINGS, json!({"default_region": "eu-central-1"}))
        .await
        .assert_refused(403, "EMAIL_NOT_VERIFIED");
    let owner = service.verify(&owner).await;
    let settings =
        json!({"contact_email": "billing@zoo.example", "default_region": "eu-central-1"});
    let organization = owner.put(SETTINGS, settings).await.ok();
    assert_eq!(organization["contactEmail"], "billing@zoo.example");
    assert_eq!(organization["defaultRegion"], "eu-central-1");

    let new = json!({"name": "Export", "permissions": ["organizations:GetOrganization"]});
    let account = owner.post("/service-accounts", new).await.created();
    let keys = format!(
        "/service-accounts/{}/keys",
        account["id"].as_str().expect("an id")
    );
    let key = service.holder(&owner.post(&keys, json!({})).await.created());
    let seen = key.get("/organizations/info").await.ok();
    assert_eq!(seen["name"], "Zoo");
    assert_eq!(
        organization["schemaName"],
        format!("org_{}", seen["slug"].as_str().expect("a code"))
    );

    let over = owner.ask("POST", DEACTIVATE).await.ok();
    assert_eq!(over["isActive"], false);
    key.get("/organizations/info")
        .await
        .assert_refused(401, "KEY_REVOKED");
    assert_eq!(owner.get(ORGANIZATION).await.ok()["isActive"], false);
}
