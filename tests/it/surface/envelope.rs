//! What every answer has (contract section 2): its one shape, its ids, its headers.

use serde_json::json;
use test_support::client::Client;
use test_support::on_both_services;
use test_support::service::{Persona, Service, members};

const INFO: &str = "/organizations/info";

on_both_services!(
    an_error_has_its_shape_and_nothing_else,
    a_well_formed_request_id_is_kept,
    private_responses_are_not_cached,
    public_pages_need_no_credentials,
    the_operations_listener_serves_no_tenant,
    health_is_told_to_old_load_balancers,
);

/// The balancer's `option httpchk` sends HTTP/1.0, without a host.
async fn health_is_told_to_old_load_balancers(service: &Service) {
    for listener in [service.address(), service.operator_side().address()] {
        for page in ["/healthz", "/readyz"] {
            for (method, host) in [("GET", ""), ("HEAD", ""), ("GET", "host: a\r\n")] {
                let mut client = Client::connect(listener).await;
                client
                    .write(format!("{method} {page} HTTP/1.0\r\n{host}\r\n"))
                    .await;
                let answer = client.answer_to(method).await.expect("an answer");
                assert_eq!(answer.status, 200, "{method} {page} {host}");
                assert!(client.is_closed().await, "{method} {page}");
            }
        }
        let mut client = Client::connect(listener).await;
        client.write("GET /metrics HTTP/1.0\r\n\r\n").await;
        let refused = client.answer().await.expect("an answer");
        refused.assert_refused(400, "INVALID_REQUEST");
    }
}

async fn an_error_has_its_shape_and_nothing_else(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, nobody) = (acme.manager().await, acme.signer(&[]).await);
    let answers = [
        (service.anonymous().get("/nowhere").await, 404, "NOT_FOUND"),
        (
            service.anonymous().delete(INFO).await,
            405,
            "METHOD_NOT_ALLOWED",
        ),
        (service.anonymous().get(INFO).await, 401, "UNAUTHORIZED"),
        (nobody.get(INFO).await, 403, "FORBIDDEN"),
        (
            manager.patch(INFO, json!({"x": 1})).await,
            400,
            "INVALID_REQUEST",
        ),
        (
            manager.ask("PATCH", INFO).typed("text/plain", "x").await,
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (
            manager
                .patch(INFO, json!({}))
                .header("if-match", "\"x\"")
                .await,
            412,
            "PRECONDITION_FAILED",
        ),
        (
            manager.patch(INFO, json!({"id": 1})).await,
            422,
            "VALIDATION_FAILED",
        ),
    ];
    for (answer, status, error_type) in answers {
        let json = answer.json();
        let whole = json.as_object().expect("an object");
        assert_eq!(members(whole), ["error"]);
        let error = whole["error"].as_object().expect("an object");
        let expected: &[&str] = match status {
            422 => &["code", "details", "message", "request_id", "type"],
            403 => &["code", "decision_id", "message", "request_id", "type"],
            _ => &["code", "message", "request_id", "type"],
        };
        assert_eq!(members(error), expected);
        assert_eq!(
            (answer.status, &error["type"]),
            (status, &json!(error_type))
        );
        answer.code();
        assert_eq!(
            answer.header("www-authenticate").is_some(),
            status == 401,
            "{answer:?}"
        );
        assert_eq!(
            answer.header("allow").is_some(),
            status == 405,
            "{answer:?}"
        );
    }
}

async fn a_well_formed_request_id_is_kept(service: &Service) {
    let reader = service.organization("acme").await.manager().await;
    let longest = "a".repeat(128);
    for id in ["1", "req-1_2.3", "ABC", &longest] {
        let answer = reader.get(INFO).header("x-request-id", id).await;
        answer.ok();
        assert_eq!(answer.header("x-request-id"), Some(id));
        let answer = reader.get(INFO).header("x-correlation-id", id).await;
        assert_eq!(answer.header("x-request-id"), Some(id));
        let refused = service
            .anonymous()
            .get(INFO)
            .header("x-request-id", id)
            .await;
        assert_eq!(refused.json()["error"]["request_id"], id);
    }
    let both = reader
        .get(INFO)
        .header("x-correlation-id", "second")
        .header("x-request-id", "first");
    assert_eq!(both.await.header("x-correlation-id"), Some("first"));
    let fallback = reader
        .get(INFO)
        .header("x-request-id", "a b")
        .header("x-correlation-id", "good");
    assert_eq!(fallback.await.header("x-request-id"), Some("good"));
    let too_long = "a".repeat(129);
    let mut made = Vec::new();
    for bad in ["", "a b", "a/b", "é", "a\tb", &too_long] {
        let answer = reader.get(INFO).header("x-request-id", bad).await;
        answer.ok();
        let id = answer.header("x-request-id").expect("an id").to_owned();
        assert!(id != bad && !made.contains(&id), "{id}");
        made.push(id);
    }
    let doubled = reader
        .get(INFO)
        .header("x-request-id", "a")
        .header("x-request-id", "a")
        .await;
    assert_ne!(doubled.header("x-request-id"), Some("a"));
}

async fn private_responses_are_not_cached(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    for target in [
        INFO,
        "/accounts",
        "/service-accounts",
        "/nowhere",
        "/healthz",
        "/readyz",
        "/openapi.json",
    ] {
        let answer = manager.get(target).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{target}");
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{target}"
        );
        assert_eq!(answer.header("server"), None, "{target}");
    }
}

async fn public_pages_need_no_credentials(service: &Service) {
    let anyone = service.anonymous();
    assert_eq!(anyone.get("/healthz").await.ok(), json!({"status": "ok"}));
    assert_eq!(anyone.get("/readyz").await.ok(), json!({"status": "ok"}));
    let document = anyone.get("/openapi.json").await;
    assert_eq!(
        (document.status, &document.json()["openapi"]),
        (200, &json!("3.1.0"))
    );
    let page = anyone.get("/docs").await;
    assert_eq!(page.status, 200);
    let html = String::from_utf8(page.body).expect("text");
    assert!(
        !html.contains("http://") && !html.contains("https://"),
        "{html}"
    );
    for asset in [
        "docs/swagger-ui.css",
        "docs/swagger-ui-bundle.js",
        "assets/docs/start.js",
    ] {
        assert!(html.contains(&format!("/{asset}")), "{asset}");
        assert_eq!(
            anyone.get(&format!("/{asset}")).await.status,
            200,
            "{asset}"
        );
    }
    anyone
        .get("/docs/index.html")
        .await
        .assert_refused(404, "NOT_FOUND");
}

async fn the_operations_listener_serves_no_tenant(service: &Service) {
    let anyone = service.operator_side();
    assert_eq!(anyone.get("/healthz").await.status, 200);
    let ready = anyone.get("/readyz").await;
    assert_eq!(ready.status, 200);
    for part in ["database", "replay_guard", "decision_log", "policies"] {
        assert_eq!(ready.json()[part]["status"], "ok", "{part}");
    }
    // A disk with a gibibyte left is never reported; this machine's may have less.
    let room = rustix::fs::statvfs(service.directory()).expect("a disk");
    let is_ample = room.f_bavail * room.f_frsize >= 1 << 30;
    let disk = &ready.json()["disk"]["status"];
    assert!(disk == "ok" || (disk == "degraded" && !is_ample), "{disk}");
    assert_eq!(anyone.get("/metrics").await.status, 200);
    for elsewhere in [INFO, "/accounts", "/openapi.json"] {
        anyone.get(elsewhere).await.assert_refused(404, "NOT_FOUND");
    }
    service
        .anonymous()
        .get("/metrics")
        .await
        .assert_refused(404, "NOT_FOUND");
}
