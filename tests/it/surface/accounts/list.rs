//! `GET /accounts`: pages and orders, which every list has alike.

use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{Persona, Service, Signer, members};

use super::{ACCOUNTS, new_account, path};

on_both_services!(
    a_list_comes_in_pages,
    a_list_has_its_orders_and_ties_stand_by_id,
    inactive_accounts_are_listed_on_demand,
    a_query_is_taken_literally,
);

async fn names(manager: &Signer, query: &str) -> Vec<String> {
    let list = manager.get(&format!("{ACCOUNTS}?{query}")).await.ok();
    let results = list["results"].as_array().expect("an array");
    let name = |item: &Value| item["name"].as_str().expect("a name").to_owned();
    results.iter().map(name).collect()
}

async fn a_list_comes_in_pages(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    for number in 1..=24 {
        service.clock.advance(1);
        new_account(&manager, &format!("{number:02}")).await;
    }
    let list = manager.get(ACCOUNTS).await.ok();
    let object = list.as_object().expect("an object");
    assert_eq!(members(object), ["page", "results", "total"]);
    assert_eq!((&list["total"], &list["page"]), (&json!(25), &json!(1)));
    // The newest first, twenty at a time.
    let first = names(&manager, "page=1").await;
    assert_eq!((first.len(), &*first[0], &*first[19]), (20, "24", "05"));
    let second = manager.get("/accounts?page=2").await.ok();
    assert_eq!(
        (&second["page"], second["results"].as_array().map(Vec::len)),
        (&json!(2), Some(5))
    );
    assert_eq!(
        names(&manager, "quantity=1&page=25&order_by=-name").await,
        ["01"]
    );
    assert_eq!(names(&manager, "quantity=100").await.len(), 25);
    for past in [
        "page=3",
        "page=26&quantity=1",
        "page=4503599627370496&quantity=100",
    ] {
        let past = manager.get(&format!("{ACCOUNTS}?{past}")).await.ok();
        assert_eq!((&past["total"], &past["results"]), (&json!(25), &json!([])));
    }
    // All pages together are the list, each item once.
    let mut together = Vec::new();
    for page in 1..=4 {
        together.extend(names(&manager, &format!("quantity=7&page={page}&order_by=name")).await);
    }
    let mut expected: Vec<_> = (1..=24).map(|number| format!("{number:02}")).collect();
    expected.push(acme.account.name.as_str().to_owned());
    assert_eq!(together, expected);
}

async fn a_list_has_its_orders_and_ties_stand_by_id(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    // The default account shall not disturb.
    for name in ["b", "a", "Z", "é", "zz"] {
        service.clock.advance(1);
        new_account(&manager, name).await;
    }
    let listed = async |order: &str| {
        let mut names = names(&manager, &format!("order_by={order}")).await;
        names.retain(|name| name.chars().count() <= 2);
        names.join(" ")
    };
    assert_eq!(listed("created_at").await, "b a Z é zz");
    assert_eq!(listed("-created_at").await, "zz é Z a b");
    // By code point, on either engine.
    assert_eq!(listed("name").await, "Z a b zz é");
    assert_eq!(listed("-name").await, "é zz b a Z");
    service.clock.advance(1);
    let accounts = manager.get("/accounts?order_by=name").await.ok();
    let find = |name: &str| {
        let all = accounts["results"].as_array().expect("an array");
        path(
            all.iter()
                .find(|item| item["name"] == name)
                .expect("it is there"),
        )
    };
    manager
        .patch(&find("a"), json!({"metadata": {"x": 1}}))
        .await
        .ok();
    assert_eq!(listed("-updated_at").await.split(' ').next(), Some("a"));
    assert_eq!(listed("updated_at").await.rsplit(' ').next(), Some("a"));
    // Made in the same moment, with the same name.
    for _ in 0..5 {
        new_account(&manager, "tie").await;
    }
    for order in [
        "name",
        "-name",
        "created_at",
        "-created_at",
        "updated_at",
        "-updated_at",
    ] {
        let list = manager
            .get(&format!("{ACCOUNTS}?order_by={order}"))
            .await
            .ok();
        let ties = list["results"].as_array().expect("an array").iter();
        let ties: Vec<_> = ties
            .filter(|item| item["name"] == "tie")
            .map(|item| item["id"].to_string())
            .collect();
        assert_eq!(ties.len(), 5);
        assert!(ties.is_sorted(), "{order}: {ties:?}");
    }
}

async fn inactive_accounts_are_listed_on_demand(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    let made = new_account(&manager, "Old").await;
    manager
        .patch(&path(&made), json!({"is_active": false}))
        .await
        .ok();
    assert_eq!(manager.get(ACCOUNTS).await.ok()["total"], 1);
    assert_eq!(
        manager.get("/accounts?include_inactive=false").await.ok()["total"],
        1
    );
    assert_eq!(
        manager.get("/accounts?include_inactive=true").await.ok()["total"],
        2
    );
    assert_eq!(manager.get(&path(&made)).await.ok()["is_active"], false);
}

async fn a_query_is_taken_literally(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    for bad in [
        "page=0",
        "page=-1",
        "page=1.0",
        "page=",
        "page=x",
        "page=%2B1",
        "page=4503599627370497",
        "page=99999999999999999999",
        "quantity=0",
        "quantity=101",
        "quantity=",
        "order_by=",
        "order_by=id",
        "order_by=expires_at",
        "order_by=%2Bname",
        "order_by=NAME",
        "order_by=name,id",
        "include_inactive=1",
        "include_inactive=TRUE",
        "include_inactive=",
        "include_deleted=true",
        "account_id=x",
        "limit=1",
        "Page=1",
        "page[]=1",
        "page=1&page=1",
        "page=1&p%61ge=2",
        "=",
        "page=1&",
        "%",
        "a%00=1",
    ] {
        let answer = manager.get(&format!("{ACCOUNTS}?{bad}")).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "BAD_PARAMETER".to_owned()),
            "{bad}"
        );
    }
    manager.get("/accounts?order_by=%6eame").await.ok();
}
