//! `etag`, `if-match` (RFC 9110 section 13), and that no write is lost.

use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;

use super::{INFO, editor};
use crate::on_both_services;
use crate::service::{Persona, Service};

on_both_services!(
    every_write_names_the_new_version,
    a_stale_write_is_refused,
    a_condition_is_asked_after_permission_and_body,
    no_increment_is_lost,
);

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
