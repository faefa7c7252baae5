//! Every operation of the API once, in one organization.

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::client::Answer;
use test_support::service::{
    PASSWORD, Person, Persona, Request, Service, Signer, TeamRole, Tenant,
};

use super::Asker;

/// An organization, and who asks in it.
pub(super) struct Organization<'a> {
    pub(super) tenant: Tenant<'a>,
    pub(super) manager: Signer,
    owner: Person,
}

impl<'a> Organization<'a> {
    pub(super) async fn new(service: &'a Service, slug: &str) -> Self {
        let tenant = service.organization(slug).await;
        let manager = tenant.signer(Permission::ALL).await;
        let owner = tenant.person(TeamRole::Owner).await;
        Self {
            tenant,
            manager,
            owner,
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

pub(super) async fn ask_all(asker: &mut Asker, within: &Organization<'_>) {
    machines(asker, within).await;
    team(asker, within).await;
    people(asker, within).await;
    // The last, which ends the organization.
    let owner = &within.owner;
    let path = "/api/portal/organization/deactivate";
    asker.of("POST", path, owner.ask("POST", path)).await.ok();
}

async fn machines(asker: &mut Asker, within: &Organization<'_>) {
    let manager = &within.manager;
    let anonymous = within.tenant.service.anonymous();
    for path in [
        "/.well-known/jwks.json",
        "/docs",
        "/healthz",
        "/openapi.json",
        "/readyz",
    ] {
        let answer = asker.of("GET", path, anonymous.get(path)).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    let info = "/organizations/info";
    asker.of("GET", info, manager.get(info)).await.ok();
    let change = manager.patch(info, json!({"metadata": {"a": 1}}));
    asker.of("PATCH", info, change).await.ok();
    asker
        .of("GET", "/permissions", manager.get("/permissions"))
        .await
        .ok();
    for (path, query) in [
        ("/accounts", "?order_by=name&include_inactive=true"),
        (
            "/service-accounts",
            "?order_by=updated_at&include_deleted=true",
        ),
        ("/keys", "?unused_for_days=1&order_by=last_used_at"),
        ("/audit-events", "?order=oldest"),
        ("/decisions", "?outcome=deny&until=2025-01-01T00:00:00Z"),
    ] {
        asker.of("GET", path, manager.get(path)).await.ok();
        let target = format!("{path}{query}");
        asker.of("GET", path, manager.get(&target)).await.ok();
    }
    let decision = "/decisions/dec-00000000000000000000000000";
    let missing = asker
        .of("GET", "/decisions/{id}", manager.get(decision))
        .await;
    missing.assert_refused(404, "NOT_FOUND");

    let of_one = "/accounts/{id}";
    let new = manager.post("/accounts", json!({"name": "A"}));
    let account = asker.of("POST", "/accounts", new).await.created();
    let path = format!("/accounts/{}", text(&account["id"]));
    asker.of("GET", of_one, manager.get(&path)).await.ok();
    for is_active in [false, true] {
        let change = manager.patch(&path, json!({"is_active": is_active}));
        asker.of("PATCH", of_one, change).await.ok();
    }

    let (all, of_one) = ("/service-accounts", "/service-accounts/{id}");
    let new = json!({"name": "S", "account_id": account["id"]});
    let new = asker
        .of("POST", all, manager.post(all, new))
        .await
        .created();
    let path = format!("{all}/{}", text(&new["id"]));
    asker.of("GET", of_one, manager.get(&path)).await.ok();
    let change = manager.patch(&path, json!({"name": "T"}));
    asker.of("PATCH", of_one, change).await.ok();
    let keys = format!("{path}/keys");
    let of_keys = "/service-accounts/{id}/keys";
    let new = manager.post(&keys, json!({}));
    let key = asker.of("POST", of_keys, new).await.created();
    asker.of("GET", of_keys, manager.get(&keys)).await.ok();
    let of_key = "/service-accounts/{id}/keys/{key_id}";
    let key = format!("{keys}/{}", text(&key["id"]));
    let rotate = manager.post(&format!("{key}/rotate"), json!({}));
    let rotate = asker.of("POST", &format!("{of_key}/rotate"), rotate).await;
    let rotated = rotate.created();
    asker
        .of("DELETE", of_key, manager.delete(&key))
        .await
        .no_content();
    let leaked = json!({"access_key": rotated["access_key"], "secret_key": rotated["secret_key"]});
    let leaked = anonymous.post("/leaked-keys", leaked);
    let reported = asker.of("POST", "/leaked-keys", leaked).await;
    assert!(reported.status < 300, "{reported:?}");
    asker
        .of("DELETE", of_one, manager.delete(&path))
        .await
        .no_content();
}

async fn team(asker: &mut Asker, within: &Organization<'_>) {
    let Organization { tenant, owner, .. } = within;
    let (service, slug) = (tenant.service, &tenant.organization.slug);
    for path in ["", "/invitations", "/roles"] {
        let path = format!("/api/portal/team{path}");
        asker.of("GET", &path, owner.get(&path)).await.ok();
    }
    let (path, invitations) = ("/api/portal/team/invite", "/api/portal/team/invitations");
    let [joins, stays_away] = ["joins", "away"].map(|name| format!("{name}@{slug}.example"));
    for email in [&joins, &stays_away] {
        let invite = owner.post(path, json!({"email": email, "role": "member"}));
        asker.of("POST", path, invite).await.ok();
    }
    let token = service.link("accept-invitation", &joins, 1).await;
    let path = "/api/auth/accept-invitation";
    let accept = json!({"token": token, "password": PASSWORD});
    let accept = service.anonymous().post(path, accept);
    let joined = asker.of("POST", path, accept).await;
    let joined = service.person(&joins, &joined);
    let open = asker
        .of("GET", invitations, owner.get(invitations))
        .await
        .ok();
    let withdrawn = format!("{invitations}/{}", text(&open[0]["id"]));
    let of_one = format!("{invitations}/{{id}}");
    asker
        .of("DELETE", &of_one, owner.delete(&withdrawn))
        .await
        .ok();
    let path = format!("/api/portal/team/{}", joined.id);
    let change = owner.put(&format!("{path}/role"), json!({"role": "admin"}));
    asker
        .of("PUT", "/api/portal/team/{userId}/role", change)
        .await
        .ok();
    let remove = owner.delete(&path);
    asker
        .of("DELETE", "/api/portal/team/{userId}", remove)
        .await
        .ok();
}

async fn people(asker: &mut Asker, within: &Organization<'_>) {
    let Organization { tenant, owner, .. } = within;
    let (service, slug) = (tenant.service, &tenant.organization.slug);
    let anonymous = service.anonymous();
    for path in ["/me", "/organization", "/sessions"] {
        let path = format!("/api/portal{path}");
        asker.of("GET", &path, owner.get(&path)).await.ok();
    }
    let path = "/api/portal/organization";
    let change = owner.put(path, json!({"name": "B", "slug": format!("{slug}-b")}));
    asker.of("PUT", path, change).await.ok();
    let path = "/api/portal/organization/settings";
    let change = owner.put(path, json!({"contact_email": "a@b.example"}));
    asker.of("PUT", path, change).await.ok();

    let email = format!("new@{slug}.example");
    let path = "/api/auth/register";
    let new = json!({"orgName": "Z", "orgSlug": format!("{slug}-z"), "ownerEmail": email, "ownerPassword": PASSWORD});
    asker.of("POST", path, anonymous.post(path, new)).await.ok();
    let person = sign_in(asker, service, &email, PASSWORD).await;
    let path = "/api/auth/resend-verification";
    asker.of("POST", path, person.ask("POST", path)).await.ok();
    let path = "/api/auth/verify-email";
    let token = service.link("verify-email", &email, 1).await;
    let verify = json!({"token": token, "password": PASSWORD});
    asker
        .of("POST", path, anonymous.post(path, verify))
        .await
        .ok();
    let path = "/api/auth/forgot-password";
    let forgot = anonymous.post(path, json!({"email": email}));
    asker.of("POST", path, forgot).await.ok();
    let token = service.link("reset-password", &email, 1).await;
    let other = "another correct battery";
    let path = "/api/auth/reset-password";
    let reset = anonymous.post(path, json!({"token": token, "newPassword": other}));
    asker.of("POST", path, reset).await.ok();
    let person = sign_in(asker, service, &email, other).await;
    let refreshed = asker
        .of("POST", "/api/auth/refresh", person.refresh())
        .await;
    let person = service.person(&email, &refreshed);
    let path = "/api/auth/change-password";
    let change = json!({"currentPassword": other, "newPassword": PASSWORD});
    asker.of("POST", path, person.post(path, change)).await.ok();
    sign_in(asker, service, &email, PASSWORD).await;
    let sessions = person.get("/api/portal/sessions").await.ok();
    let sessions = sessions.as_array().expect("a list");
    let other = sessions
        .iter()
        .find(|it| it["current"] != true)
        .expect("another");
    let path = format!("/api/portal/sessions/{}", text(&other["id"]));
    let end = person.delete(&path);
    asker
        .of("DELETE", "/api/portal/sessions/{id}", end)
        .await
        .ok();
    let log_out = log_out(&person);
    asker.of("POST", "/api/auth/logout", log_out).await;
}

fn log_out(person: &Person) -> Request {
    person
        .ask("POST", "/api/auth/logout")
        .header("cookie", &format!("refresh_token={}", person.cookie))
}

async fn sign_in(asker: &mut Asker, service: &Service, email: &str, password: &str) -> Person {
    let request = service.anonymous().log_in(email, password);
    let answer: Answer = asker.of("POST", "/api/auth/login", request).await;
    service.person(email, &answer)
}
