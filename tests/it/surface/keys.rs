//! `GET /keys`: every key of the organization, for access reviews.

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{Persona, Service, Signer, TeamRole, everything_but, members};

const DAY: i64 = 24 * 60 * 60;

on_both_services!(
    every_key_is_listed_with_its_service_account,
    age_use_and_expiry_select_keys,
    an_account_selects_its_keys,
    dead_keys_and_owners_are_listed_as_elsewhere,
    listing_takes_its_permission_and_nothing_else,
    a_query_is_taken_literally,
);

async fn keys(manager: &impl Persona, query: &str) -> Vec<Value> {
    let more = if query.is_empty() { "" } else { "&" };
    let target = format!("/keys?quantity=100{more}{query}");
    let list = manager.get(&target).await;
    let list = list.ok();
    let results = list["results"].as_array().expect("an array").clone();
    assert_eq!(list["total"], json!(results.len()));
    results
}

async fn descriptions(manager: &impl Persona, query: &str) -> String {
    let more = if query.is_empty() { "" } else { "&" };
    let keys = keys(manager, &format!("order_by=created_at{more}{query}")).await;
    let text = |key: &Value| key["description"].as_str().expect("text").to_owned();
    let mut texts: Vec<_> = keys.iter().map(text).collect();
    // The manager's own key has none, and is in use.
    texts.retain(|text| !text.is_empty());
    texts.sort();
    texts.join(" ")
}

/// Another key of that service account.
async fn key(service: &Service, manager: &Signer, owner: &Signer, body: Value) -> Signer {
    service.holder(&manager.post(&owner.keys(), body).await.created())
}

async fn every_key_is_listed_with_its_service_account(service: &Service) {
    let (acme, globex) = (
        service.organization("acme").await,
        service.organization("globex").await,
    );
    let foreign = globex.manager().await;
    let manager = acme.manager().await;
    service.clock.advance(1);
    let owner = acme.signer(&[Permission::GetOrganization]).await;
    let name = json!({"name": "Billing export"});
    manager.patch(&owner.path(), name).await.ok();
    let member = acme.person(TeamRole::Member).await;
    for request in [manager.get("/keys"), member.get("/keys")] {
        let answer = request.await.ok();
        assert_eq!((&answer["total"], &answer["page"]), (&json!(2), &json!(1)));
        let newest = &answer["results"][0];
        let mut expected = vec!["service_account"];
        let one = manager.get(&owner.keys()).await.ok()["results"][0].clone();
        expected.extend(members(one.as_object().expect("a key")));
        expected.sort_unstable();
        assert_eq!(members(newest.as_object().expect("a key")), expected);
        for (name, value) in one.as_object().expect("a key") {
            assert_eq!(&newest[name], value, "{name}");
        }
        assert_eq!(
            newest["service_account"],
            json!({
                "id": owner.id,
                "name": "Billing export",
                "account_id": acme.account.id.to_string(),
                "is_active": true,
            })
        );
        assert_eq!(answer["results"][1]["id"], json!(manager.key_id));
    }
    let answer = foreign.get("/keys").await.ok();
    assert_eq!(answer["total"], json!(1));
    assert_eq!(answer["results"][0]["id"], json!(foreign.key_id));
}

async fn age_use_and_expiry_select_keys(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, owner) = (acme.manager().await, acme.manager().await);
    manager.delete(&owner.key()).await.no_content();
    let lives = |days: i64| service.clock.in_seconds(days * DAY);
    key(service, &manager, &owner, json!({"description": "never"})).await;
    let used = key(service, &manager, &owner, json!({"description": "used"})).await;
    service.clock.advance(40 * DAY);
    let soon = json!({"description": "soon", "expires_at": lives(20)});
    key(service, &manager, &owner, soon).await;
    let later = json!({"description": "later", "expires_at": lives(200)});
    key(service, &manager, &owner, later).await;
    used.get("/accounts").await.ok();
    let flushed = service.state().last_used.flush(service.store()).await;
    flushed.expect("a flush");
    service.clock.advance(5 * DAY);
    for (query, expected) in [
        ("", "later never soon used"),
        ("unused_for_days=1", "later never soon used"),
        ("unused_for_days=6", "never"),
        ("unused_for_days=45", "never"),
        ("unused_for_days=46", ""),
        ("older_than_days=45", "never used"),
        ("older_than_days=46", ""),
        ("older_than_days=5", "later never soon used"),
        ("expires_within_days=14", ""),
        ("expires_within_days=15", "soon"),
        ("expires_within_days=36500", "later soon"),
        ("expires_within_days=36500&unused_for_days=6", ""),
    ] {
        assert_eq!(descriptions(&manager, query).await, expected, "{query}");
    }
    // What is expired does not expire.
    service.clock.advance(16 * DAY);
    assert_eq!(descriptions(&manager, "expires_within_days=30").await, "");
    let dead = "expires_within_days=30&include_inactive=true";
    assert_eq!(descriptions(&manager, dead).await, "soon");
}

async fn an_account_selects_its_keys(service: &Service) {
    let (acme, globex) = (
        service.organization("acme").await,
        service.organization("globex").await,
    );
    let manager = acme.manager().await;
    let made = manager.post("/accounts", json!({"name": "Staging"})).await;
    let other = made.created()["id"].as_str().expect("an id").to_owned();
    let new = json!({"name": "x", "account_id": other});
    let made = manager.post("/service-accounts", new).await.created();
    let path = format!(
        "/service-accounts/{}/keys",
        made["id"].as_str().expect("id")
    );
    let there = manager.post(&path, json!({})).await.created();
    for (account, expected) in [
        (other.clone(), &there["id"]),
        (acme.account.id.to_string(), &json!(manager.key_id)),
    ] {
        let found = keys(&manager, &format!("account_id={account}")).await;
        assert_eq!(found.len(), 1);
        assert_eq!(&found[0]["id"], expected);
    }
    let mut answers = Vec::new();
    for id in [
        globex.account.id.to_string(),
        "acc-01k6dyspfte23tskdzn1kqd65k".to_owned(),
        "x".to_owned(),
        String::new(),
    ] {
        let request = manager.get(&format!("/keys?account_id={id}"));
        let answer = request.header("x-request-id", "r-1").await;
        answer.assert_refused(400, "BAD_PARAMETER");
        answers.push(answer.body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
}

async fn dead_keys_and_owners_are_listed_as_elsewhere(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let (disabled, deleted, revoked) = (
        acme.signer(&[]).await,
        acme.signer(&[]).await,
        acme.signer(&[]).await,
    );
    let off = json!({"is_active": false});
    manager.patch(&disabled.path(), off).await.ok();
    manager.delete(&deleted.path()).await.no_content();
    manager.delete(&revoked.key()).await.no_content();
    let found = |keys: &[Value], signer: &Signer| {
        let mut keys = keys.iter();
        keys.find(|key| key["id"] == json!(signer.key_id)).cloned()
    };
    let live = keys(&manager, "").await;
    let key = found(&live, &disabled).expect("a live key of a disabled service account");
    assert_eq!(key["is_active"], json!(true));
    assert_eq!(key["service_account"]["is_active"], json!(false));
    assert_eq!(found(&live, &revoked), None);
    assert_eq!(found(&live, &deleted), None);
    let all = keys(&manager, "include_inactive=true").await;
    let key = found(&all, &revoked).expect("a revoked key");
    assert_eq!(key["is_active"], json!(false));
    // Its owner has left the lists, and so has it.
    assert_eq!(found(&all, &deleted), None);
}

async fn listing_takes_its_permission_and_nothing_else(service: &Service) {
    let acme = service.organization("acme").await;
    let other = acme.signer(&everything_but(&[Permission::ListKeys])).await;
    other
        .get("/keys")
        .await
        .assert_refused(403, "NOT_PERMITTED");
    let reader = acme.signer(&[Permission::ListKeys]).await;
    reader.get("/keys").await.ok();
    let anonymous = service.anonymous().get("/keys").await;
    anonymous.assert_refused(401, "MISSING_CREDENTIALS");
}

async fn a_query_is_taken_literally(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    for bad in [
        "order_by=name",
        "unused_for_days=0",
        "unused_for_days=-1",
        "unused_for_days=36501",
        "unused_for_days=99999999999999999999",
        "older_than_days=1.5",
        "older_than_days=",
        "expires_within_days=x",
        "include_deleted=true",
        "quantity=101",
        "cursor=x",
    ] {
        let answer = manager.get(&format!("/keys?{bad}")).await;
        answer.assert_refused(400, "BAD_PARAMETER");
    }
}
