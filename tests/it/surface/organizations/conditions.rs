//! `etag`, `if-match` (RFC 9110 section 13), and that no write is lost.

use std::sync::Arc;

use serde_json::json;
use test_support::on_both_services;
use test_support::service::{Persona, Service};
use tokio::task::JoinSet;

use super::{INFO, editor};

on_both_services!(
    every_write_names_the_new_version,
    a_stale_write_is_refused,
    a_condition_is_asked_after_permission_and_body,
    no_increment_is_lost,
    a_write_whose_if_none_match_matches_is_refused,
    a_stale_if_match_is_refused_on_every_method,
    a_use_changes_the_tag_and_spoils_no_write,
);

const STALE: &str = "\"org-00000000000000000000000000.1\"";

async fn a_write_whose_if_none_match_matches_is_refused(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let other = acme.signer(&[]).await;
    let current = manager.get(INFO).await.etag();
    for matching in ["*", &current, &format!("W/{current}")] {
        let patch = manager.patch(INFO, json!({"name": "No"}));
        let refused = patch.header("if-none-match", matching).await;
        refused.assert_refused(412, "PRECONDITION_FAILED");
    }
    for (method, target) in [
        ("DELETE", other.path()),
        ("DELETE", other.key()),
        ("POST", format!("{}/rotate", other.key())),
        ("POST", "/accounts".to_owned()),
        ("POST", "/service-accounts".to_owned()),
        ("POST", other.keys()),
        ("PATCH", format!("/accounts/{}", acme.account.id)),
    ] {
        let asked = manager.ask(method, &target);
        let asked = match method {
            "POST" if target.ends_with("rotate") || target.ends_with("keys") => {
                asked.json(&json!({}))
            }
            "DELETE" => asked,
            _ => asked.json(&json!({"name": "No"})),
        };
        let refused = asked.header("if-none-match", "*").await;
        refused.assert_refused(412, "PRECONDITION_FAILED");
    }
    assert_ne!(manager.get(INFO).await.ok()["name"], "No");
    manager.get(&other.path()).await.ok();
    let patch = manager.patch(INFO, json!({"name": "Yes"}));
    patch.header("if-none-match", STALE).await.ok();
}

async fn a_stale_if_match_is_refused_on_every_method(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let account = format!("/accounts/{}", acme.account.id);
    for target in [
        INFO,
        "/accounts",
        "/service-accounts",
        &account,
        &manager.path(),
        &manager.keys(),
    ] {
        for method in ["GET", "HEAD"] {
            let asked = manager.ask(method, target).header("if-match", STALE).await;
            assert_eq!(asked.status, 412, "{method} {target}");
            let any = manager.ask(method, target).header("if-match", "*").await;
            assert_eq!(any.status, 200, "{method} {target}");
        }
    }
    let current = manager.get(INFO).await.etag();
    manager.get(INFO).header("if-match", &current).await.ok();
    let made = manager.post("/accounts", json!({"name": "No"}));
    let made = made.header("if-match", STALE).await;
    made.assert_refused(412, "PRECONDITION_FAILED");
    let revoked = manager
        .delete(&manager.key())
        .header("if-match", STALE)
        .await;
    revoked.assert_refused(412, "PRECONDITION_FAILED");
    let owner = acme.person("owner").await;
    let portal = "/api/portal/organization";
    let stale = owner.get(portal).header("if-match", STALE).await;
    stale.assert_refused(412, "PRECONDITION_FAILED");
    let deactivate = format!("{portal}/deactivate");
    for (name, condition) in [("if-match", STALE), ("if-none-match", "*")] {
        let refused = owner.ask("POST", &deactivate).header(name, condition).await;
        refused.assert_refused(412, "PRECONDITION_FAILED");
    }
    assert_eq!(owner.get(portal).await.ok()["isActive"], true);
}

async fn a_use_changes_the_tag_and_spoils_no_write(service: &Service) {
    let acme = service.organization("acme").await;
    let (manager, used) = (acme.manager().await, acme.manager().await);
    let before = manager.get(&used.path()).await;
    service.clock.advance(120);
    used.get("/accounts").await.ok();
    let after = manager
        .get(&used.path())
        .header("if-none-match", &before.etag())
        .await;
    assert_ne!(after.ok()["last_used_at"], before.ok()["last_used_at"]);
    assert_ne!(after.etag(), before.etag());
    let unchanged = manager
        .get(&used.path())
        .header("if-none-match", &after.etag())
        .await;
    assert_eq!(unchanged.status, 304);
    let patch = manager.patch(&used.path(), json!({"name": "Renamed"}));
    let patched = patch.header("if-match", &before.etag()).await;
    assert_eq!(patched.ok()["name"], "Renamed");
    assert_eq!(manager.get(&used.path()).await.etag(), patched.etag());
    let stale = manager.patch(&used.path(), json!({"name": "Stale"}));
    let stale = stale.header("if-match", &after.etag()).await;
    stale.assert_refused(412, "PRECONDITION_FAILED");
}

async fn every_write_names_the_new_version(service: &Service) {
    let editor = editor(service).await;
    let mut seen = vec![editor.get(INFO).await.etag()];
    for name in ["A", "B", "A"] {
        let answer = editor.patch(INFO, json!({"name": name})).await;
        let etag = answer.etag();
        assert_eq!(editor.get(INFO).await.etag(), etag);
        assert!(!seen.contains(&etag), "{etag} again");
        seen.push(etag);
    }
}

async fn a_stale_write_is_refused(service: &Service) {
    let editor = editor(service).await;
    let renaming = |name: &str, condition: &str| {
        editor
            .patch(INFO, json!({"name": name}))
            .header("if-match", condition)
    };
    let first = editor.get(INFO).await.etag();
    let second = renaming("Second", &first).await;
    second.ok();
    for stale in [&first, "\"x\"", "\"\"", &format!("W/{}", second.etag())] {
        renaming("Stale", stale)
            .await
            .assert_refused(412, "PRECONDITION_FAILED");
    }
    // Also when nothing would change.
    let empty = editor.patch(INFO, json!({})).header("if-match", &first);
    empty.await.assert_refused(412, "PRECONDITION_FAILED");
    for malformed in ["x", "\"x", "", "*, \"x\""] {
        renaming("Malformed", malformed)
            .await
            .assert_refused(400, "BAD_PARAMETER");
    }
    assert_eq!(editor.get(INFO).await.ok()["name"], "Second");
    renaming("Third", &format!("{first}, {}", second.etag()))
        .await
        .ok();
    renaming("Fourth", "*").await.ok();
    let unconditional = editor.patch(INFO, json!({"name": "Fifth"})).await;
    assert_eq!(unconditional.ok()["name"], "Fifth");
}

async fn a_condition_is_asked_after_permission_and_body(service: &Service) {
    let acme = service.organization("other").await;
    let nobody = acme.signer(&[]).await;
    let refused = nobody.patch(INFO, json!({})).header("if-match", "\"x\"");
    refused.await.assert_refused(403, "NOT_PERMITTED");
    let editor = editor(service).await;
    let malformed = editor
        .patch(INFO, json!({"x": 1}))
        .header("if-match", "\"x\"");
    malformed.await.assert_refused(400, "UNKNOWN_FIELD");
}

async fn no_increment_is_lost(service: &Service) {
    const TASKS: usize = 16;
    const ROUNDS: usize = 6;
    let editor = Arc::new(editor(service).await);
    editor
        .patch(INFO, json!({"metadata": {"count": 0}}))
        .await
        .ok();
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let editor = Arc::clone(&editor);
        tasks.spawn(async move {
            let mut written = 0_u64;
            for _ in 0..ROUNDS {
                let read = editor.get(INFO).await;
                let count = read.ok()["metadata"]["count"].as_u64().expect("a count");
                let next = json!({"metadata": {"count": count + 1}});
                let answer = editor
                    .patch(INFO, next)
                    .header("if-match", &read.etag())
                    .await;
                match answer.status {
                    200 => written += 1,
                    _ => answer.assert_refused(412, "PRECONDITION_FAILED"),
                }
            }
            written
        });
    }
    let written: u64 = tasks.join_all().await.into_iter().sum();
    assert!(written > 0);
    assert_eq!(
        editor.get(INFO).await.ok()["metadata"]["count"],
        json!(written)
    );
}
