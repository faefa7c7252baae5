//! Cross-site requests: what another origin's page sends is refused and changes nothing; CORS lets
//! the listed origins in, with credentials, and nobody else.

use serde_json::json;
use test_support::service::{PASSWORD, Persona, Service, TeamRole};
use test_support::services::TestDatabase;

use super::ORGANIZATION;

const PORTAL: &str = "https://portal.example.com";
const SETTINGS: &str = "[portal]\nbase_url = \"https://api.example.com/\"\norigins = [\"https://portal.example.com\"]\n";

async fn service() -> Service {
    Service::with(TestDatabase::sqlite(), SETTINGS).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_origins_page_gets_nothing_done() {
    let service = service().await;
    let acme = service.organization("acme").await;
    let by = service.operator();
    acme.user("ada@acme.example", TeamRole::Owner, &by).await;
    let login = |origin: Option<&str>| {
        let request = service.anonymous().log_in("ada@acme.example", PASSWORD);
        match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        }
    };
    let first = login(Some(PORTAL)).await;
    let set = first.header("set-cookie").expect("a cookie").to_owned();
    // Not plain http on this machine: the cookie is for https only.
    assert!(set.contains("; Secure"), "{set}");
    let cookie = set.split(';').next().expect("a pair").to_owned();
    let refresh = |origin: &str| {
        service
            .anonymous()
            .ask("POST", "/api/auth/refresh")
            .header("cookie", &cookie)
            .header("origin", origin)
    };
    for foreign in [
        "https://evil.example",
        "null",
        "",
        "http://portal.example.com",
        "https://portal.example.com:8443",
        "https://portal.example.com/",
        "https://PORTAL.example.com",
        "https://x.portal.example.com",
        "https://portal.example.com.evil.example",
    ] {
        for path in [
            "register",
            "login",
            "refresh",
            "logout",
            "verify-email",
            "resend-verification",
            "change-password",
            "forgot-password",
            "reset-password",
            "accept-invitation",
        ] {
            let request = service
                .anonymous()
                .ask("POST", &format!("/api/auth/{path}"));
            let answer = request
                .header("origin", foreign)
                .header("cookie", &cookie)
                .await;
            answer.assert_refused(403, "ORIGIN_NOT_ALLOWED");
            assert!(answer.header("access-control-allow-origin").is_none());
        }
    }
    let two = refresh(PORTAL).header("origin", PORTAL).await;
    two.assert_refused(403, "ORIGIN_NOT_ALLOWED");
    // Nothing of that has used the cookie up.
    refresh("https://api.example.com").await.ok();
    login(None).await.ok();
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browsers_are_told_which_origins_may_read() {
    let service = service().await;
    let preflight = |origin: &str| {
        service
            .anonymous()
            .ask("OPTIONS", ORGANIZATION)
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .header(
                "access-control-request-headers",
                "authorization,content-type",
            )
    };
    let answer = preflight(PORTAL).await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert_eq!(answer.header("access-control-allow-origin"), Some(PORTAL));
    assert_eq!(
        answer.header("access-control-allow-credentials"),
        Some("true")
    );
    let allowed = answer
        .header("access-control-allow-headers")
        .expect("headers");
    assert!(
        allowed.contains("authorization") && allowed.contains("content-type"),
        "{allowed}"
    );
    assert!(!allowed.contains('*'));
    assert!(
        answer
            .header("access-control-allow-methods")
            .expect("methods")
            .contains("PUT")
    );
    let foreign = preflight("https://evil.example").await;
    assert_eq!(foreign.header("access-control-allow-origin"), None);
    let bare = service
        .anonymous()
        .ask("OPTIONS", ORGANIZATION)
        .header("origin", PORTAL);
    bare.await.assert_refused(405, "METHOD_NOT_ALLOWED");

    let read = |origin: &str| {
        service
            .anonymous()
            .get(ORGANIZATION)
            .header("origin", origin)
    };
    let answer = read(PORTAL).await;
    answer.assert_refused(401, "MISSING_CREDENTIALS");
    assert_eq!(answer.header("access-control-allow-origin"), Some(PORTAL));
    assert_eq!(
        answer.header("access-control-allow-credentials"),
        Some("true")
    );
    assert!(
        answer
            .header("access-control-expose-headers")
            .expect("headers")
            .contains("etag")
    );
    assert_eq!(answer.header("vary"), Some("origin"));
    assert_eq!(
        read("https://evil.example")
            .await
            .header("access-control-allow-origin"),
        None
    );
    let missing = service
        .anonymous()
        .get("/nowhere")
        .header("origin", PORTAL)
        .await;
    assert_eq!(missing.header("access-control-allow-origin"), Some(PORTAL));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_public_address_is_in_tokens_and_links() {
    let service = service().await;
    let body = json!({"orgName": "Zoo", "orgSlug": "zoo", "ownerEmail": "ada@zoo.example", "ownerPassword": PASSWORD});
    service
        .anonymous()
        .post("/api/auth/register", body)
        .await
        .ok();
    service.link("verify-email", "ada@zoo.example", 1).await;
    let (_, mail) = service.mails().remove(0);
    assert!(
        mail.contains("\nhttps://api.example.com/verify-email?token="),
        "{mail}"
    );
    let login = service
        .anonymous()
        .log_in("ada@zoo.example", PASSWORD)
        .await
        .ok();
    let claims = test_support::service::claims(login["access_token"].as_str().expect("a token"));
    assert_eq!(claims["iss"], "https://api.example.com");
    assert_eq!(claims["aud"], "https://api.example.com");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_the_edge_makes_can_be_read_too() {
    use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
    let database = TestDatabase::sqlite();
    let url = database.url().to_owned();
    let of_server = "request_deadline = \"300ms\"\nbody_deadline = \"200ms\"\n\
        [portal]\norigins = [\"https://portal.example.com\"]";
    let service = Service::with_server(database, of_server).await;
    let acme = service.organization("acme").await;
    let by = service.operator();
    acme.user("ada@acme.example", TeamRole::Owner, &by).await;
    let raw = test_support::services::connect(&url).await;
    let held = raw.begin().await.expect("begun");
    held.execute_unprepared("UPDATE organizations SET version = version")
        .await
        .expect("the writer's lock");
    let login = |origin: &str| {
        let login = service.anonymous().log_in("ada@acme.example", PASSWORD);
        login.header("origin", origin)
    };
    let late = login(PORTAL).await;
    late.assert_refused(503, "UNAVAILABLE");
    let odd = |origin: &str| {
        let odd = service.anonymous().get("/api//portal");
        odd.header("origin", origin)
    };
    let odd_path = odd(PORTAL).await;
    odd_path.assert_refused(400, "NON_CANONICAL_TARGET");
    for answer in [late, odd_path] {
        assert_eq!(answer.header("access-control-allow-origin"), Some(PORTAL));
        assert_eq!(
            answer.header("access-control-allow-credentials"),
            Some("true")
        );
        let exposed = answer.header("access-control-expose-headers");
        assert!(exposed.expect("headers").contains("retry-after"));
        assert_eq!(answer.header("vary"), Some("origin"));
    }
    let foreign = odd("https://evil.example").await;
    assert_eq!(foreign.header("access-control-allow-origin"), None);
    held.rollback().await.expect("given back");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_take_no_parameter_and_the_way_to_invite_is_nobodys() {
    let service = service().await;
    let main = [
        "/.well-known/jwks.json",
        "/openapi.json",
        "/docs",
        "/healthz",
        "/readyz",
    ];
    for page in main {
        assert_eq!(service.anonymous().get(page).await.status, 200);
        let odd = service.anonymous().get(&format!("{page}?x=1")).await;
        odd.assert_refused(400, "BAD_PARAMETER");
    }
    for page in ["/healthz", "/readyz", "/metrics"] {
        let odd = service.operator_side().get(&format!("{page}?x=1")).await;
        odd.assert_refused(400, "BAD_PARAMETER");
    }
    let asset = service.anonymous().get("/docs/swagger-ui.css?v=1").await;
    assert_eq!(asset.status, 200);
    for method in ["DELETE", "GET"] {
        let invite = service.anonymous().ask(method, "/api/portal/team/invite");
        let answer = invite.await;
        answer.assert_refused(405, "METHOD_NOT_ALLOWED");
        assert_eq!(answer.header("allow"), Some("POST"));
    }
    let invited = "/api/portal/team/invited";
    let other = service.anonymous().ask("DELETE", invited).await;
    other.assert_refused(401, "MISSING_CREDENTIALS");
    service.stop().await;
}
