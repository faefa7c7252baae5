//! Invitations: listed, withdrawn, limited, and stronger than a registration that nobody verified.

use charter_authn::users::UserError;
use charter_domain::email::EmailAddress;
use charter_domain::progress::Progress;
use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{PASSWORD, Person, Persona, Request, Service, TeamRole, Tenant};
use test_support::stored_tenant::StoredTenant;

use super::{ORGANIZATION, TEAM};

on_both_services!(
    open_invitations_are_listed_and_withdrawn,
    every_member_sees_invitations_and_admins_withdraw_them,
    invitations_of_other_organizations_are_404,
    an_unverified_registration_gives_way,
    an_existing_user_is_not_replaced,
    kinds_of_mail_have_budgets_of_their_own,
    a_young_organization_invites_few,
    a_name_that_reads_as_an_address_is_in_no_mail,
    an_invitation_without_an_email_is_not_counted,
);

const INVITATIONS: &str = "/api/portal/team/invitations";

fn invite(by: &Person, email: &str, role: &str) -> Request {
    by.post(
        &format!("{TEAM}/invite"),
        json!({"email": email, "role": role}),
    )
}

fn accept(service: &Service, token: &str) -> Request {
    let body = json!({"token": token, "password": PASSWORD});
    service
        .anonymous()
        .post("/api/auth/accept-invitation", body)
}

async fn listed(by: &Person) -> Vec<Value> {
    let all = by.get(INVITATIONS).await.ok();
    all.as_array().expect("an array").clone()
}

async fn open_invitations_are_listed_and_withdrawn(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    assert_eq!(owner.get(INVITATIONS).await.ok(), json!([]));
    invite(&owner, "one@example.com", "admin").await.ok();
    service.clock.advance(1);
    invite(&owner, "two@example.com", "member").await.ok();
    let all = listed(&owner).await;
    assert_eq!(all.len(), 2);
    let id = all[1]["id"].as_str().expect("an id").to_owned();
    assert_eq!(
        all[1],
        json!({
            "id": id,
            "email": "one@example.com",
            "role": "admin",
            "invitedBy": owner.id,
            "createdAt": "2025-09-30T12:00:00Z",
            "expiresAt": "2025-10-02T12:00:00Z",
        })
    );
    assert_eq!(all[0]["email"], "two@example.com");
    let token = service
        .link("accept-invitation", "one@example.com", 1)
        .await;
    let path = format!("{INVITATIONS}/{id}");
    assert_eq!(owner.delete(&path).await.ok(), json!({}));
    owner.delete(&path).await.assert_refused(404, "NOT_FOUND");
    accept(service, &token)
        .await
        .assert_refused(400, "INVALID_LINK");
    assert_eq!(listed(&owner).await.len(), 1);
    let events = service.audited("team:InviteMember").await;
    assert_eq!(events.len(), 3);
    let (_, _, changes) = events.last().expect("an event");
    assert!(
        changes.contains("\"before\":{\"email\":\"one@example.com\""),
        "{changes}"
    );
    // Neither accepted nor expired ones are open.
    let token = service
        .link("accept-invitation", "two@example.com", 1)
        .await;
    accept(service, &token).await.ok();
    assert_eq!(listed(&owner).await.len(), 0);
    invite(&owner, "three@example.com", "member").await.ok();
    service.clock.advance(48 * 3_600);
    let owner = service.sign_in(&owner.email, PASSWORD).await;
    assert_eq!(listed(&owner).await.len(), 0);
}

async fn every_member_sees_invitations_and_admins_withdraw_them(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let admin = acme.person(TeamRole::Admin).await;
    let reader = acme.person(TeamRole::Member).await;
    invite(&owner, "one@example.com", "member").await.ok();
    for person in [&owner, &admin, &reader] {
        assert_eq!(listed(person).await.len(), 1);
    }
    let id = listed(&owner).await[0]["id"].clone();
    let path = format!("{INVITATIONS}/{}", id.as_str().expect("an id"));
    reader
        .delete(&path)
        .await
        .assert_refused(403, "NOT_PERMITTED");
    admin.delete(&path).await.ok();
    for method in ["POST", "PUT"] {
        let answer = owner.ask(method, INVITATIONS).json(&json!({})).await;
        assert!(matches!(answer.status, 404 | 405), "{answer:?}");
    }
}

async fn invitations_of_other_organizations_are_404(service: &Service) {
    let acme = service.organization("acme").await;
    let other = service.organization("other").await;
    let owner = acme.person(TeamRole::Owner).await;
    let reader = acme.person(TeamRole::Member).await;
    let foreign = other.person(TeamRole::Owner).await;
    invite(&foreign, "one@example.com", "member").await.ok();
    assert_eq!(listed(&owner).await.len(), 0);
    let id = listed(&foreign).await[0]["id"].clone();
    let mut answers = Vec::new();
    for id in [
        id.as_str().expect("an id"),
        "01980f3a-7b1c-7def-8a12-3456789abcde",
        "nonsense",
    ] {
        // What one may not is asked after what is not there.
        for person in [&owner, &reader] {
            let answer = person.delete(&format!("{INVITATIONS}/{id}")).await;
            answer.assert_refused(404, "NOT_FOUND");
            answers.push(answer.without_request_id());
        }
    }
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
    assert_eq!(listed(&foreign).await.len(), 1);
}

async fn an_unverified_registration_gives_way(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let squatter = service.register("zoo").await;
    service.link("verify-email", &squatter.email, 1).await;
    invite(&owner, &squatter.email, "member").await.ok();
    let token = service.link("accept-invitation", &squatter.email, 1).await;
    let joined = accept(service, &token).await;
    let joined = service.person(&squatter.email, &joined);
    assert_ne!(joined.id, squatter.id);
    assert_eq!(joined.get(ORGANIZATION).await.ok()["slug"], "acme");
    for answer in [squatter.get(ORGANIZATION).await, squatter.refresh().await] {
        answer.assert_refused(401, "INVALID_TOKEN");
    }
    service.sign_in(&joined.email, PASSWORD).await;
    let events = service.audited("person.ReplaceRegistration").await;
    assert_eq!(events.len(), 2, "{events:?}");
    let report = service
        .store()
        .verify_audit(None, &Progress::default())
        .await;
    assert_eq!(report.expect("a report").findings, []);
}

async fn an_existing_user_is_not_replaced(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    // Verified; or not, and no longer alone.
    let verified = service.register("zoo").await;
    let verified = service.verify(&verified).await;
    let founder = service.register("crew").await;
    let found = service.store().find_organization("crew").await;
    let organization = found.expect("it is there");
    let stored = StoredTenant::of(service.store(), &organization);
    let accounts = stored.default_account().await.expect("an account");
    let crew = Tenant {
        service,
        organization,
        account: accounts,
    };
    crew.signer(&[]).await;
    for person in [&verified, &founder] {
        invite(&owner, &person.email, "member").await.ok();
        let token = service.link("accept-invitation", &person.email, 1).await;
        accept(service, &token)
            .await
            .assert_refused(400, "INVALID_LINK");
        person.get(ORGANIZATION).await.ok();
    }
}

async fn kinds_of_mail_have_budgets_of_their_own(service: &Service) {
    let acme = service.organization("acme").await;
    let other = service.organization("other").await;
    let owner = acme.person(TeamRole::Owner).await;
    let elsewhere = other.person(TeamRole::Owner).await;
    let victim = service.organization("zoo").await;
    let victim = victim.person(TeamRole::Owner).await;
    for _ in 0..10 {
        invite(&owner, &victim.email, "member").await.ok();
    }
    let limited = invite(&owner, &victim.email, "member").await;
    limited.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    // Neither does it keep others from inviting, nor the person from resetting the password.
    invite(&elsewhere, &victim.email, "member").await.ok();
    let forgot = json!({"email": victim.email});
    let forgot = service
        .anonymous()
        .post("/api/auth/forgot-password", forgot);
    forgot.await.ok();
    service.link("reset-password", &victim.email, 1).await;
    service.clock.advance(3_600);
    let owner = service.sign_in(&owner.email, PASSWORD).await;
    invite(&owner, &victim.email, "member").await.ok();
}

async fn a_young_organization_invites_few(service: &Service) {
    const DAY: i64 = 24 * 3_600;
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let email = |n: u32| format!("n{n}@example.com");
    for n in 0..20 {
        invite(&owner, &email(n), "member").await.ok();
    }
    let limited = invite(&owner, &email(20), "member").await;
    limited.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(limited.header("x-ratelimit-limit"), Some("20"));
    service.clock.advance(DAY);
    let people = &service.state().portal_users;
    let send = |n: u32| {
        let to = EmailAddress::parse(&email(n)).expect("an address");
        let stored = |_| async { Ok::<_, UserError>(()) };
        people.invite(to, "member".to_owned(), &acme.organization, stored)
    };
    for n in 0..300 {
        send(n).await.expect("within the budget");
    }
    let limited = send(300).await.expect_err("one too many");
    assert!(
        matches!(&limited, UserError::Exhausted(exhausted) if exhausted.limit == 300),
        "{limited}"
    );
    // Another organization has its own.
    let other = service.organization("other").await;
    let other = other.person(TeamRole::Owner).await;
    invite(&other, &email(0), "member").await.ok();
}

async fn a_name_that_reads_as_an_address_is_in_no_mail(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    for (n, name, appears) in [
        (1, "Prize: claim at evil.example", false),
        (2, "WWW. evil", false),
        (3, "Acme Corp. of Ohio", true),
    ] {
        owner
            .put(ORGANIZATION, json!({"name": name, "slug": "acme"}))
            .await
            .ok();
        service.clock.advance(1);
        invite(&owner, "grace@example.com", "member").await.ok();
        service
            .link("accept-invitation", "grace@example.com", n)
            .await;
        let (_, mail) = service.mails().pop().expect("a mail");
        assert_eq!(mail.contains(name), appears, "{mail}");
        assert_eq!(mail.contains("to join acme with"), !appears, "{mail}");
        assert!(!mail.contains("evil"), "{mail}");
    }
}

async fn an_invitation_without_an_email_is_not_counted(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let reader = acme.person(TeamRole::Member).await;
    // More than an address may get in an hour, and more than so young an organization may send.
    for _ in 0..25 {
        invite(&owner, &reader.email, "member")
            .await
            .assert_refused(409, "ALREADY_MEMBER");
    }
    for _ in 0..10 {
        invite(&owner, "often@example.com", "member").await.ok();
    }
    for _ in 0..15 {
        let limited = invite(&owner, "often@example.com", "member").await;
        limited.assert_refused(429, "RATE_LIMIT_EXCEEDED");
        assert_eq!(limited.header("x-ratelimit-limit"), Some("10"));
    }
    for n in 0..10 {
        invite(&owner, &format!("n{n}@example.com"), "member")
            .await
            .ok();
    }
    let limited = invite(&owner, "one-more@example.com", "member").await;
    limited.assert_refused(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(limited.header("x-ratelimit-limit"), Some("20"));
    // Who has left is invited again: the refusals did not count for the address either.
    service.clock.advance(3_600);
    let path = format!("{TEAM}/{}", reader.id);
    let owner = service.sign_in(&owner.email, PASSWORD).await;
    owner.delete(&path).await.ok();
    service.clock.advance(24 * 3_600);
    let owner = service.sign_in(&owner.email, PASSWORD).await;
    for _ in 0..10 {
        invite(&owner, &reader.email, "member").await.ok();
    }
}
