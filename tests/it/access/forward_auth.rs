//! A gateway asks about the requests that it gets.

use charter_domain::permission::Permission;
use serde_json::json;
use test_support::client::Answer;
use test_support::service::{Grants, Persona, Request, Service, TeamRole};
use test_support::services::TestDatabase;

use super::TOKEN;
use super::domains::{Folder, started};

const PATH: &str = "/domains/gateway/access/v1/forward-auth";
/// Of a request without a body.
const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The sub-request that nginx, Envoy or Traefik make of this one.
fn asked_about(service: &Service, method: &str, target: &str, headers: &[(&str, &str)]) -> Request {
    let request = service
        .operator_side()
        .get(PATH)
        .header("x-charter-authorization", &format!("Bearer {TOKEN}"))
        .header("x-forwarded-method", method)
        .header("x-forwarded-uri", target);
    headers.iter().fold(request, |request, (name, value)| {
        request.header(name, value)
    })
}

/// The headers that sign a request to somebody else.
pub(crate) fn signed(persona: &impl Persona, method: &str, target: &str) -> Vec<(String, String)> {
    let written = persona.ask(method, target).write();
    ["authorization", "x-date", "x-nonce", "x-content-sha256"]
        .map(|name| (name.to_owned(), written.header(name).to_owned()))
        .to_vec()
}

pub(crate) async fn send(
    service: &Service,
    method: &str,
    target: &str,
    headers: &[(String, String)],
) -> Answer {
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    asked_about(service, method, target, &headers).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_lets_through_what_signature_nonce_and_policy_allow() {
    let folder = Folder::with(&["gateway"]);
    let service = started(TestDatabase::sqlite(), &folder).await;
    let acme = service.organization("acme").await;
    let with_role = |roles: &'static [&'static str]| Grants {
        roles,
        ..Grants::default()
    };
    let reader = acme.signer_with(with_role(&["member"])).await;
    let nobody = acme.signer(&[Permission::GetOrganization]).await;
    let target = "/invoices/7?verbose=1";
    let headers = signed(&reader, "GET", target);
    let passed = send(&service, "GET", target, &headers).await;
    assert_eq!(passed.status, 200, "{}", passed.code());
    assert_eq!(passed.header("x-charter-subject"), Some(reader.id.as_str()));
    let organization = acme.organization.id.to_string();
    assert_eq!(
        passed.header("x-charter-organization"),
        Some(organization.as_str())
    );
    assert_eq!(passed.header("x-content-sha256"), Some(NOTHING));
    // Once only, whichever way it comes.
    send(&service, "GET", target, &headers)
        .await
        .assert_refused(401, "REPLAYED_NONCE");
    // Every part of the request is signed.
    for (method, other) in [
        ("DELETE", target),
        ("GET", "/invoices/8?verbose=1"),
        ("GET", "/invoices/7"),
        ("GET", "/invoices/7?verbose=2"),
    ] {
        let headers = signed(&reader, "GET", target);
        send(&service, method, other, &headers)
            .await
            .assert_refused(401, "INVALID_SIGNATURE");
    }
    // What is routed and not permitted, and what is not routed.
    for (who, method, target) in [
        (&nobody, "GET", "/invoices"),
        (&reader, "PATCH", "/invoices/7"),
        (&reader, "GET", "/"),
        (&reader, "GET", "/invoices/7/lines"),
    ] {
        let headers = signed(who, method, target);
        send(&service, method, target, &headers)
            .await
            .assert_refused(403, "NOT_PERMITTED");
    }
    // A policy forbids it, and says why.
    for (method, target) in [("POST", "/invoices"), ("DELETE", "/invoices/7")] {
        let headers = signed(&reader, method, target);
        send(&service, method, target, &headers)
            .await
            .assert_refused(403, "PLAN_TOO_SMALL");
    }
    // Envoy asks with the method and the path of the request behind ours.
    let headers = signed(&reader, "GET", target);
    let envoy = headers.iter().fold(
        service
            .operator_side()
            .ask("DELETE", &format!("{PATH}{target}"))
            .header("x-charter-authorization", &format!("Bearer {TOKEN}"))
            .header("x-forwarded-method", "GET")
            .header("x-forwarded-uri", target),
        |request, (name, value)| request.header(name, value),
    );
    assert_eq!(envoy.await.status, 200);
    // A HEAD is signed as one.
    let headers = signed(&reader, "HEAD", "/invoices");
    assert_eq!(
        send(&service, "HEAD", "/invoices", &headers).await.status,
        200
    );
    // A second spelling of a path is no path.
    for target in [
        "/invoices/",
        "//invoices",
        "/invoices/../invoices",
        "/invoices/%37",
        "/invoices%2F7",
        "/invoices/7;x",
        "/invoices?",
        "/invoices#x",
        "invoices",
        "http://elsewhere/invoices",
    ] {
        let headers = signed(&reader, "GET", "/invoices");
        let refused = send(&service, "GET", target, &headers).await;
        assert_eq!(refused.status, 403, "{target}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_come_with_their_tokens_and_the_gateway_with_its_own() {
    let folder = Folder::with(&["gateway"]);
    let service = started(TestDatabase::sqlite(), &folder).await;
    let acme = service.organization("acme").await;
    let member = acme.person(TeamRole::Member).await;
    let bearer = member.ask("GET", "/api/portal/me").write();
    let bearer = bearer.header("authorization").to_owned();
    let by = [("authorization".to_owned(), bearer.clone())];
    let passed = send(&service, "GET", "/invoices", &by).await;
    assert_eq!(passed.status, 200, "{}", passed.code());
    send(&service, "POST", "/invoices", &by)
        .await
        .assert_refused(403, "PLAN_TOO_SMALL");
    send(&service, "GET", "/invoices", &[])
        .await
        .assert_refused(401, "MISSING_CREDENTIALS");
    let wrong = [("authorization".to_owned(), format!("{bearer}x"))];
    send(&service, "GET", "/invoices", &wrong)
        .await
        .assert_refused(401, "INVALID_TOKEN");
    // The gateway's token is no credential of a client, nor the other way round.
    let gateway = [("authorization".to_owned(), format!("Bearer {TOKEN}"))];
    send(&service, "GET", "/invoices", &gateway)
        .await
        .assert_refused(401, "INVALID_TOKEN");
    let side = service.operator_side();
    let without = |name: &str, value: &str| {
        side.get(PATH)
            .header("x-forwarded-method", "GET")
            .header("x-forwarded-uri", "/invoices")
            .header(name, value)
    };
    without("authorization", &bearer)
        .await
        .assert_refused(401, "MISSING_CREDENTIALS");
    without("x-charter-authorization", &bearer)
        .await
        .assert_refused(401, "INVALID_TOKEN");
    // Headers that the gateway must set, once.
    for (name, value) in [
        ("x-forwarded-uri", "/invoices"),
        ("x-forwarded-method", "DELETE"),
    ] {
        let doubled = asked_about(
            &service,
            "GET",
            "/invoices",
            &[("authorization", &bearer), (name, value)],
        );
        assert_eq!(doubled.await.status, 400, "{name}");
    }
    let bare = side
        .post(PATH, json!({}))
        .header("x-charter-authorization", &format!("Bearer {TOKEN}"))
        .header("authorization", &bearer);
    assert_eq!(bare.await.status, 400);
    service.stop().await;
}
