//! `GET /service-accounts`

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{Grants, Persona, Service, Signer, everything, everything_but};

use super::SERVICE_ACCOUNTS;

on_both_services!(
    a_list_is_of_the_organization_or_of_one_account,
    inactive_and_deleted_ones_are_listed_on_request,
    deleted_ones_take_a_permission_of_their_own,
    a_query_is_taken_literally,
);

async fn ids(who: &Signer, query: &str) -> Vec<String> {
    let list = who.get(&format!("{SERVICE_ACCOUNTS}{query}")).await.ok();
    let results = list["results"].as_array().expect("an array");
    assert_eq!(list["total"], json!(results.len()));
    let id = |item: &Value| item["id"].as_str().expect("an id").to_owned();
    results.iter().map(id).collect()
}

async fn a_list_is_of_the_organization_or_of_one_account(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    service.organization("other").await.manager().await;
    service.clock.advance(1);
    let account = manager
        .post("/accounts", json!({"name": "Staging"}))
        .await
        .created();
    let id = account["id"].as_str().expect("an id");
    let stored = acme
        .stored()
        .account(id.parse().expect("an id"))
        .await
        .expect("the account");
    let inside = acme.signer_in(&stored, Grants::default()).await;
    assert_eq!(ids(&manager, "").await, [&*inside.id, &manager.id]);
    assert_eq!(
        ids(&manager, "?order_by=created_at").await,
        [&*manager.id, &inside.id]
    );
    assert_eq!(
        ids(&manager, &format!("?account_id={id}")).await,
        [&*inside.id]
    );
    assert_eq!(
        ids(&manager, &format!("?account_id={}", acme.account.id)).await,
        [&*manager.id]
    );
}

async fn inactive_and_deleted_ones_are_listed_on_request(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    service.clock.advance(1);
    let sleeping = acme.signer(&[]).await;
    service.clock.advance(1);
    let deleted = acme.signer(&[]).await;
    service.clock.advance(1);
    let gone_asleep = acme.signer(&[]).await;
    for asleep in [&sleeping, &gone_asleep] {
        manager
            .patch(&asleep.path(), json!({"is_active": false}))
            .await
            .ok();
    }
    for gone in [&deleted, &gone_asleep] {
        manager.delete(&gone.path()).await.no_content();
    }
    let listed = async |query: &str| ids(&manager, &format!("?order_by=created_at{query}")).await;
    assert_eq!(listed("").await, [&*manager.id]);
    assert_eq!(
        listed("&include_inactive=true").await,
        [&*manager.id, &sleeping.id]
    );
    assert_eq!(
        listed("&include_deleted=true").await,
        [&*manager.id, &deleted.id, &gone_asleep.id]
    );
    assert_eq!(
        listed("&include_deleted=true&include_inactive=true").await,
        [&*manager.id, &sleeping.id, &deleted.id, &gone_asleep.id]
    );
    assert_eq!(
        listed("&include_deleted=false&include_inactive=false").await,
        [&*manager.id]
    );
}

async fn deleted_ones_take_a_permission_of_their_own(service: &Service) {
    let acme = service.organization("acme").await;
    let without = acme
        .signer(&everything_but(&[Permission::ListDeletedServiceAccounts]))
        .await;
    without.get(SERVICE_ACCOUNTS).await.ok();
    let in_account = format!("account_id={}", acme.account.id);
    for query in [
        "include_deleted=true",
        &format!("include_deleted=true&{in_account}"),
    ] {
        let refused = without.get(&format!("{SERVICE_ACCOUNTS}?{query}")).await;
        refused.assert_refused(403, "NOT_PERMITTED");
    }
    // It does not stand for the other.
    let only = acme.signer(&[Permission::ListDeletedServiceAccounts]).await;
    let refused = only
        .get(&format!("{SERVICE_ACCOUNTS}?include_deleted=true"))
        .await;
    refused.assert_refused(403, "NOT_PERMITTED");
    let all = acme.signer(&everything()).await;
    all.get(&format!("{SERVICE_ACCOUNTS}?include_deleted=true"))
        .await
        .ok();
}

async fn a_query_is_taken_literally(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    for bad in [
        "include_deleted=1",
        "include_deleted=",
        "include_inactive=yes",
        "order_by=last_used_at",
        "order_by=-",
        "quantity=0",
        "page=0",
        "accountId=x",
        "account_id=",
        "role=x",
        "include_deleted=true&include_deleted=true",
    ] {
        let answer = manager.get(&format!("{SERVICE_ACCOUNTS}?{bad}")).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "BAD_PARAMETER".to_owned()),
            "{bad}"
        );
    }
}
