//! The lists that are reviewed as diffs: the OpenAPI document, the routes with their permissions,
//! and the few routes that no policy decides. No route hides, no field is undocumented.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use cedar_policy::EntityUid;
use charter::app;
use charter_authz::snapshot::Snapshot;
use charter_domain::permission::Permission;
use charter_http::router;
use salvo::Router;
use salvo::routing::FilterInfo;
use serde_json::{Map, Value, json};
use test_support::on_both_services;
use test_support::policy_world::shipped;
use test_support::service::{Persona, Service, TeamRole};

use crate::sources;

on_both_services!(
    the_served_document_is_the_printed_one,
    every_route_is_an_operation_or_a_public_page,
    every_operation_refuses_strangers,
    a_body_is_read_as_it_is_documented,
);

pub(super) fn document() -> Value {
    serde_json::from_str(app::openapi_document()).expect("JSON")
}

pub(super) type Route = (String, String);

/// Every operation that the document describes, by method and path.
pub(super) fn described(document: &Value) -> BTreeMap<Route, Map<String, Value>> {
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |(path, item): (&String, &Value)| {
        let item = item.as_object().expect("an object");
        let operation = |(method, operation): (&String, &Value)| {
            let operation = operation.as_object().expect("an operation").clone();
            ((method.to_uppercase(), path.clone()), operation)
        };
        item.iter().map(operation).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

/// Those that policy decides.
pub(super) fn operations(document: &Value) -> BTreeMap<Route, Map<String, Value>> {
    let mut described = described(document);
    described.retain(|_, operation| operation.contains_key("x-permission"));
    described
}

/// Every method and path that leads to a handler.
pub(super) fn goals(router: &Router, prefix: &str) -> Vec<Route> {
    let (mut path, mut method) = (prefix.to_owned(), None);
    for filter in &router.filters {
        match filter.info() {
            FilterInfo::Path(more) => path = format!("{path}/{more}"),
            FilterInfo::Method(only) => method = Some(only.to_string()),
            // Takes another route's path out.
            FilterInfo::Other(_) => {}
            _ => panic!("a filter that this test does not know, below `{path}`"),
        }
    }
    let mut found: Vec<_> = router
        .routers
        .iter()
        .flat_map(|it| goals(it, &path))
        .collect();
    if router.goal.is_some() {
        let path = if path.is_empty() {
            "/".to_owned()
        } else {
            path
        };
        found.push((method.unwrap_or_else(|| "ANY".to_owned()), path));
    }
    found
}

/// `docs/openapi.json` is what `charter openapi` prints.
#[test]
fn the_published_document_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let published = fs::read_to_string(file).unwrap_or_default();
    assert!(
        published.trim_end() == app::openapi_document(),
        "docs/openapi.json is stale: run `cargo run -- openapi > docs/openapi.json` and review the diff"
    );
}

#[test]
fn the_routes_and_their_permissions_are_these() {
    let mut table = Vec::new();
    for ((method, path), operation) in operations(&document()) {
        let permission = operation["x-permission"].as_str().expect("a permission");
        let schemes = operation["security"].as_array().expect("schemes").iter();
        let schemes: Vec<_> = schemes
            .filter_map(|it| it.as_object()?.keys().next())
            .cloned()
            .collect();
        let schemes = schemes.join(" or ");
        table.push(format!("{path:50} {method:6} {permission:40} {schemes}"));
    }
    table.sort();
    insta::with_settings!({snapshot_path => "../snapshots"}, {
        insta::assert_snapshot!("routes", table.join("\n"));
    });
}

/// Whether the shipped schema calls it a read.
fn only_reads(permission: Permission) -> bool {
    let snapshot = Snapshot::load(&shipped()).expect("the shipped policies");
    let actions = snapshot.schema().action_entities().expect("its actions");
    let uid = |name: &str| -> EntityUid { format!("Action::\"{name}\"").parse().expect("an id") };
    actions.is_ancestor_of(&uid("reads"), &uid(permission.as_str()))
}

#[test]
fn every_operation_has_a_name_of_its_own_a_sentence_and_a_known_permission() {
    let document = document();
    let tags = document["tags"].as_array().expect("tags");
    let mut names = BTreeSet::new();
    for (route, operation) in operations(&document) {
        let name = operation["operationId"].as_str().expect("a name");
        assert!(names.insert(name.to_owned()), "{route:?}: `{name}` again");
        assert!(operation.contains_key("summary"), "{route:?}");
        for tag in operation["tags"].as_array().expect("tags") {
            assert!(tags.iter().any(|it| it["name"] == *tag), "{route:?}: {tag}");
        }
        let permission = operation["x-permission"].as_str().expect("a permission");
        let permission: Permission = permission.parse().expect("in the catalogue");
        assert_eq!(only_reads(permission), route.0 == "GET", "{route:?}");
        let parameters = operation.get("parameters").and_then(Value::as_array);
        let in_path = parameters
            .into_iter()
            .flatten()
            .filter(|it| it["in"] == "path")
            .count();
        assert_eq!(in_path, route.1.matches('{').count(), "{route:?}");
    }
}

/// A handler that no route leads to is forgotten, not private.
#[test]
fn every_handler_has_a_route() {
    let document = document();
    let routed: BTreeSet<String> = described(&document)
        .into_values()
        .map(|operation| {
            operation["operationId"]
                .as_str()
                .expect("a name")
                .to_owned()
        })
        .collect();
    let mut written = BTreeSet::new();
    for source in sources::below("crates/http/src") {
        for rest in source.text.split("#[endpoint(operation_id = \"").skip(1) {
            let (name, _) = rest.split_once('"').expect("a name");
            written.insert(name.to_owned());
        }
    }
    assert_eq!(written, routed);
}

async fn the_served_document_is_the_printed_one(service: &Service) {
    let served = service.anonymous().get("/openapi.json").await;
    assert_eq!(
        String::from_utf8(served.body).expect("text"),
        app::openapi_document()
    );
}

async fn every_route_is_an_operation_or_a_public_page(service: &Service) {
    let operations: BTreeSet<_> = operations(&document()).into_keys().collect();
    let routed: BTreeSet<_> = goals(&router::operations(), "").into_iter().collect();
    assert_eq!(routed, operations);
    let main = goals(&router::main(Arc::clone(service.shared_state())), "");
    let whole: BTreeSet<_> = main.iter().cloned().collect();
    assert_eq!(main.len(), whole.len(), "a route twice");
    let texts = |routes: &mut dyn Iterator<Item = &Route>| -> Vec<String> {
        routes
            .map(|(method, path)| format!("{method} {path}"))
            .collect()
    };
    let public = texts(&mut whole.difference(&operations));
    assert_eq!(
        public,
        [
            "DELETE /api/portal/sessions/{id}",
            "GET /",
            "GET /.well-known/jwks.json",
            "GET /accept-invitation",
            "GET /api/portal/me",
            "GET /api/portal/sessions",
            "GET /assets/{*+path}",
            "GET /components",
            "GET /docs",
            "GET /docs/swagger-ui-bundle.js",
            "GET /docs/swagger-ui.css",
            "GET /forgot-password",
            "GET /healthz",
            "GET /openapi.json",
            "GET /portal",
            "GET /portal/{*+path}",
            "GET /readyz",
            "GET /register",
            "GET /reset-password",
            "GET /sign-in",
            "GET /verify-email",
            "POST /api/auth/accept-invitation",
            "POST /api/auth/change-password",
            "POST /api/auth/forgot-password",
            "POST /api/auth/login",
            "POST /api/auth/logout",
            "POST /api/auth/refresh",
            "POST /api/auth/register",
            "POST /api/auth/resend-verification",
            "POST /api/auth/reset-password",
            "POST /api/auth/verify-email",
            "POST /leaked-keys",
        ]
    );
    let described: BTreeSet<_> = described(&document()).into_keys().collect();
    assert_eq!(
        texts(&mut whole.difference(&described)),
        [
            "GET /",
            "GET /accept-invitation",
            "GET /assets/{*+path}",
            "GET /components",
            "GET /docs/swagger-ui-bundle.js",
            "GET /docs/swagger-ui.css",
            "GET /forgot-password",
            "GET /portal",
            "GET /portal/{*+path}",
            "GET /register",
            "GET /reset-password",
            "GET /sign-in",
            "GET /verify-email",
        ]
    );
    assert_eq!(texts(&mut described.difference(&whole)), [""; 0]);
}

/// A path of an operation, its parameters filled with something.
pub(super) fn filled(path: &str) -> String {
    path.replace("{id}", "x")
        .replace("{key_id}", "y")
        .replace("{userId}", "z")
}

async fn every_operation_refuses_strangers(service: &Service) {
    let nobody = service.organization("acme").await.signer(&[]).await;
    for ((method, path), operation) in operations(&document()) {
        let answer = service.anonymous().ask(&method, &filled(&path)).await;
        answer.assert_refused(401, "MISSING_CREDENTIALS");
        // And whom no policy permits anything; a person always has a role, see the portal's tests.
        if !path.contains('{') && !path.starts_with("/api/portal/") {
            let body = match operation["operationId"].as_str() {
                Some("createAccount" | "createServiceAccount") => json!({"name": "x"}),
                _ => json!({}),
            };
            let request = nobody.ask(&method, &path);
            let request = if method == "GET" {
                request
            } else {
                request.json(&body)
            };
            request.await.assert_refused(403, "NOT_PERMITTED");
        }
    }
}

/// What a body's schema documents, next to what its reader says that it takes.
async fn a_body_is_read_as_it_is_documented(service: &Service) {
    let document = document();
    let acme = service.organization("acme").await;
    let nobody = acme.signer(&[]).await;
    let person = acme.person(TeamRole::Member).await;
    let mut compared = 0;
    for ((method, path), operation) in described(&document) {
        let Some(body) = operation.get("requestBody") else {
            continue;
        };
        let schema = &body["content"]["application/json"]["schema"];
        let name = schema["$ref"]
            .as_str()
            .and_then(|it| it.strip_prefix("#/components/schemas/"));
        let schema = &document["components"]["schemas"][name.expect("a named schema")];
        let documented: BTreeSet<_> = schema["properties"]
            .as_object()
            .into_iter()
            .flat_map(serde_json::Map::keys)
            .cloned()
            .collect();
        let asker: &dyn Persona = if path.starts_with("/api/") {
            &person
        } else {
            &nobody
        };
        let request = asker.ask(&method, &filled(&path)).json(&json!({"?": 1}));
        let answer = request
            .header("cookie", &format!("refresh_token={}", person.cookie))
            .await;
        answer.assert_refused(400, "UNKNOWN_FIELD");
        let message = answer.json()["error"]["message"]
            .as_str()
            .expect("a message")
            .to_owned();
        let (_, known) = message
            .split_once("this takes ")
            .expect("the fields it takes");
        let read: BTreeSet<_> = known
            .split(", ")
            .map(|it| it.trim_matches('`').to_owned())
            .filter(|it| it != "nothing")
            .collect();
        assert_eq!(read, documented, "{method} {path}");
        compared += 1;
    }
    assert_eq!(compared, 23, "operations with a body");
}
