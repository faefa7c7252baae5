//! `GET /service-accounts/{id}/keys`

use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{Persona, Service, Signer};

on_both_services!(
    keys_have_orders_of_their_own,
    dead_keys_are_listed_on_demand,
    a_query_is_taken_literally,
);

async fn descriptions(manager: &Signer, owner: &Signer, query: &str) -> String {
    let list = manager.get(&format!("{}?{query}", owner.keys())).await.ok();
    let results = list["results"].as_array().expect("an array");
    assert_eq!(list["total"], json!(results.len()));
    let text = |key: &Value| key["description"].as_str().expect("text").to_owned();
    results.iter().map(text).collect::<Vec<_>>().join(" ")
}

async fn keys_have_orders_of_their_own(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, owner) = (acme.manager().await, acme.manager().await);
    manager.delete(&owner.key()).await.no_content();
    let mut made = Vec::new();
    for (name, lives) in [
        ("a", Some(500)),
        ("b", None),
        ("c", Some(300)),
        ("d", Some(900)),
    ] {
        service.clock.advance(1);
        let expires_at = lives.map(|seconds| service.clock.in_seconds(seconds));
        let body = json!({"description": name, "expires_at": expires_at});
        made.push(service.holder(&manager.post(&owner.keys(), body).await.created()));
    }
    for (at, index) in [1, 3, 0].into_iter().enumerate() {
        service.clock.advance(if at == 0 { 0 } else { 60 });
        made[index].get("/accounts").await.ok();
    }
    // What is noted in memory is in the order once it is stored.
    let flushed = service.state().last_used.flush(service.store()).await;
    flushed.expect("a flush");
    for (order, expected) in [
        ("created_at", "a b c d"),
        ("-created_at", "d c b a"),
        ("expires_at", "c a d b"),
        ("-expires_at", "b d a c"),
        ("last_used_at", "c b d a"),
        ("-last_used_at", "a d b c"),
    ] {
        assert_eq!(
            descriptions(&manager, &owner, &format!("order_by={order}")).await,
            expected,
            "{order}"
        );
    }
    assert_eq!(
        descriptions(&manager, &owner, "quantity=100").await,
        "d c b a"
    );
    let second = manager
        .get(&format!("{}?quantity=3&page=2", owner.keys()))
        .await
        .ok();
    assert_eq!(second["results"][0]["description"], "a");
    assert_eq!((&second["total"], &second["page"]), (&json!(4), &json!(2)));
}

async fn dead_keys_are_listed_on_demand(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, owner) = (acme.manager().await, acme.manager().await);
    service.clock.advance(1);
    let body = json!({"description": "short", "expires_at": service.clock.in_seconds(60)});
    manager.post(&owner.keys(), body).await.created();
    service.clock.advance(60);
    manager.delete(&owner.key()).await.no_content();
    service.clock.advance(1);
    manager
        .post(&owner.keys(), json!({"description": "live"}))
        .await
        .created();
    assert_eq!(
        descriptions(&manager, &owner, "order_by=created_at").await,
        "live"
    );
    let all = manager
        .get(&format!(
            "{}?include_inactive=true&order_by=created_at",
            owner.keys()
        ))
        .await;
    let all = all.ok()["results"].clone();
    let state = |at: usize| (all[at]["is_active"].clone(), all[at]["revoked_at"].clone());
    assert_eq!(state(0), (json!(false), json!("2025-09-30T12:01:01Z")));
    assert_eq!(state(1), (json!(false), json!(null)));
    assert_eq!(state(2), (json!(true), json!(null)));
}

async fn a_query_is_taken_literally(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    for bad in [
        "order_by=name",
        "order_by=updated_at",
        "include_deleted=true",
        "account_id=x",
        "page=0",
        "quantity=101",
    ] {
        let answer = manager.get(&format!("{}?{bad}", manager.keys())).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "BAD_PARAMETER".to_owned()),
            "{bad}"
        );
    }
}
