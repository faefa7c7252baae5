//! `/api/portal/team/invite`: who may invite whom, and how an invited person joins.

use serde_json::json;
use test_support::on_both_services;
use test_support::service::{PASSWORD, Person, Persona, Service, TeamRole};

use super::{ORGANIZATION, TEAM};

on_both_services!(
    an_invited_person_joins,
    invitations_need_the_permission,
    invitations_by_a_former_role_are_refused,
);

async fn an_invited_person_joins(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let invite = |role| {
        owner.post(
            &format!("{TEAM}/invite"),
            json!({"email": "Grace@Example.com", "role": role}),
        )
    };
    let first = invite("admin").await.ok();
    assert_eq!(
        first,
        json!({"email": "grace@example.com", "role": "admin", "expiresAt": service.clock.in_seconds(172_800)})
    );
    // A mail whose link is replaced before it was sent is never sent: so wait for it.
    let page = "accept-invitation";
    let replaced = service.link(page, "grace@example.com", 1).await;
    // Mails are told apart by their time.
    service.clock.advance(1);
    invite("member").await.ok();
    let token = service.link(page, "grace@example.com", 2).await;
    let accept = |token: &str, password| {
        let body = json!({"token": token, "password": password});
        service
            .anonymous()
            .post("/api/auth/accept-invitation", body)
    };
    accept(&replaced, PASSWORD)
        .await
        .assert_refused(400, "INVALID_LINK");
    assert_eq!(
        accept(&token, "short").await.broken_on_portal(),
        ["/password"]
    );
    let grace = service.person("grace@example.com", &accept(&token, PASSWORD).await);
    accept(&token, PASSWORD)
        .await
        .assert_refused(400, "INVALID_LINK");
    assert_eq!(grace.get(ORGANIZATION).await.ok()["slug"], "acme");
    service.sign_in("grace@example.com", PASSWORD).await;
    let team = grace.get(TEAM).await.ok();
    let row = team
        .as_array()
        .expect("rows")
        .iter()
        .find(|row| row["email"] == "grace@example.com");
    let row = row.expect("a member");
    assert_eq!(
        (&row["role"], &row["emailVerified"]),
        (&json!("member"), &json!(true))
    );
    assert_eq!(row["lastLoginAt"], row["createdAt"]);
    invite("member").await.assert_refused(409, "ALREADY_MEMBER");
}

async fn invitations_need_the_permission(service: &Service) {
    let acme = service.organization("acme").await;
    let other = service.organization("other").await;
    let taken = other.person(TeamRole::Owner).await;
    let owner = acme.person(TeamRole::Owner).await;
    let admin = acme.person(TeamRole::Admin).await;
    let reader = acme.person(TeamRole::Member).await;
    let invite = |person: &Person, email: &str, role: &str| {
        person.post(
            &format!("{TEAM}/invite"),
            json!({"email": email, "role": role}),
        )
    };
    invite(&admin, "a@example.com", "admin").await.ok();
    invite(&reader, "a@example.com", "member")
        .await
        .assert_refused(403, "NOT_PERMITTED");
    for role in ["owner", "king", ""] {
        assert_eq!(
            invite(&owner, "a@example.com", role)
                .await
                .broken_on_portal(),
            ["/role"]
        );
    }
    assert_eq!(
        invite(&owner, "nobody", "member").await.broken_on_portal(),
        ["/email"]
    );
    invite(&owner, &reader.email, "member")
        .await
        .assert_refused(409, "ALREADY_MEMBER");
    // Whether somebody is another organization's is not told; accepting fails.
    invite(&owner, &taken.email, "member").await.ok();
    let link = service.link("accept-invitation", &taken.email, 1).await;
    let body = json!({"token": link, "password": PASSWORD});
    let accepted = service
        .anonymous()
        .post("/api/auth/accept-invitation", body);
    accepted.await.assert_refused(400, "INVALID_LINK");
    taken.get(ORGANIZATION).await.ok();
}

async fn invitations_by_a_former_role_are_refused(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let admin = acme.person(TeamRole::Admin).await;
    let invite = async |by: &Person, email: &str, number| {
        let body = json!({"email": email, "role": "admin"});
        by.post(&format!("{TEAM}/invite"), body).await.ok();
        service.link("accept-invitation", email, number).await
    };
    let accept = |token: &str| {
        let body = json!({"token": token, "password": PASSWORD});
        service
            .anonymous()
            .post("/api/auth/accept-invitation", body)
    };
    let of_admin = invite(&admin, "second@mallory.example", 1).await;
    let of_owner = invite(&owner, "grace@acme.example", 1).await;
    owner
        .put(
            &format!("{TEAM}/{}/role", admin.id),
            json!({"role": "member"}),
        )
        .await
        .ok();
    accept(&of_admin).await.assert_refused(400, "INVALID_LINK");
    owner
        .put(
            &format!("{TEAM}/{}/role", admin.id),
            json!({"role": "admin"}),
        )
        .await
        .ok();
    accept(&of_admin).await.assert_refused(400, "INVALID_LINK");
    service.clock.advance(1);
    let again = invite(&admin, "second@mallory.example", 2).await;
    owner.delete(&format!("{TEAM}/{}", admin.id)).await.ok();
    accept(&again).await.assert_refused(400, "INVALID_LINK");
    accept(&of_owner).await.ok();
    // No mailing: to one address ten an hour, whoever asks.
    let body = json!({"email": "victim@example.com", "role": "member"});
    for _ in 0..10 {
        owner
            .post(&format!("{TEAM}/invite"), body.clone())
            .await
            .ok();
    }
    let more = owner.post(&format!("{TEAM}/invite"), body).await;
    more.assert_refused(429, "RATE_LIMIT_EXCEEDED");
}
