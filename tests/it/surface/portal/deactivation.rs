//! Deactivation: one transaction that nothing slips through, and its undoing by an operator.

use serde_json::json;
use test_support::on_both_services;
use test_support::service::{PASSWORD, Persona, Service, TeamRole};

use super::own::own_session;
use super::{DEACTIVATE, ORGANIZATION, SETTINGS, TEAM, assert_refused_by_policy};

on_both_services!(
    only_owners_deactivate,
    a_deactivated_organization_is_read_only,
    a_reactivated_organization_keeps_its_keys_revoked,
);

/// Code and policy.
const DEACTIVATED: (&str, &str) = (
    "ORGANIZATION_DEACTIVATED",
    "guardrails.deactivated-organization",
);

async fn only_owners_deactivate(service: &Service) {
    let acme = service.organization("acme").await;
    for role in [TeamRole::Admin, TeamRole::Member] {
        let person = acme.person(role).await;
        person
            .ask("POST", DEACTIVATE)
            .await
            .assert_refused(403, "NOT_PERMITTED");
    }
    let owner = acme.person(TeamRole::Owner).await;
    owner
        .post(DEACTIVATE, json!({"sure": true}))
        .await
        .assert_refused(400, "UNKNOWN_FIELD");
    assert_eq!(
        owner.post(DEACTIVATE, json!({})).await.ok()["isActive"],
        false
    );
}

async fn a_deactivated_organization_is_read_only(service: &Service) {
    let acme = service.organization("acme").await;
    let signer = acme.manager().await;
    let owner = acme.person(TeamRole::Owner).await;
    let member = acme.person(TeamRole::Member).await;
    let invitation = json!({"email": "new@acme.example", "role": "member"});
    owner
        .post(&format!("{TEAM}/invite"), invitation.clone())
        .await
        .ok();
    let token = service
        .link("accept-invitation", "new@acme.example", 1)
        .await;
    owner.ask("POST", DEACTIVATE).await.ok();
    let change = json!({"currentPassword": PASSWORD, "newPassword": "another horse battery"});
    let link = json!({"token": "A".repeat(43), "password": PASSWORD});
    for person in [&owner, &member] {
        for request in [
            person.ask("POST", DEACTIVATE),
            person.put(SETTINGS, json!({})),
            person.put(ORGANIZATION, json!({"name": "A", "slug": "acme"})),
            person.post(&format!("{TEAM}/invite"), invitation.clone()),
            person.put(
                &format!("{TEAM}/{}/role", member.id),
                json!({"role": "admin"}),
            ),
            person.delete(&format!("{TEAM}/{}", member.id)),
            person.post("/accounts", json!({"name": "x"})),
            person.post("/service-accounts", json!({"name": "x"})),
            person.post(&signer.keys(), json!({})),
            person.delete(&signer.path()),
            person.post("/api/auth/change-password", change.clone()),
            person.post("/api/auth/verify-email", link.clone()),
            person.ask("POST", "/api/auth/resend-verification"),
            person.delete(&own_session(person).await),
        ] {
            let refused = request.await;
            assert_refused_by_policy(service, &refused, DEACTIVATED.0, DEACTIVATED.1);
            assert_eq!(refused.json()["error"]["type"], DEACTIVATED.0);
        }
        for missing in [
            "/api/portal/sessions/01980f3a-7b1c-7def-8a12-3456789abcde",
            &format!("{TEAM}/01980f3a-7b1c-7def-8a12-3456789abcde"),
        ] {
            let answer = person.delete(missing).await;
            answer.assert_refused(404, "NOT_FOUND");
        }
        for target in [
            ORGANIZATION,
            TEAM,
            "/accounts",
            "/service-accounts",
            &signer.keys(),
        ] {
            person.get(target).await.ok();
        }
        person.refresh().await.assert_refused(401, "INVALID_TOKEN");
    }
    signer
        .get("/organizations/info")
        .await
        .assert_refused(401, "KEY_REVOKED");
    let body = json!({"token": token, "password": PASSWORD});
    let accepted = service
        .anonymous()
        .post("/api/auth/accept-invitation", body);
    accepted.await.assert_refused(400, "INVALID_LINK");
    // The body is read before, and wrong ones are told first (contract section 2, order).
    owner
        .put(SETTINGS, json!({"x": 1}))
        .await
        .assert_refused(400, "UNKNOWN_FIELD");

    let again = service.sign_in(&owner.email, PASSWORD).await;
    again.get(ORGANIZATION).await.ok();
    let again = service.person(&owner.email, &again.refresh().await);
    again.log_out().await.ok();
    let forgot = json!({"email": member.email});
    service
        .anonymous()
        .post("/api/auth/forgot-password", forgot)
        .await
        .ok();
    let token = service.link("reset-password", &member.email, 1).await;
    let reset = json!({"token": token, "newPassword": "another horse battery"});
    service
        .anonymous()
        .post("/api/auth/reset-password", reset)
        .await
        .ok();
    service
        .sign_in(&member.email, "another horse battery")
        .await;
}

async fn a_reactivated_organization_keeps_its_keys_revoked(service: &Service) {
    let acme = service.organization("acme").await;
    let signer = acme.manager().await;
    let owner = acme.person(TeamRole::Owner).await;
    owner.ask("POST", DEACTIVATE).await.ok();
    let by = service.operator();
    let store = service.store();
    store
        .reactivate_organization(acme.organization.id, &by)
        .await
        .expect("reactivated");
    assert_eq!(owner.get(ORGANIZATION).await.ok()["isActive"], true);
    owner.put(SETTINGS, json!({})).await.ok();
    owner.refresh().await.assert_refused(401, "INVALID_TOKEN");
    signer
        .get("/organizations/info")
        .await
        .assert_refused(401, "KEY_REVOKED");
    let key = owner.post(&signer.keys(), json!({})).await.created();
    service.holder(&key).get("/organizations/info").await.ok();
}
