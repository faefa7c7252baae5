//! `/api/portal/organization`

use serde_json::json;
use test_support::on_both_services;
use test_support::service::{Persona, Service, TeamRole, all_at_once, members};
use uuid::Uuid;

use super::ORGANIZATION;

on_both_services!(
    every_member_reads_the_profile,
    owners_and_admins_change_the_profile,
    a_broken_profile_is_named,
    one_of_concurrent_edits_gets_a_slug,
    a_stale_if_match_is_refused,
    it_takes_bearer_tokens_only,
);

async fn every_member_reads_the_profile(service: &Service) {
    let acme = service.organization("acme").await;
    for role in [TeamRole::Owner, TeamRole::Admin, TeamRole::Member] {
        let person = acme.person(role).await;
        let answer = person.get(ORGANIZATION).await;
        let organization = answer.ok();
        let object = organization.as_object().expect("an object");
        let names = [
            "allowedRegions",
            "contactEmail",
            "createdAt",
            "defaultRegion",
            "id",
            "isActive",
            "monthlyDocLimit",
            "name",
            "planTier",
            "schemaName",
            "slug",
        ];
        assert_eq!(members(object), names);
        assert_eq!(
            organization,
            json!({
                "id": acme.organization.id.uuid(),
                "name": "Acme Corporation",
                "slug": "acme",
                "schemaName": format!("org_{}", acme.organization.code),
                "contactEmail": null,
                "defaultRegion": null,
                "allowedRegions": ["ca-central-1", "us-east-2", "eu-central-1"],
                "planTier": "free",
                "monthlyDocLimit": 100,
                "isActive": true,
                "createdAt": "2025-09-30T12:00:00Z",
            })
        );
        let id: Uuid = organization["id"]
            .as_str()
            .expect("an id")
            .parse()
            .expect("a UUID");
        assert_eq!(id.get_version_num(), 7);
        let again = person
            .get(ORGANIZATION)
            .header("if-none-match", &answer.etag());
        assert_eq!(again.await.status, 304);
    }
}

async fn owners_and_admins_change_the_profile(service: &Service) {
    let acme = service.organization("acme").await;
    for (role, slug) in [(TeamRole::Owner, "acme-one"), (TeamRole::Admin, "acme-two")] {
        let person = acme.person(role).await;
        let profile = json!({"name": "  Acme\u{301}  Inc. ", "slug": slug});
        let changed = person.put(ORGANIZATION, profile).await.ok();
        assert_eq!(
            (&changed["name"], &changed["slug"]),
            (&json!("Acmé  Inc."), &json!(slug))
        );
        assert_eq!(
            changed["schemaName"],
            format!("org_{}", acme.organization.code)
        );
        assert_eq!(person.get(ORGANIZATION).await.ok(), changed);
    }
    let member = acme.person(TeamRole::Member).await;
    member
        .put(ORGANIZATION, json!({"name": "Mine", "slug": "mine"}))
        .await
        .assert_refused(403, "NOT_PERMITTED");
    assert_eq!(member.get(ORGANIZATION).await.ok()["slug"], "acme-two");
}

async fn a_broken_profile_is_named(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    for (body, code) in [
        (json!({"name": "A"}), "MISSING_FIELD"),
        (json!({"slug": "abc"}), "MISSING_FIELD"),
        (json!({}), "MISSING_FIELD"),
        (json!({"name": null, "slug": "abc"}), "WRONG_TYPE"),
        (json!({"name": "A", "slug": 7}), "WRONG_TYPE"),
        (
            json!({"name": "A", "slug": "abc", "planTier": "pro"}),
            "UNKNOWN_FIELD",
        ),
        (
            json!({"name": "A", "slug": "abc", "isActive": false}),
            "UNKNOWN_FIELD",
        ),
        (
            json!({"name": "A", "slug": "abc", "schemaName": "x"}),
            "UNKNOWN_FIELD",
        ),
        (json!(["A", "abc"]), "WRONG_TYPE"),
    ] {
        owner
            .put(ORGANIZATION, body)
            .await
            .assert_refused(400, code);
    }
    for slug in [
        "ab",
        "Acme",
        "a--b",
        "-ab",
        "ab-",
        "a_b",
        "api",
        "www",
        "é-é",
        &"a".repeat(64),
    ] {
        let answer = owner
            .put(ORGANIZATION, json!({"name": "A", "slug": slug}))
            .await;
        assert_eq!(answer.broken_on_portal(), ["/slug"], "{slug}");
    }
    let answer = owner
        .put(ORGANIZATION, json!({"name": " ", "slug": "?"}))
        .await;
    assert_eq!(answer.broken_on_portal(), ["/name", "/slug"]);
    assert_eq!(owner.get(ORGANIZATION).await.ok()["slug"], "acme");
}

async fn one_of_concurrent_edits_gets_a_slug(service: &Service) {
    let mut owners = Vec::new();
    for n in 0..4 {
        let tenant = service.organization(&format!("tenant-{n}")).await;
        owners.push(tenant.person(TeamRole::Owner).await);
    }
    for round in 0..10 {
        let slug = format!("wanted-{round}");
        let body = json!({"name": "A", "slug": slug});
        let wishes = owners
            .iter()
            .map(|owner| owner.put(ORGANIZATION, body.clone()).write());
        let mut won = 0;
        for answer in all_at_once(wishes).await {
            if answer.status == 200 {
                won += 1;
            } else {
                answer.assert_refused(409, "SLUG_TAKEN");
            }
        }
        assert_eq!(won, 1);
    }
}

async fn a_stale_if_match_is_refused(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let etag = owner.get(ORGANIZATION).await.etag();
    let profile = json!({"name": "B", "slug": "acme"});
    let first = owner
        .put(ORGANIZATION, profile.clone())
        .header("if-match", &etag)
        .await;
    assert_ne!(first.etag(), etag);
    first.ok();
    let second = owner.put(ORGANIZATION, profile).header("if-match", &etag);
    second.await.assert_refused(412, "PRECONDITION_FAILED");
}

async fn it_takes_bearer_tokens_only(service: &Service) {
    let acme = service.organization("acme").await;
    let signer = acme.manager().await;
    signer
        .get(ORGANIZATION)
        .await
        .assert_refused(401, "MALFORMED_AUTHORIZATION");
    service
        .anonymous()
        .get(ORGANIZATION)
        .await
        .assert_refused(401, "MISSING_CREDENTIALS");
}
