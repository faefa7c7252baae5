//! `/decisions` on the operations listener.

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::service::{Persona as _, Service};

use super::{get, on_both};

on_both!(
    decisions_of_all_organizations_are_listed_newest_first,
    a_page_goes_on_where_the_last_one_ended,
    a_decision_is_explained_to_operators
);

const INFO: &str = "/organizations/info";

async fn list(service: &Service, query: &str) -> Value {
    get(service, &format!("/decisions{query}")).await.ok()
}

fn ids(list: &Value) -> Vec<String> {
    let results = list["results"].as_array().expect("a list");
    results
        .iter()
        .map(|it| it["id"].as_str().expect("an id").to_owned())
        .collect()
}

async fn decisions_of_all_organizations_are_listed_newest_first(service: &Service) {
    assert_eq!(
        list(service, "").await,
        json!({"results": [], "next_cursor": null})
    );
    let (acme, globex) = (
        service.organization("acme").await,
        service.organization("globex").await,
    );
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let nobody = globex.signer(&[]).await;
    reader.get(INFO).header("x-request-id", "r-1").await.ok();
    service.clock.advance(60);
    let refused = nobody.get(INFO).header("x-request-id", "r-2").await;
    refused.assert_refused(403, "NOT_PERMITTED");
    service.clock.advance(60);
    reader
        .get("/accounts")
        .await
        .assert_refused(403, "NOT_PERMITTED");
    let shown = list(service, "").await;
    assert_eq!(shown["next_cursor"], Value::Null);
    let results = shown["results"].as_array().expect("a list");
    let facts: Vec<Value> = results
        .iter()
        .map(|it| {
            json!([
                it["organization"],
                it["action"],
                it["decision"],
                it["policies"]
            ])
        })
        .collect();
    let (acme_id, globex_id) = (acme.organization.id, globex.organization.id);
    assert_eq!(
        json!(facts),
        json!([
            [acme_id.to_string(), "accounts:ListAccounts", "deny", []],
            [
                globex_id.to_string(),
                "organizations:GetOrganization",
                "deny",
                []
            ],
            [
                acme_id.to_string(),
                "organizations:GetOrganization",
                "allow",
                ["organizations:GetOrganization"]
            ],
        ])
    );
    assert_eq!(results[1]["request_id"], "r-2");
    assert_eq!(
        results[1]["principal"],
        json!({"type": "ServiceAccount", "id": nobody.id})
    );
    assert_eq!(results[1]["at"], "2025-09-30T12:01:00Z");

    for (query, expected) in [
        (format!("?organization={globex_id}"), &[1][..]),
        (format!("?principal={}", reader.id), &[0, 2]),
        ("?outcome=allow".to_owned(), &[2]),
        (
            "?outcome=deny&permission=organizations:GetOrganization".to_owned(),
            &[1],
        ),
        ("?policy=organizations:GetOrganization".to_owned(), &[2]),
        ("?shadow_differs=true".to_owned(), &[]),
        ("?since=2025-09-30T12:01:00Z".to_owned(), &[0, 1]),
        ("?until=2025-09-30T12:01:00Z".to_owned(), &[2]),
        (
            "?since=2025-09-30T12:00:30Z&until=2025-09-30T12:01:30Z".to_owned(),
            &[1],
        ),
        ("?organization=org-nonsense".to_owned(), &[]),
    ] {
        let found = ids(&list(service, &query).await);
        let expected: Vec<String> = expected.iter().map(|at| ids(&shown)[*at].clone()).collect();
        assert_eq!(found, expected, "{query}");
    }
    for bad in [
        "limit=0",
        "limit=201",
        "cursor=x",
        "cursor=1",
        "outcome=maybe",
        "since=noon",
        "x=1",
    ] {
        let answer = get(service, &format!("/decisions?{bad}")).await;
        answer.assert_refused(400, "BAD_PARAMETER");
    }
}

async fn a_page_goes_on_where_the_last_one_ended(service: &Service) {
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    for _ in 0..7 {
        reader.get(INFO).await.ok();
    }
    let all = ids(&list(service, "").await);
    assert_eq!(all.len(), 7);
    let mut paged = Vec::new();
    let mut cursors = Vec::new();
    let mut query = "?limit=3".to_owned();
    loop {
        let page = list(service, &query).await;
        paged.extend(ids(&page));
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        cursors.push(cursor.to_owned());
        // What is decided meanwhile comes before, and moves nothing.
        reader.get(INFO).await.ok();
        query = format!("?limit=3&cursor={cursor}");
    }
    assert_eq!(paged, all);
    // A cursor is opaque, and good for its list and filters only.
    let cursor = &cursors[0];
    assert!(cursor.len() > 40, "{cursor}");
    for other in [
        format!("/decisions?outcome=allow&cursor={cursor}"),
        format!("/decisions?cursor={}", &cursor[1..]),
        "/decisions?cursor=1-0".to_owned(),
        format!("/policies/revisions?cursor={cursor}"),
    ] {
        let answer = get(service, &other).await;
        answer.assert_refused(400, "BAD_PARAMETER");
    }
}

async fn a_decision_is_explained_to_operators(service: &Service) {
    let acme = service.organization("acme").await;
    let nobody = acme.signer(&[]).await;
    let refused = nobody.get(INFO).await;
    refused.assert_refused(403, "NOT_PERMITTED");
    let id = refused.json()["error"]["decision_id"].clone();
    let id = id.as_str().expect("an id");
    let shown = get(service, &format!("/decisions/{id}")).await.ok();
    assert_eq!(shown["id"], id);
    assert_eq!(shown["organization"], acme.organization.id.to_string());
    assert_eq!(shown["shadow"], Value::Null);
    assert_eq!(
        shown["explanation"]["nearest"][0]["policy"],
        "organizations:GetOrganization"
    );
    assert!(shown["entities"].is_array() && shown["context"]["source_ip"].is_object());
    for id in ["dec-nonsense", "x", "dec-01k6dyspfte23tskdzn1kqd65k"] {
        let answer = get(service, &format!("/decisions/{id}")).await;
        answer.assert_refused(404, "NOT_FOUND");
    }
}
