//! `/api/portal/me` and `/api/portal/sessions`: the person who asks, and nobody else.

use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{PASSWORD, Person, Persona, Service, TeamRole, claims, members};

use super::{DEACTIVATE, ORGANIZATION};
use crate::decisions::Logged as _;

on_both_services!(
    users_see_themselves,
    what_users_do_to_themselves_is_decided_by_policy,
    permissions_are_what_policy_allows,
    sessions_are_listed_and_ended,
    sessions_of_others_are_404,
    only_access_tokens_reach_a_users_own_pages,
);

const ME: &str = "/api/portal/me";
const SESSIONS: &str = "/api/portal/sessions";

async fn sessions(of: &Person) -> Vec<Value> {
    let all = of.get(SESSIONS).await.ok();
    all.as_array().expect("an array").clone()
}

/// The newest session.
pub(super) async fn own_session(of: &Person) -> String {
    let id = sessions(of).await[0]["id"].clone();
    format!("{SESSIONS}/{}", id.as_str().expect("an id"))
}

async fn permissions(of: &Person) -> Vec<String> {
    let me = of.get(ME).await.ok();
    let names = me["permissions"].as_array().expect("names");
    let name = |name: &Value| name.as_str().expect("a name").to_owned();
    names.iter().map(name).collect()
}

async fn users_see_themselves(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let me = owner.get(ME).await.ok();
    let names = [
        "createdAt",
        "email",
        "emailVerified",
        "id",
        "lastLoginAt",
        "organization",
        "permissions",
        "role",
    ];
    assert_eq!(members(me.as_object().expect("an object")), names);
    assert_eq!(me["id"], owner.id.as_str());
    assert_eq!(me["email"], owner.email.as_str());
    assert_eq!(
        (&me["role"], &me["emailVerified"]),
        (&json!("owner"), &json!(true))
    );
    assert_eq!(me["createdAt"], "2025-09-30T12:00:00Z");
    assert_eq!(me["lastLoginAt"], "2025-09-30T12:00:00Z");
    assert_eq!(me["organization"], owner.get(ORGANIZATION).await.ok());
    owner
        .get(&format!("{ME}?x=1"))
        .await
        .assert_refused(400, "BAD_PARAMETER");
}

async fn permissions_are_what_policy_allows(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let admin = acme.person(TeamRole::Admin).await;
    let reader = acme.person(TeamRole::Member).await;
    let has = |permissions: &[String], name: &str| permissions.iter().any(|it| it == name);
    let (of_owner, of_admin, of_reader) = (
        permissions(&owner).await,
        permissions(&admin).await,
        permissions(&reader).await,
    );
    for (name, may) in [
        ("organizations:GetOrganization", [true, true, true]),
        ("organizations:UpdateSettings", [true, true, false]),
        ("organizations:DeactivateOrganization", [true, false, false]),
        ("accounts:ListAccounts", [true, true, true]),
        ("accounts:CreateAccount", [true, true, false]),
        ("team:InviteMember", [true, true, false]),
        ("decisions:GetDecision", [false, false, false]),
        // Not about an organization.
        ("team:ChangeRole", [false, false, false]),
        // Not for people.
        ("normalization:Normalize", [false, false, false]),
    ] {
        let found = [&of_owner, &of_admin, &of_reader].map(|permissions| has(permissions, name));
        assert_eq!(found, may, "{name}");
    }
    owner.ask("POST", DEACTIVATE).await.ok();
    let left = permissions(&owner).await;
    assert!(has(&left, "organizations:GetOrganization"), "{left:?}");
    for gone in ["organizations:UpdateSettings", "team:InviteMember"] {
        assert!(!has(&left, gone), "{left:?}");
    }
}

async fn sessions_are_listed_and_ended(service: &Service) {
    let acme = service.organization("acme").await;
    let first = acme.person(TeamRole::Member).await;
    service.clock.advance(60);
    let login = service
        .anonymous()
        .log_in(&first.email, PASSWORD)
        .header("user-agent", &format!("Browser/1.0 {}", "x".repeat(300)));
    let second = service.person(&first.email, &login.await);
    service.clock.advance(60);
    let second = service.person(&second.email, &second.refresh().await);
    let id = |person: &Person| {
        let sid = &claims(&person.token)["sid"];
        sid.as_str().expect("a session").to_owned()
    };
    let listed = sessions(&second).await;
    let user_agent = format!("Browser/1.0 {}", "x".repeat(300))[..256].to_owned();
    assert_eq!(
        listed,
        [
            json!({
                "id": id(&second),
                "createdAt": "2025-09-30T12:01:00Z",
                "lastUsedAt": "2025-09-30T12:02:00Z",
                "userAgent": user_agent,
                "current": true,
            }),
            json!({
                "id": id(&first),
                "createdAt": "2025-09-30T12:00:00Z",
                "lastUsedAt": "2025-09-30T12:00:00Z",
                "userAgent": null,
                "current": false,
            }),
        ]
    );
    let path = format!("{SESSIONS}/{}", id(&first));
    let conditional = second.delete(&path).header("if-none-match", "*").await;
    conditional.assert_refused(412, "PRECONDITION_FAILED");
    assert_eq!(second.delete(&path).await.ok(), json!({}));
    first.get(ME).await.assert_refused(401, "INVALID_TOKEN");
    first.refresh().await.assert_refused(401, "INVALID_TOKEN");
    second.delete(&path).await.assert_refused(404, "NOT_FOUND");
    assert_eq!(sessions(&second).await.len(), 1);
    second
        .delete(&format!("{SESSIONS}/{}", id(&second)))
        .await
        .ok();
    second.get(ME).await.assert_refused(401, "INVALID_TOKEN");
    assert_eq!(service.audited("person.SignOut").await.len(), 2);
}

async fn sessions_of_others_are_404(service: &Service) {
    let acme = service.organization("acme").await;
    let other = service.organization("other").await;
    let owner = acme.person(TeamRole::Owner).await;
    let reader = acme.person(TeamRole::Member).await;
    let foreign = other.person(TeamRole::Owner).await;
    let mut answers = Vec::new();
    for id in [
        sessions(&reader).await[0]["id"].as_str().expect("an id"),
        sessions(&foreign).await[0]["id"].as_str().expect("an id"),
        "01980f3a-7b1c-7def-8a12-3456789abcde",
        "nonsense",
    ] {
        let answer = owner.delete(&format!("{SESSIONS}/{id}")).await;
        answer.assert_refused(404, "NOT_FOUND");
        answers.push(answer.without_request_id());
    }
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
    for person in [&reader, &foreign] {
        person.get(ME).await.ok();
    }
}

async fn only_access_tokens_reach_a_users_own_pages(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let signer = acme.manager().await;
    let own = own_session(&owner).await;
    for (method, target) in [("GET", ME), ("GET", SESSIONS), ("DELETE", own.as_str())] {
        service
            .anonymous()
            .ask(method, target)
            .await
            .assert_refused(401, "MISSING_CREDENTIALS");
        signer
            .ask(method, target)
            .await
            .assert_refused(401, "MALFORMED_AUTHORIZATION");
    }
}

async fn what_users_do_to_themselves_is_decided_by_policy(service: &Service) {
    let acme = service.organization("acme").await;
    let member = acme.person(TeamRole::Member).await;
    service.sign_in(&member.email, PASSWORD).await;
    let listed = sessions(&member).await;
    let elsewhere = listed.iter().find(|it| it["current"] == json!(false));
    let elsewhere = elsewhere.expect("another session")["id"]
        .as_str()
        .expect("an id");
    let session = format!("{SESSIONS}/{elsewhere}");
    let change = json!({"currentPassword": PASSWORD, "newPassword": "another horse battery"});
    let resend = "/api/auth/resend-verification";
    member.delete(&session).await.ok();
    member.ask("POST", resend).await.ok();
    member.post("/api/auth/change-password", change).await.ok();
    let logged = service.logged();
    let own: Vec<_> = logged
        .iter()
        .filter(|it| it["principal"] == it["resource"])
        .map(|it| (&it["action"]["id"], &it["decision"], &it["determining"]))
        .collect();
    let allowed = |action: &str| (json!(action), json!("allow"), json!(["me.own-person"]));
    let expected = ["me:EndSession", "me:VerifyEmail", "me:ChangePassword"].map(allowed);
    let expected: Vec<_> = expected.iter().map(|(a, b, c)| (a, b, c)).collect();
    assert_eq!(own, expected, "{logged:?}");
    let digest = service.state().engine.snapshot().digest().to_string();
    for action in ["person.SignOut", "person.ChangePassword"] {
        let events = member.get(&format!("/audit-events?action={action}")).await;
        let event = &events.ok()["results"][0];
        assert_eq!(event["policy_digest"], json!(digest), "{event}");
    }
}
