//! Who may use the workbench: the operator token, or a session of a page that this listener served itself.

use serde_json::json;
use test_support::client::Answer;
use test_support::service::{Persona as _, Request, Service};
use test_support::services::TestDatabase;

use super::{TOKEN, get, shipped, with_token};

const ROUTES: [(&str, &str); 11] = [
    ("GET", "/replicas"),
    ("GET", "/policies"),
    ("GET", "/policies/revisions"),
    ("GET", "/policies/coverage"),
    ("POST", "/policies/evaluation"),
    ("POST", "/policies/access"),
    ("POST", "/policies/diff"),
    ("POST", "/policies/replay"),
    ("GET", "/decisions"),
    ("GET", "/decisions/dec-01k6dyspfte23tskdzn1kqd65k"),
    ("POST", "/session"),
];

/// What the session cookie is sent to.
const COOKIE_PATHS: [&str; 4] = ["/session", "/policies", "/decisions", "/replicas"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_served_without_the_token() {
    let service = shipped(TestDatabase::sqlite()).await;
    let without = Service::on(TestDatabase::sqlite()).await;
    for (method, target) in ROUTES {
        let side = service.operator_side();
        side.ask(method, target)
            .await
            .assert_refused(401, "MISSING_CREDENTIALS");
        for wrong in [&TOKEN[1..], &format!("{TOKEN}0"), &TOKEN.replace('0', "1")] {
            let request = side
                .ask(method, target)
                .header("authorization", &format!("Bearer {wrong}"));
            request.await.assert_refused(401, "INVALID_TOKEN");
        }
        let basic = side
            .ask(method, target)
            .header("authorization", "Basic eDp4");
        basic.await.assert_refused(401, "MALFORMED_AUTHORIZATION");
        let cookie = side.ask(method, target).header("origin", &own(&service));
        let cookie = cookie.header("cookie", &format!("charter_operator={TOKEN}"));
        assert_eq!(cookie.await.status, 401, "{target}");
        // Without a token in the settings there is none to show.
        let request = with_token(without.operator_side().ask(method, target));
        request.await.assert_refused(401, "INVALID_TOKEN");
        // The token opens nothing to clients of the main listener.
        let main = with_token(service.anonymous().ask(method, target)).await;
        assert!(matches!(main.status, 401 | 404), "{target}: {main:?}");
    }
    // A HEAD is a GET without its body, and needs the same.
    let head = service.operator_side().ask("HEAD", "/policies").await;
    assert_eq!(head.status, 401);
    let head = with_token(service.operator_side().ask("HEAD", "/policies")).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    without.stop().await;
    service.stop().await;
}

fn own(service: &Service) -> String {
    format!("http://{}", service.operator_side().address())
}

fn cookie_of(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").expect("a cookie");
    cookie.split(';').next().expect("a pair").to_owned()
}

/// Each with its attributes.
fn cookies_of(answer: &Answer) -> Vec<&str> {
    let set = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie");
    set.map(|(_, value)| value.as_str()).collect()
}

async fn sign_in(service: &Service) -> String {
    let request = with_token(service.operator_side().ask("POST", "/session"));
    let answer = request.await;
    answer.ok();
    cookie_of(&answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_exchanges_the_token_for_a_session_of_an_hour() {
    let service = shipped(TestDatabase::sqlite()).await;
    let side = service.operator_side();
    let answer = with_token(side.ask("POST", "/session")).await;
    assert_eq!(
        answer.ok(),
        json!({"expires_at": "2025-09-30T13:00:00Z"}),
        "the test's clock begins at noon"
    );
    let value = cookie_of(&answer);
    let value = value.as_str();
    assert!(!value.contains(TOKEN) && value.starts_with("charter_operator="));
    // For the API's paths alone; without `Secure`, since it listens on a loopback address.
    let bound = |path| format!("{value}; HttpOnly; SameSite=Strict; Path={path}; Max-Age=3600");
    assert_eq!(cookies_of(&answer), COOKIE_PATHS.map(bound));
    for (_, target) in ROUTES {
        let path = target.split_inclusive('/').take(2).collect::<String>();
        assert!(
            COOKIE_PATHS.contains(&path.trim_end_matches('/')),
            "{target}"
        );
    }
    let by_cookie = |method: &str, target: &str| side.ask(method, target).header("cookie", value);
    by_cookie("GET", "/policies").await.ok();
    by_cookie("GET", "/decisions").await.ok();
    // Another port of this host may have set a cookie of the same name.
    let tossed = format!(
        "charter_operator={}; charter_operator=x; {value}",
        "A".repeat(43)
    );
    side.get("/policies").header("cookie", &tossed).await.ok();
    // Of too many, what is left out could be the real one: nobody is told that it has ended.
    let crowd = format!("charter_operator={}; ", "A".repeat(43)).repeat(8);
    for method in ["GET", "DELETE"] {
        let target = if method == "GET" {
            "/policies"
        } else {
            "/session"
        };
        side.ask(method, target)
            .header("cookie", &format!("{crowd}{value}"))
            .header("origin", &own(&service))
            .await
            .assert_refused(400, "INVALID_REQUEST");
    }
    by_cookie("GET", "/policies").await.ok();
    // A session opens no other one: that takes the token.
    by_cookie("POST", "/session")
        .await
        .assert_refused(401, "MISSING_CREDENTIALS");
    // Nor does the cookie open what programs ask.
    by_cookie("POST", "/access/v1/evaluation")
        .await
        .assert_refused(401, "MISSING_CREDENTIALS");

    let other = sign_in(&service).await;
    let end = by_cookie("DELETE", "/session").header("origin", &own(&service));
    let ended = end.await;
    ended.no_content();
    let gone =
        |path| format!("charter_operator=; HttpOnly; SameSite=Strict; Path={path}; Max-Age=0");
    assert_eq!(cookies_of(&ended), COOKIE_PATHS.map(gone));
    by_cookie("GET", "/policies")
        .await
        .assert_refused(401, "INVALID_TOKEN");
    let by_other = || side.get("/policies").header("cookie", &other);
    service.clock.advance(3_599);
    by_other().await.ok();
    service.clock.advance(1);
    by_other().await.assert_refused(401, "INVALID_TOKEN");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cookie_counts_only_for_the_own_pages() {
    let service = shipped(TestDatabase::sqlite()).await;
    let cookie = sign_in(&service).await;
    let own = own(&service);
    let question = json!({"subject": {"type": "User", "id": "x"}});
    let send = |method: &str, headers: &[(&str, &str)]| -> Request {
        let side = service.operator_side();
        let request = match method {
            "GET" => side.get("/policies"),
            _ => side.post("/policies/access", question.clone()),
        };
        let request = request.header("cookie", &cookie);
        headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        })
    };
    let other_port = format!("http://{}", service.address());
    for refused in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "")],
        &[
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "same-origin"),
        ],
        &[("origin", "null")],
        &[("origin", "https://evil.example")],
        &[("origin", &other_port)],
        &[("origin", &format!("{own}.evil.example"))],
        &[("origin", &own), ("origin", &own)],
        &[("sec-fetch-site", "cross-site"), ("origin", &own)],
        &[
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://evil.example"),
        ],
    ] {
        for method in ["GET", "POST"] {
            send(method, refused)
                .await
                .assert_refused(403, "ORIGIN_NOT_ALLOWED");
        }
    }
    // What a person typed, or a program without a page: reads only.
    for read_only in [&[][..], &[("sec-fetch-site", "none")]] {
        send("GET", read_only).await.ok();
        send("POST", read_only)
            .await
            .assert_refused(403, "ORIGIN_NOT_ALLOWED");
    }
    for good in [
        &[("origin", own.as_str())][..],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "same-origin"), ("origin", &own)],
    ] {
        send("GET", good).await.ok();
        send("POST", good).await.assert_refused(404, "NOT_FOUND");
    }
    // Nor is a session opened for another site's page, whatever it knows.
    let open = |headers: &[(&str, &str)]| {
        let side = service.operator_side();
        let request = with_token(side.ask("POST", "/session"));
        headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        })
    };
    for refused in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[("origin", &other_port)],
        &[("origin", &own), ("origin", &own)],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://evil.example"),
        ],
    ] {
        let answer = open(refused).await;
        answer.assert_refused(403, "ORIGIN_NOT_ALLOWED");
        assert_eq!(answer.header("set-cookie"), None);
    }
    for good in [
        &[][..],
        &[("origin", own.as_str())],
        &[("sec-fetch-site", "same-origin"), ("origin", &own)],
    ] {
        open(good).await.ok();
    }
    // The token is no cookie: pages of others cannot send it.
    let request = get(&service, "/policies").header("origin", "https://evil.example");
    let answer = request.await;
    answer.ok();
    assert_eq!(answer.header("access-control-allow-origin"), None);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_speak_of_the_operator_token() {
    let service = shipped(TestDatabase::sqlite()).await;
    let side = service.operator_side();
    let send = "send `authorization: Bearer {operator token}`";
    for (shown, message) in [
        (None, send),
        (Some("Basic eDp4"), send),
        (Some("HMAC a:b"), send),
        (
            Some("Bearer another"),
            "that is not the operator token, `server.ops_token`",
        ),
    ] {
        for (method, target) in [("GET", "/policies"), ("POST", "/session")] {
            let request = side.ask(method, target);
            let request = match shown {
                Some(shown) => request.header("authorization", shown),
                None => request,
            };
            let refused = request.await;
            assert_eq!(refused.json()["error"]["message"], message, "{target}");
        }
    }
    service.stop().await;
}
