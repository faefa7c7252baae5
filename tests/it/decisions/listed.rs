//! Lists of decisions (contract section 4, `GET /decisions`).

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{Persona, Service, TeamRole, everything, members};
use test_support::services::TestDatabase;

use super::Logged as _;
use crate::surface::cursors::{all_pages, next, page, results};

const DECISIONS: &str = "/decisions";
const INFO: &str = "/organizations/info";

on_both_services!(
    a_decision_is_listed_without_its_reasons,
    filters_select_decisions,
    a_feed_goes_on_where_it_ended,
    foreign_decisions_are_not_listed,
    owners_and_admins_list_and_members_do_not,
    a_users_uuid_is_taken_for_the_user,
    a_query_is_taken_literally,
);

pub(super) fn ids(records: &[Value], is_listed: impl Fn(&Value) -> bool) -> Vec<String> {
    let listed = records.iter().filter(|it| is_listed(it));
    listed
        .map(|it| it["id"].as_str().expect("an id").to_owned())
        .collect()
}

async fn a_decision_is_listed_without_its_reasons(service: &Service) {
    let acme = service.organization("acme").await;
    let nobody = acme.signer(&[]).await;
    let auditor = acme.signer(&[Permission::ListDecisions]).await;
    let denied = nobody.get(INFO).header("x-request-id", "r-7").await;
    denied.assert_refused(403, "NOT_PERMITTED");
    let answer = auditor.get(DECISIONS).await.ok();
    assert_eq!(
        members(answer.as_object().expect("an object")),
        ["next_cursor", "results"]
    );
    let found = results(&answer);
    // Its own question is the newest.
    assert_eq!(found[0]["permission"], "decisions:ListDecisions");
    assert_eq!(found[0]["outcome"], "allow");
    assert_eq!(
        found[1],
        json!({
            "id": denied.json()["error"]["decision_id"],
            "at": "2025-09-30T12:00:00Z",
            "request_id": "r-7",
            "via": null,
            "principal": {"type": "ServiceAccount", "id": nobody.id},
            "permission": "organizations:GetOrganization",
            "outcome": "deny",
        })
    );
    assert_eq!(found.len(), 2);
    assert_eq!(answer["next_cursor"], json!(null));
}

async fn filters_select_decisions(service: &Service) {
    let acme = service.organization("acme").await;
    let (nobody, reader) = (
        acme.signer(&[]).await,
        acme.signer(&[Permission::GetOrganization]).await,
    );
    let auditor = acme.signer(&[Permission::ListDecisions]).await;
    service.clock.advance(10);
    nobody.get(INFO).await.assert_refused(403, "NOT_PERMITTED");
    reader.get(INFO).await.ok();
    service.clock.advance(10);
    nobody
        .get("/accounts")
        .await
        .assert_refused(403, "NOT_PERMITTED");
    let at = |seconds: i64| service.clock.in_seconds(seconds);
    let own = "permission=decisions:ListDecisions";
    for (query, expected) in [
        (format!("actor={}", nobody.id), 2),
        (format!("actor={}&outcome=allow", nobody.id), 0),
        (format!("actor={}", reader.id), 1),
        ("permission=organizations%3AGetOrganization".to_owned(), 2),
        (
            "permission=organizations:GetOrganization&outcome=deny".to_owned(),
            1,
        ),
        ("permission=nothing".to_owned(), 0),
        ("outcome=deny".to_owned(), 2),
        (format!("outcome=deny&since={}", at(0)), 1),
        (format!("outcome=deny&until={}", at(0)), 1),
        (format!("outcome=deny&since={}&until={}", at(-10), at(1)), 2),
        (format!("{own}&since={}", at(1)), 0),
        ("actor=User::%22x%22".to_owned(), 0),
    ] {
        let answer = page(&auditor, DECISIONS, &query).await;
        assert_eq!(results(&answer).len(), expected, "{query}");
    }
}

async fn a_feed_goes_on_where_it_ended(service: &Service) {
    let acme = service.organization("acme").await;
    let nobody = acme.signer(&[]).await;
    let auditor = acme.signer(&[Permission::ListDecisions]).await;
    let feed = "order=oldest&outcome=deny&limit=2";
    let mut cursor = next(&page(&auditor, DECISIONS, feed).await).expect("a cursor");
    for _ in 0..3 {
        for _ in 0..3 {
            nobody.get(INFO).await.assert_refused(403, "NOT_PERMITTED");
        }
        for many in [2, 1, 0] {
            let answer = page(&auditor, DECISIONS, &format!("{feed}&cursor={cursor}")).await;
            assert_eq!(results(&answer).len(), many);
            cursor = next(&answer).expect("a cursor");
        }
    }
    let all = all_pages(&auditor, DECISIONS, feed).await;
    let denied = service.logged().into_iter();
    let denied: Vec<Value> = denied.filter(|it| it["decision"] == "deny").collect();
    assert_eq!(ids(&all, |_| true), ids(&denied, |_| true));
    let mut newest = all_pages(&auditor, DECISIONS, "outcome=deny&limit=4").await;
    newest.reverse();
    assert_eq!(newest, all);
}

async fn foreign_decisions_are_not_listed(service: &Service) {
    let (acme, globex) = (
        service.organization("acme").await,
        service.organization("globex").await,
    );
    let foreign = globex.signer(&[Permission::ListDecisions]).await;
    foreign.get(INFO).await.assert_refused(403, "NOT_PERMITTED");
    let auditor = acme.signer(&[Permission::ListDecisions]).await;
    let nothing = json!({"results": [], "next_cursor": null});
    let answer = page(&auditor, DECISIONS, &format!("actor={}", foreign.id)).await;
    assert_eq!(answer, nothing);
    let answer = page(&auditor, DECISIONS, "outcome=deny").await;
    assert_eq!(answer, nothing);
    let cursor = next(&page(&foreign, DECISIONS, "limit=1").await).expect("a cursor");
    for target in [
        format!("{DECISIONS}?cursor={cursor}"),
        format!("/audit-events?cursor={cursor}"),
    ] {
        let who = acme.signer(&[Permission::ListDecisions, Permission::ListEvents]);
        let refused = who.await.get(&target).await;
        refused.assert_refused(400, "BAD_PARAMETER");
    }
    let own = page(&foreign, DECISIONS, &format!("cursor={cursor}")).await;
    assert!(!results(&own).is_empty());
}

async fn owners_and_admins_list_and_members_do_not(service: &Service) {
    let acme = service.organization("acme").await;
    for (role, may) in [
        (TeamRole::Owner, true),
        (TeamRole::Admin, true),
        (TeamRole::Member, false),
    ] {
        let answer = acme.person(role).await.get(DECISIONS).await;
        if may {
            answer.ok();
        } else {
            answer.assert_refused(403, "NOT_PERMITTED");
        }
    }
    let manager = acme.signer(&everything()).await;
    let refused = manager.get(DECISIONS).await;
    refused.assert_refused(403, "NOT_PERMITTED");
    // Listing is not reading why.
    let auditor = acme.signer(&[Permission::ListDecisions]).await;
    let listed = page(&auditor, DECISIONS, "outcome=deny").await;
    let id = results(&listed)[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let refused = auditor.get(&format!("{DECISIONS}/{id}")).await;
    refused.assert_refused(403, "NOT_PERMITTED");
    let anonymous = service.anonymous().get(DECISIONS).await;
    anonymous.assert_refused(401, "MISSING_CREDENTIALS");
}

async fn a_query_is_taken_literally(service: &Service) {
    let acme = service.organization("acme").await;
    let auditor = acme.signer(&[Permission::ListDecisions]).await;
    for bad in [
        "limit=0",
        "limit=201",
        "order=random",
        "outcome=Deny",
        "outcome=",
        "actor=",
        "permission=%0A",
        "since=2025-09-30T12:00:01Z&until=2025-09-30T12:00:00Z",
        "until=x",
        "cursor=x",
        "action=x",
        "object=x",
    ] {
        let answer = auditor.get(&format!("{DECISIONS}?{bad}")).await;
        answer.assert_refused(400, "BAD_PARAMETER");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organization_that_has_used_up_its_searches_waits() {
    let settings = "[budgets]\nsearches_per_minute = 2\n";
    let service = Service::with(TestDatabase::sqlite(), settings).await;
    let acme = service.organization("acme").await;
    let auditor = acme.signer(&[Permission::ListDecisions]).await;
    for _ in 0..2 {
        auditor.get(DECISIONS).await.ok();
    }
    let refused = auditor.get(DECISIONS).await;
    refused.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(refused.header("retry-after"), Some("30"));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_decision_is_listed_without_a_log() {
    let service = Service::with(TestDatabase::sqlite(), "[decisions]\nenabled = false").await;
    let acme = service.organization("acme").await;
    let auditor = acme.signer(&[Permission::ListDecisions]).await;
    let answer = auditor.get(DECISIONS).await.ok();
    assert_eq!(answer, json!({"results": [], "next_cursor": null}));
    let feed = page(&auditor, DECISIONS, "order=oldest").await;
    assert!(next(&feed).is_some());
    service.stop().await;
}

/// The portal shows users by their UUIDs.
async fn a_users_uuid_is_taken_for_the_user(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let made = owner.post("/accounts", json!({"name": "Staging"})).await;
    made.created();
    for list in ["/audit-events", DECISIONS] {
        let of_actor = |actor: String| owner.get(&format!("{list}?actor={actor}"));
        let listed = results(&of_actor(owner.id.clone()).await.ok()).len();
        assert!(listed > 0, "{list}");
        let upper = of_actor(owner.id.to_uppercase()).await.ok();
        assert!(!results(&upper).is_empty(), "{list}");
    }
    let object = owner
        .get(&format!("/audit-events?object={}", owner.id))
        .await;
    object.assert_refused(400, "BAD_PARAMETER");
    let message = object.json()["error"]["message"].to_string();
    assert!(message.contains("user-"), "{message}");
}
