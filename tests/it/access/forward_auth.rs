//! A gateway asks about the requests that it gets.

use charter_domain::permission::Permission;
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

/// Who the persona is, as a gateway hands it on.
pub(super) fn bearer_of(persona: &impl Persona) -> String {
    let written = persona.ask("GET", "/api/portal/me").write();
    written.header("authorization").to_owned()
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
        (&reader, "GET", &format!("/invoices/{}", "7".repeat(257))),
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
        "/invoices/é",
        "/invoices/\t",
        "/invoices?é",
        &format!("/{}", "x".repeat(8 * 1024)),
    ] {
        let headers = signed(&reader, "GET", "/invoices");
        let refused = send(&service, "GET", target, &headers).await;
        refused.assert_refused(403, "NON_CANONICAL_TARGET");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_come_with_their_tokens_and_the_gateway_with_its_own() {
    let folder = Folder::with(&["gateway"]);
    let service = started(TestDatabase::sqlite(), &folder).await;
    let acme = service.organization("acme").await;
    let member = acme.person(TeamRole::Member).await;
    let bearer = bearer_of(&member);
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
    service.stop().await;
}

/// Of a gateway, 200, 401 and 403 are answers; nginx makes a 500 of anything else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_the_forwarded_request_is_a_401_or_a_403() {
    let folder = Folder::with(&["gateway"]);
    let service = started(TestDatabase::sqlite(), &folder).await;
    let acme = service.organization("acme").await;
    let member = acme.person(TeamRole::Member).await;
    let bearer = bearer_of(&member);
    let (method, target) = ("x-forwarded-method", "x-forwarded-uri");
    let by = ("authorization", bearer.as_str());
    let get = (method, "GET");
    let invoices = (target, "/invoices");
    let gateway_token = format!("Bearer {TOKEN}");
    for (headers, status, code) in [
        (&[get, invoices, by][..], 200, ""),
        (&[get, invoices], 401, "MISSING_CREDENTIALS"),
        (&[get, invoices, by, by], 401, "AMBIGUOUS_CREDENTIALS"),
        (
            &[get, invoices, ("authorization", "Bearer x, HMAC a:b")],
            401,
            "AMBIGUOUS_CREDENTIALS",
        ),
        (
            &[get, invoices, ("authorization", "Basic YTpi")],
            401,
            "MALFORMED_AUTHORIZATION",
        ),
        (
            &[get, invoices, ("authorization", "é")],
            401,
            "MALFORMED_AUTHORIZATION",
        ),
        (
            &[get, invoices, ("authorization", "HMAC x:y")],
            401,
            "MALFORMED_AUTHORIZATION",
        ),
        (&[by], 403, "BAD_PARAMETER"),
        (&[get, by], 403, "BAD_PARAMETER"),
        (&[invoices, by], 403, "BAD_PARAMETER"),
        (&[get, get, invoices, by], 403, "BAD_PARAMETER"),
        (&[get, invoices, invoices, by], 403, "BAD_PARAMETER"),
        (
            &[get, invoices, (target, "/elsewhere"), by],
            403,
            "BAD_PARAMETER",
        ),
        (&[(method, ""), invoices, by], 403, "BAD_PARAMETER"),
        (&[(method, "GET /"), invoices, by], 403, "BAD_PARAMETER"),
        (&[(method, "é"), invoices, by], 403, "BAD_PARAMETER"),
        (&[(method, "get"), invoices, by], 403, "NOT_PERMITTED"),
        (&[get, (target, ""), by], 403, "NON_CANONICAL_TARGET"),
        (
            &[get, (target, "/invoices/é"), by],
            403,
            "NON_CANONICAL_TARGET",
        ),
        (&[get, (target, "*"), by], 403, "NON_CANONICAL_TARGET"),
        (&[get, (target, "/other"), by], 403, "NOT_PERMITTED"),
    ] {
        for asked in ["GET", "POST"] {
            let request = service.operator_side().ask(asked, PATH);
            let request = request.header("x-charter-authorization", &gateway_token);
            let request = headers.iter().fold(request, |request, (name, value)| {
                request.header(name, value)
            });
            let answer = request.await;
            if status == 200 {
                assert_eq!(answer.status, 200, "{headers:?}");
                continue;
            }
            answer.assert_refused(status, code);
            let challenge = answer.header("www-authenticate");
            assert_eq!(challenge, (status == 401).then_some("HMAC, Bearer"));
        }
    }
    // The gateway's own token.
    for headers in [
        &[][..],
        &[("x-charter-authorization", "Bearer x")],
        &[
            ("x-charter-authorization", gateway_token.as_str()),
            ("x-charter-authorization", &gateway_token),
        ],
    ] {
        let request = headers.iter().chain([&get, &invoices, &by]).fold(
            service.operator_side().get(PATH),
            |request, (name, value)| request.header(name, value),
        );
        let answer = request.await;
        assert_eq!(answer.status, 401, "{headers:?}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_set_up_wrongly_hears_so() {
    let folder = Folder::with(&["gateway", "records"]);
    let service = started(TestDatabase::sqlite(), &folder).await;
    let acme = service.organization("acme").await;
    let member = acme.person(TeamRole::Member).await;
    let bearer = bearer_of(&member);
    let ask = |method: &str, path: &str| {
        service
            .operator_side()
            .ask(method, path)
            .header("x-charter-authorization", &format!("Bearer {TOKEN}"))
            .header("x-forwarded-method", "GET")
            .header("x-forwarded-uri", "/invoices")
            .header("authorization", &bearer)
    };
    for method in ["GET", "HEAD", "POST"] {
        assert_eq!(ask(method, PATH).await.status, 200, "{method}");
    }
    for method in ["PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
        let refused = ask(method, PATH).await;
        refused.assert_refused(405, "METHOD_NOT_ALLOWED");
        let allow = refused.header("allow").expect("the methods");
        let mut allow: Vec<_> = allow.split(", ").collect();
        allow.sort_unstable();
        assert_eq!(allow, ["GET", "HEAD", "POST"]);
    }
    ask("GET", &format!("{PATH}/invoices"))
        .await
        .assert_refused(404, "NOT_FOUND");
    ask("GET", "/domains/nowhere/access/v1/forward-auth")
        .await
        .assert_refused(404, "NOT_FOUND");
    ask("GET", &format!("{PATH}?x=1"))
        .await
        .assert_refused(400, "BAD_PARAMETER");
    // Neither the built-in domain nor one without the file has routes.
    for path in [
        "/access/v1/forward-auth",
        "/domains/records/access/v1/forward-auth",
    ] {
        ask("GET", path).await.assert_refused(403, "NOT_PERMITTED");
        let nobody = ask("GET", path).write().without("authorization");
        nobody
            .send()
            .await
            .assert_refused(401, "MISSING_CREDENTIALS");
    }
    service.stop().await;
}
