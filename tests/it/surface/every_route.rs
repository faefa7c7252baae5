//! Every route of every listener keeps what contract section 2 says of all of them: methods, spellings, parameters,
//! challenges, and the one error shape.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use charter_http::router;
use serde_json::json;
use test_support::client::Answer;
use test_support::service::{Anonymous, Persona, Request, Service};
use test_support::services::TestDatabase;

use super::documents::goals;

const OPERATOR: &str = "0123456789abcdef0123456789abcdef";
const GATEWAY: &str = "fedcba9876543210fedcba9876543210";

/// The paths of a listener, each with its methods.
type Paths = BTreeMap<String, BTreeSet<String>>;

struct Listener {
    name: &'static str,
    address: SocketAddr,
    paths: Paths,
    token: &'static str,
}

impl Listener {
    fn ask(&self, method: &str, target: &str) -> Request {
        Anonymous::at(self.address).ask(method, target)
    }

    fn with_token(&self, method: &str, target: &str) -> Request {
        let bearer = format!("Bearer {}", self.token);
        let request = self.ask(method, target).header("authorization", &bearer);
        if target.contains("forward-auth") {
            return request.header("x-charter-authorization", &format!("Bearer {GATEWAY}"));
        }
        request
    }
}

fn paths(router: &salvo::Router) -> Paths {
    let mut paths = Paths::new();
    for (method, path) in goals(router, "") {
        let methods = paths.entry(path).or_default();
        if method == "GET" {
            methods.insert("HEAD".to_owned());
        }
        methods.insert(method);
    }
    paths
}

/// A path with its parameters filled.
fn filled(path: &str) -> String {
    let path = path
        .replace("{*+path}", "some/page")
        .replace("{file}", "start.js")
        .replace("{domain}", "records");
    ["{id}", "{key_id}", "{userId}", "{digest}"]
        .iter()
        .fold(path, |path, name| path.replace(name, "x"))
}

/// Answers for a page in a browser, which reads its query itself.
fn is_page(path: &str) -> bool {
    [
        "/",
        "/sign-in",
        "/components",
        "/register",
        "/portal",
        "/workbench",
    ]
    .contains(&path)
        || [
            "/accept-invitation",
            "/forgot-password",
            "/reset-password",
            "/verify-email",
        ]
        .contains(&path)
        || ["/assets/", "/portal/", "/workbench/"]
            .iter()
            .any(|folder| path.starts_with(folder))
}

fn challenge(listener: &Listener, path: &str) -> &'static str {
    let is_forward_auth = path.ends_with("forward-auth");
    match (listener.name, path) {
        ("main", "/organizations/info") => "HMAC",
        ("main", path) if !path.starts_with("/api/") => "HMAC, Bearer",
        _ if is_forward_auth => "HMAC, Bearer",
        _ => "Bearer",
    }
}

/// What every answer has.
#[track_caller]
fn assert_common(answer: &Answer, what: &str) {
    let id = answer.header("x-request-id");
    assert!(id.is_some_and(|id| !id.is_empty()), "{what}");
    assert_eq!(answer.header("x-correlation-id"), id, "{what}");
    assert_eq!(
        answer.header("x-content-type-options"),
        Some("nosniff"),
        "{what}"
    );
    assert!(answer.header("cache-control").is_some(), "{what}");
    assert_eq!(
        answer.header("www-authenticate").is_some(),
        answer.status == 401,
        "{what}"
    );
    assert_eq!(
        answer.header("allow").is_some(),
        answer.status == 405,
        "{what}"
    );
    assert!(answer.status < 500, "{what}: {answer:?}");
    if answer.status >= 400 {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
        if !answer.body.is_empty() {
            assert_ne!(answer.code(), "INVALID_REQUEST", "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_of_every_listener_keeps_the_rules_of_all() {
    let more = format!("[access]\nlisten = \"127.0.0.1:0\"\ntokens = [\"gateway:{GATEWAY}\"]\n");
    let server = format!("ops_token = \"{OPERATOR}\"");
    let service = Service::with_all(TestDatabase::sqlite(), &server, &more).await;
    let state = || Arc::clone(service.shared_state());
    let listeners = [
        Listener {
            name: "main",
            address: service.address(),
            paths: paths(&router::main(state())),
            token: "none",
        },
        Listener {
            name: "operations",
            address: service.operations_address(),
            paths: paths(&router::operations_listener(state())),
            token: OPERATOR,
        },
        Listener {
            name: "access",
            address: service.access_address().expect("a listener"),
            paths: paths(&router::access_listener(state())),
            token: GATEWAY,
        },
    ];
    for listener in &listeners {
        assert!(!listener.paths.is_empty());
        for (path, methods) in &listener.paths {
            methods_are_told(listener, path, methods).await;
            paths_have_one_spelling(listener, path).await;
            credentials_are_asked_for(listener, path, methods).await;
            if listener.name != "main" {
                parameters_are_known(listener, path, methods).await;
            }
        }
    }
    service.stop().await;
}

async fn methods_are_told(listener: &Listener, path: &str, methods: &BTreeSet<String>) {
    let target = filled(path);
    for method in [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW",
    ] {
        if methods.contains(method) {
            continue;
        }
        let what = format!("{}: {method} {target}", listener.name);
        let answer = listener.with_token(method, &target).await;
        assert_common(&answer, &what);
        assert_eq!(answer.status, 405, "{what}");
        if method != "HEAD" {
            answer.assert_refused(405, "METHOD_NOT_ALLOWED");
        }
        let allowed: BTreeSet<String> = answer
            .header("allow")
            .expect("the methods")
            .split(", ")
            .map(str::to_owned)
            .collect();
        assert_eq!(allowed, *methods, "{what}");
    }
    // Coverage is work for another process, and may take long; it has tests of its own.
    if methods.contains("GET") && path != "/policies/coverage" {
        let get = listener.with_token("GET", &target).await;
        let head = listener.with_token("HEAD", &target).await;
        let what = format!("{}: {target}", listener.name);
        assert_common(&get, &what);
        assert_common(&head, &what);
        assert_eq!(head.status, get.status, "{what}");
        assert!(head.body.is_empty(), "{what}");
    }
}

async fn paths_have_one_spelling(listener: &Listener, path: &str) {
    let target = filled(path);
    let mut spellings = vec![
        format!("{target}?"),
        format!("{target}#x"),
        format!("{target};x"),
        format!("/{target}"),
        format!("/.{target}"),
        format!("{target}%00"),
    ];
    if target != "/" && target != "/docs" {
        spellings.push(format!("{target}/"));
    }
    for spelling in spellings {
        let answer = listener.with_token("GET", &spelling).await;
        assert_common(&answer, &spelling);
        answer.assert_refused(400, "NON_CANONICAL_TARGET");
    }
    let is_of_more_segments = path.contains("{*+path}") || path == "/";
    let is_deeper = |other: &String| other.starts_with(&format!("{path}/"));
    if !is_of_more_segments && !listener.paths.keys().any(is_deeper) {
        let below = format!("{target}/below");
        let answer = listener.with_token("GET", &below).await;
        assert_common(&answer, &below);
        answer.assert_refused(404, "NOT_FOUND");
    }
}

async fn credentials_are_asked_for(listener: &Listener, path: &str, methods: &BTreeSet<String>) {
    let target = filled(path);
    for method in methods.iter().filter(|method| *method != "HEAD") {
        let what = format!("{}: {method} {target}", listener.name);
        let request = listener.ask(method, &target);
        let request = if path.ends_with("forward-auth") {
            request
                .header("x-charter-authorization", &format!("Bearer {GATEWAY}"))
                .header("x-forwarded-method", "GET")
                .header("x-forwarded-uri", "/")
        } else {
            request
        };
        let answer = request.await;
        assert_common(&answer, &what);
        if answer.status == 401 {
            let expected = challenge(listener, path);
            assert_eq!(answer.header("www-authenticate"), Some(expected), "{what}");
        } else if listener.name != "main" {
            let is_public = is_page(path) || ["/healthz", "/readyz", "/metrics"].contains(&path);
            // A domain that does not exist is looked for behind the gateway's token.
            assert!(is_public || answer.status == 404, "{what}: {answer:?}");
        }
    }
}

async fn parameters_are_known(listener: &Listener, path: &str, methods: &BTreeSet<String>) {
    if is_page(path) {
        return;
    }
    for method in methods.iter().filter(|method| *method != "HEAD") {
        for query in ["unheard_of=1", "a=%zz", "x=1&x=1"] {
            let target = format!("{}?{query}", filled(path));
            let request = listener.with_token(method, &target);
            let request = match method.as_str() {
                "POST" => request.json(&json!({})),
                _ => request,
            };
            let answer = request.await;
            let what = format!("{}: {method} {target}: {answer:?}", listener.name);
            // The cookie of a session comes first.
            let is_sign_out = method == "DELETE" && path == "/session";
            assert!(
                is_sign_out || (answer.status == 400 && answer.code() == "BAD_PARAMETER"),
                "{what}"
            );
        }
    }
}
