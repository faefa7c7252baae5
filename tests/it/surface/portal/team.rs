//! `/api/portal/team`

use charter_store::Error;
use serde_json::json;
use test_support::on_both_services;
use test_support::service::{PASSWORD, Person, Persona, Service, TeamRole, all_at_once, members};

use super::{ORGANIZATION, TEAM};

on_both_services!(
    every_member_lists_the_team,
    only_owners_make_or_change_owners_and_nobody_its_own_role,
    admins_and_owners_remove_members_and_nobody_removes_an_owner,
    a_members_id_is_read_in_either_case,
    there_is_always_an_owner,
    other_tenants_objects_are_404,
    a_role_changes_at_once,
);

fn role_of(person: &Person) -> String {
    format!("{TEAM}/{}/role", person.id)
}

fn member(person: &Person) -> String {
    format!("{TEAM}/{}", person.id)
}

async fn every_member_lists_the_team(service: &Service) {
    let acme = service.organization("acme").await;
    let other = service.organization("other").await;
    other.person(TeamRole::Owner).await;
    let owner = acme.person(TeamRole::Owner).await;
    service.clock.advance(1);
    let reader = acme.person(TeamRole::Member).await;
    for person in [&owner, &reader] {
        let team = person.get(TEAM).await.ok();
        let team = team.as_array().expect("an array");
        let names = [
            "createdAt",
            "email",
            "emailVerified",
            "id",
            "isActive",
            "lastLoginAt",
            "role",
        ];
        assert_eq!(members(team[0].as_object().expect("an object")), names);
        assert_eq!(team.len(), 2);
        assert_eq!(
            team[1],
            json!({
                "id": reader.id,
                "email": reader.email,
                "role": "member",
                "isActive": true,
                "emailVerified": true,
                "createdAt": "2025-09-30T12:00:01Z",
                "lastLoginAt": "2025-09-30T12:00:01Z",
            })
        );
    }
}

async fn only_owners_make_or_change_owners_and_nobody_its_own_role(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let admin = acme.person(TeamRole::Admin).await;
    let reader = acme.person(TeamRole::Member).await;
    let change = |by: &Person, of: &Person, role: &str| by.put(&role_of(of), json!({"role": role}));
    assert_eq!(change(&admin, &reader, "admin").await.ok()["role"], "admin");
    assert_eq!(
        change(&owner, &reader, "member").await.ok()["role"],
        "member"
    );
    assert_eq!(
        change(&owner, &reader, "member").await.ok()["role"],
        "member"
    );
    change(&admin, &reader, "owner")
        .await
        .assert_refused(403, "NOT_PERMITTED");
    change(&admin, &owner, "member")
        .await
        .assert_refused(403, "NOT_PERMITTED");
    change(&reader, &admin, "member")
        .await
        .assert_refused(403, "NOT_PERMITTED");
    for person in [&owner, &admin] {
        change(person, person, "member")
            .await
            .assert_refused(400, "OWN_ROLE");
    }
    assert_eq!(
        change(&owner, &reader, "king").await.broken_on_portal(),
        ["/role"]
    );
    assert_eq!(change(&owner, &reader, "owner").await.ok()["role"], "owner");
}

async fn admins_and_owners_remove_members_and_nobody_removes_an_owner(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let second = acme
        .person_named("second@acme.example", TeamRole::Owner)
        .await;
    let admin = acme.person(TeamRole::Admin).await;
    let reader = acme.person(TeamRole::Member).await;
    reader
        .delete(&member(&admin))
        .await
        .assert_refused(403, "NOT_PERMITTED");
    admin
        .delete(&member(&owner))
        .await
        .assert_refused(403, "NOT_PERMITTED");
    owner
        .delete(&member(&second))
        .await
        .assert_refused(400, "TARGET_IS_OWNER");
    owner
        .delete(&member(&owner))
        .await
        .assert_refused(400, "TARGET_IS_OWNER");
    assert_eq!(admin.delete(&member(&reader)).await.ok(), json!({}));
    reader
        .get(ORGANIZATION)
        .await
        .assert_refused(401, "INVALID_TOKEN");
    reader.refresh().await.assert_refused(401, "INVALID_TOKEN");
    service
        .anonymous()
        .log_in(&reader.email, PASSWORD)
        .await
        .assert_refused(401, "INVALID_LOGIN");
    admin
        .delete(&member(&reader))
        .await
        .assert_refused(404, "NOT_FOUND");
    // The address is free again.
    let body = json!({"email": reader.email, "role": "member"});
    owner.post(&format!("{TEAM}/invite"), body).await.ok();
}

async fn a_members_id_is_read_in_either_case(service: &Service) {
    let acme = service.organization("acme").await;
    let (owner, reader) = (acme.person("owner").await, acme.person("member").await);
    let upper = format!("{TEAM}/{}/role", reader.id.to_uppercase());
    owner.put(&upper, json!({"role": "admin"})).await.ok();
    for other in [
        reader.id.replace('-', ""),
        format!("{{{}}}", reader.id),
        format!("urn:uuid:{}", reader.id),
    ] {
        let target = format!(
            "{TEAM}/{}/role",
            other.replace('{', "%7B").replace('}', "%7D")
        );
        let refused = owner.put(&target, json!({"role": "member"})).await;
        refused.assert_refused(404, "NOT_FOUND");
    }
    let path = format!("{TEAM}/{}", reader.id.to_uppercase());
    for method in ["GET", "PUT", "POST", "PATCH"] {
        let refused = owner.ask(method, &path).await;
        refused.assert_refused(405, "METHOD_NOT_ALLOWED");
        assert_eq!(refused.header("allow"), Some("DELETE"), "{method}");
    }
    owner.delete(&path).await.ok();
}

async fn there_is_always_an_owner(service: &Service) {
    let acme = service.organization("acme").await;
    let one = acme.person(TeamRole::Owner).await;
    let two = acme.person_named("two@acme.example", TeamRole::Owner).await;
    for _ in 0..15 {
        // Each demotes the other at once: one of them stays.
        let demote =
            |by: &Person, of: &Person| by.put(&role_of(of), json!({"role": "member"})).write();
        let answers = all_at_once([demote(&one, &two), demote(&two, &one)]).await;
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(won, 1, "{answers:?}");
        let (winner, loser) = if answers[0].status == 200 {
            (&one, &two)
        } else {
            (&two, &one)
        };
        let loser_saw = if answers[0].status == 200 {
            &answers[1]
        } else {
            &answers[0]
        };
        assert!(matches!(loser_saw.status, 400 | 403), "{loser_saw:?}");
        winner
            .put(&role_of(loser), json!({"role": "owner"}))
            .await
            .ok();
    }
    // A policy may let others change owners: the last one stays all the same.
    let second = charter_domain::id::UserId::parse_uuid(&two.id).expect("an id");
    let stored = acme.stored().by(&service.operator());
    let demote = |id| stored.change_role(id, "admin", |_| Ok::<_, Error>(()));
    demote(second).await.expect("one is left");
    let first = charter_domain::id::UserId::parse_uuid(&one.id).expect("an id");
    assert!(matches!(demote(first).await, Err(Error::LastOwner)));
    let team = one.get(TEAM).await.ok();
    assert!(
        team.as_array()
            .expect("rows")
            .iter()
            .any(|row| row["role"] == "owner")
    );
}

async fn other_tenants_objects_are_404(service: &Service) {
    let acme = service.organization("acme").await;
    let other = service.organization("other").await;
    let foreign = other.person(TeamRole::Member).await;
    let owner = acme.person(TeamRole::Owner).await;
    let missing = "01980f3a-7b1c-7def-8a12-3456789abcde";
    let mut answers = Vec::new();
    for id in [
        &*foreign.id,
        missing,
        "nonsense",
        &owner.id.replace('-', ""),
    ] {
        owner
            .delete(&format!("{TEAM}/{id}"))
            .await
            .assert_refused(404, "NOT_FOUND");
        let answer = owner
            .put(&format!("{TEAM}/{id}/role"), json!({"role": "member"}))
            .await;
        answers.push(answer.without_request_id());
    }
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
    assert_eq!(answers[0].0, 404);
    foreign.get(ORGANIZATION).await.ok();
}

async fn a_role_changes_at_once(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let admin = acme.person(TeamRole::Admin).await;
    let profile = json!({"name": "Acme", "slug": "acme"});
    for _ in 0..20 {
        admin.put(ORGANIZATION, profile.clone()).await.ok();
        owner
            .put(&role_of(&admin), json!({"role": "member"}))
            .await
            .ok();
        admin
            .put(ORGANIZATION, profile.clone())
            .await
            .assert_refused(403, "NOT_PERMITTED");
        owner
            .put(&role_of(&admin), json!({"role": "admin"}))
            .await
            .ok();
    }
    let id = admin
        .id
        .parse()
        .map(charter_domain::id::UserId::from_uuid)
        .expect("an id");
    let by = service.operator();
    acme.stored()
        .by(&by)
        .set_member_active(id, false)
        .await
        .expect("disabled");
    admin
        .get(ORGANIZATION)
        .await
        .assert_refused(401, "INVALID_TOKEN");
    service
        .anonymous()
        .log_in(&admin.email, PASSWORD)
        .await
        .assert_refused(401, "INVALID_LOGIN");
    acme.stored()
        .by(&by)
        .set_member_active(id, true)
        .await
        .expect("enabled");
    admin
        .get(ORGANIZATION)
        .await
        .assert_refused(401, "INVALID_TOKEN");
    service
        .sign_in(&admin.email, PASSWORD)
        .await
        .get(ORGANIZATION)
        .await
        .ok();
}
