//! `GET /policies/revisions`.

use std::sync::Arc;

use charter_domain::entropy::OsEntropy;
use charter_domain::id::ApprovalId;
use charter_store::{NewPolicyApproval, NewPolicyRevision, PolicyFiles, TakenAs};
use serde_json::{Value, json};
use test_support::service::Service;

use super::{get, on_both};

on_both!(
    revisions_are_listed_newest_first_with_who_approved,
    a_forged_row_is_not_believed,
    damage_of_a_revision_hides_no_other_of_its_digest,
    a_domain_has_a_name_and_exists_everywhere
);

async fn accept(service: &Service, digest: &str) -> i64 {
    service.clock.advance(60);
    let now = charter_domain::clock::Clock::now(&*service.clock);
    let files: PolicyFiles = [("a.cedar".to_owned(), Arc::from(digest))].into();
    let new = NewPolicyRevision {
        whole_digest: digest.repeat(64),
        policy_digest: digest.to_uppercase().repeat(64),
        manifest_version: None,
        files,
        taken_as: TakenAs::Edit,
        in_force_from: now,
    };
    let by = service.operator();
    let accepted = service.store().accept_policies(None, &new, &by).await;
    accepted.expect("recorded")
}

async fn revisions_are_listed_newest_first_with_who_approved(service: &Service) {
    let now = charter_domain::clock::Clock::now(&*service.clock);
    let id = ApprovalId::generate(now, &OsEntropy);
    let approval = NewPolicyApproval {
        id,
        whole_digest: "b".repeat(64),
        base: 1,
        approved_by: "ann".to_owned(),
        reason: "for the launch".to_owned(),
    };
    let by = service.operator();
    let approved = service.store().approve_policies(None, approval, &by).await;
    approved.expect("approved");
    assert_eq!(accept(service, "b").await, 2);
    assert_eq!(accept(service, "c").await, 3);
    let shown = get(service, "/policies/revisions").await.ok();
    assert_eq!(shown["next_cursor"], Value::Null);
    let [third, second, first] = shown["results"].as_array().expect("a list").as_slice() else {
        panic!("{shown}");
    };
    assert_eq!(
        (&third["revision"], &third["in_force_until"]),
        (&json!(3), &Value::Null)
    );
    assert_eq!(
        second,
        &json!({
            "revision": 2,
            "is_authentic": true,
            "in_force_from": "2025-09-30T12:01:00Z",
            "in_force_until": "2025-09-30T12:02:00Z",
            "taken_as": "edit",
            "manifest_version": null,
            "folder_digest": "b".repeat(64),
            "digest": "B".repeat(64),
            "approvals": [{
                "id": id.to_string(),
                "approved_by": "ann",
                "reason": "for the launch",
                "approved_at": "2025-09-30T12:00:00Z",
            }],
        })
    );
    assert_eq!(
        (&first["taken_as"], &first["in_force_until"]),
        (&json!("start"), &second["in_force_from"])
    );

    // Page by page it is the same.
    let mut paged = Vec::new();
    let mut target = "/policies/revisions?limit=1".to_owned();
    loop {
        let page = get(service, &target).await.ok();
        paged.extend(page["results"].as_array().expect("a list").iter().cloned());
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        target = format!("/policies/revisions?limit=1&cursor={cursor}");
    }
    assert_eq!(json!(paged), shown["results"]);
    for bad in [
        "limit=0",
        "limit=201",
        "limit=x",
        "cursor=x",
        "cursor=2",
        "cursor=",
        "page=1",
    ] {
        let answer = get(service, &format!("/policies/revisions?{bad}")).await;
        answer.assert_refused(400, "BAD_PARAMETER");
    }
}

async fn a_forged_row_is_not_believed(service: &Service) {
    use sea_orm::ConnectionTrait as _;
    accept(service, "b").await;
    let raw = test_support::services::connect(service.database_url()).await;
    let forged = "UPDATE policy_revisions SET taken_as = 'stop' WHERE sequence = 2";
    raw.execute_unprepared(forged).await.expect(forged);
    let shown = get(service, "/policies/revisions").await.ok();
    let second = &shown["results"][0];
    assert_eq!(
        (&second["revision"], &second["is_authentic"]),
        (&json!(2), &json!(false))
    );
    assert_eq!(
        (&second["folder_digest"], &second["approvals"]),
        (&Value::Null, &json!([]))
    );
    assert_eq!(shown["results"][1]["is_authentic"], true);
}

async fn damage_of_a_revision_hides_no_other_of_its_digest(service: &Service) {
    use sea_orm::ConnectionTrait as _;
    for digest in ["b", "c", "b"] {
        accept(service, digest).await;
    }
    let texts = format!("/policies/revisions/{}", "B".repeat(64));
    assert_eq!(get(service, &texts).await.ok()["revision"], 4);
    let raw = test_support::services::connect(service.database_url()).await;
    let damage = |sequence: u8| {
        format!("UPDATE policy_revisions SET taken_as = 'stop' WHERE sequence = {sequence}")
    };
    raw.execute_unprepared(&damage(4)).await.expect("damaged");
    assert_eq!(get(service, &texts).await.ok()["revision"], 2);
    raw.execute_unprepared(&damage(2)).await.expect("damaged");
    get(service, &texts).await.assert_refused(404, "NOT_FOUND");
}

async fn a_domain_has_a_name_and_exists_everywhere(service: &Service) {
    let digest = "b".repeat(64);
    for path in [
        "/policies",
        "/policies/coverage",
        "/policies/revisions",
        &format!("/policies/revisions/{digest}"),
        "/decisions",
    ] {
        let asked = |name: &str| get(service, &format!("{path}?domain={name}"));
        asked("").await.assert_refused(400, "BAD_PARAMETER");
        asked("nope").await.assert_refused(400, "VALIDATION_FAILED");
    }
}
