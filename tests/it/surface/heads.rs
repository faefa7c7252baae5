//! Every GET is a HEAD, too (contract section 2), signed as HEAD.

use test_support::client::Answer;
use test_support::on_both_services;
use test_support::service::{Persona, Service};

use super::documents::{document, operations};

on_both_services!(
    every_get_is_a_head,
    a_head_is_signed_as_head,
    a_trailing_slash_of_the_docs_redirects,
);

fn headers(answer: &Answer) -> Vec<&(String, String)> {
    let of_this_request = ["x-request-id", "x-correlation-id", "date"];
    let mut headers: Vec<_> = answer.headers.iter().collect();
    headers.retain(|(name, _)| !of_this_request.contains(&&**name));
    headers.sort();
    headers
}

fn reads_without_parameters() -> Vec<String> {
    let routes = operations(&document()).into_keys();
    let plain = routes.filter(|(method, path)| method == "GET" && !path.contains('{'));
    plain.map(|(_, path)| path).collect()
}

#[track_caller]
fn assert_head_of(head: &Answer, get: &Answer) {
    assert!(head.body.is_empty(), "{head:?}");
    assert_eq!((head.status, headers(head)), (get.status, headers(get)));
}

async fn every_get_is_a_head(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    // When it was used is in lists once it is written, and then stays the same: the clock stands still.
    manager.get("/accounts").await.ok();
    let flushed = service.state().last_used.flush(service.store()).await;
    flushed.expect("written");
    let account = format!("/accounts/{}", acme.account.id);
    let (of_people, of_programs): (Vec<_>, Vec<_>) = reads_without_parameters()
        .into_iter()
        .partition(|path| path.starts_with("/api/"));
    let more = [
        "/accounts?quantity=1",
        &account,
        &manager.path(),
        &manager.keys(),
        "/decisions/dec-00000000000000000000000000",
        "/accounts/missing",
    ];
    for target in of_programs.iter().map(String::as_str).chain(more) {
        let get = manager.get(target).await;
        assert_head_of(&manager.ask("HEAD", target).await, &get);
        let (head, get) = (manager.ask("HEAD", target), manager.get(target));
        assert_head_of(&head.over_h2().await, &get.over_h2().await);
    }
    let owner = acme.person("owner").await;
    for target in of_people.iter().map(String::as_str).chain(["/accounts"]) {
        assert_head_of(&owner.ask("HEAD", target).await, &owner.get(target).await);
    }
    let anyone = service.anonymous();
    for target in [
        "/",
        "/docs",
        "/docs/swagger-ui.css",
        "/portal/team",
        "/assets/portal/main.js",
        "/openapi.json",
        "/healthz",
        "/readyz",
        "/.well-known/jwks.json",
        "/nowhere",
    ] {
        assert_head_of(&anyone.ask("HEAD", target).await, &anyone.get(target).await);
    }
    let operator = service.operator_side();
    for target in ["/healthz", "/readyz"] {
        let (head, get) = (
            operator.ask("HEAD", target).await,
            operator.get(target).await,
        );
        assert!(
            head.status == get.status && head.body.is_empty(),
            "{head:?}"
        );
    }
    assert_eq!(operator.ask("HEAD", "/metrics").await.status, 200);
    let refused = anyone.ask("HEAD", "/api/auth/login").await;
    assert_eq!(
        (refused.status, refused.header("allow")),
        (405, Some("POST"))
    );
    let refused = anyone.ask("PUT", "/accounts").await;
    let allow = refused.header("allow").expect("the methods");
    assert!(
        ["GET", "HEAD", "POST"].iter().all(|it| allow.contains(it)),
        "{allow}"
    );
}

async fn a_head_is_signed_as_head(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    for (signed, sent) in [("GET", "HEAD"), ("HEAD", "GET")] {
        let other = manager.ask(signed, "/accounts").write().by(sent);
        assert_eq!(other.send().await.status, 401, "{signed} sent as {sent}");
    }
}

async fn a_trailing_slash_of_the_docs_redirects(service: &Service) {
    let answer = service.anonymous().get("/docs/").await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (302, Some("/docs"))
    );
    let posted = service.anonymous().ask("POST", "/docs/").await;
    posted.assert_refused(400, "NON_CANONICAL_TARGET");
}
