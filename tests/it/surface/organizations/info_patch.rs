//! `PATCH /organizations/info`: which bodies it takes, and what each fault is called.

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{Persona, Service};

use super::{INFO, editor};

on_both_services!(
    a_patch_changes_what_it_names,
    an_empty_patch_changes_nothing,
    read_only_fields_are_refused_by_name,
    each_fault_of_a_body_has_its_code,
    bodies_other_than_objects_are_refused,
    a_body_is_json_by_its_type_too,
    a_body_has_64_kib_and_not_one_byte_more,
    writing_takes_its_permission_and_nothing_else,
    a_refused_patch_changes_nothing,
);

async fn a_patch_changes_what_it_names(service: &Service) {
    let editor = editor(service).await;
    let before = editor.get(INFO).await.ok();
    service.clock.advance(60);
    let renamed = editor.patch(INFO, json!({"name": "Acme Inc."})).await.ok();
    let expected = |name: &str, metadata: Value, updated_at: &str| {
        let mut expected = before.clone();
        expected["name"] = name.into();
        expected["metadata"] = metadata;
        expected["updated_at"] = updated_at.into();
        expected
    };
    assert_eq!(
        renamed,
        expected("Acme Inc.", json!({}), "2025-09-30T12:01:00Z")
    );
    service.clock.advance(60);
    let noted = editor
        .patch(INFO, json!({"metadata": {"tier": "gold"}}))
        .await
        .ok();
    assert_eq!(
        noted,
        expected("Acme Inc.", json!({"tier": "gold"}), "2025-09-30T12:02:00Z")
    );
    service.clock.advance(60);
    let both = json!({"name": "Acme", "metadata": {"size": 3}});
    let both = editor.ask("PATCH", INFO).json(&both).over_h2().await.ok();
    let merged = json!({"size": 3, "tier": "gold"});
    assert_eq!(both, expected("Acme", merged, "2025-09-30T12:03:00Z"));
    assert_eq!(editor.get(INFO).await.ok(), both);
}

async fn an_empty_patch_changes_nothing(service: &Service) {
    let editor = editor(service).await;
    let full = json!({"name": "Acme", "metadata": {"a": {"b": 1}}});
    editor.patch(INFO, full.clone()).await.ok();
    let before = editor.get(INFO).await;
    service.clock.advance(60);
    // Nothing said, or nothing new said.
    for same in [
        json!({}),
        json!({"metadata": {}}),
        json!({"metadata": {"x": null}}),
        full,
    ] {
        let answer = editor.patch(INFO, same.clone()).await;
        assert_eq!(answer.ok(), before.ok(), "{same}");
        assert_eq!(answer.etag(), before.etag(), "{same}");
    }
}

async fn read_only_fields_are_refused_by_name(service: &Service) {
    let editor = editor(service).await;
    let before = editor.get(INFO).await.ok();
    for field in ["id", "slug", "is_active", "created_at", "updated_at"] {
        // Even what it is already, or nothing.
        for value in [before[field].clone(), Value::Null, json!({"a": []})] {
            let answer = editor.patch(INFO, json!({ field: value })).await;
            assert_eq!(answer.broken(), [format!("/{field}")]);
        }
    }
    let several = json!({"slug": "zzzzzz", "name": "", "id": 1});
    let mut named = editor.patch(INFO, several).await.broken();
    named.sort();
    assert_eq!(named, ["/id", "/name", "/slug"]);
    assert_eq!(editor.get(INFO).await.ok(), before);
}

async fn each_fault_of_a_body_has_its_code(service: &Service) {
    let editor = editor(service).await;
    let mut faults = vec![
        (r#"{"nmae": "x"}"#.to_owned(), "UNKNOWN_FIELD"),
        (r#"{"Name": "x"}"#.to_owned(), "UNKNOWN_FIELD"),
        (r#"{"": 1}"#.to_owned(), "UNKNOWN_FIELD"),
        (r#"{"name": "x", "name": "x"}"#.to_owned(), "MALFORMED_JSON"),
        (
            r#"{"metadata": {}, "metadata": {}}"#.to_owned(),
            "MALFORMED_JSON",
        ),
        (
            r#"{"metadata": {"a": 1, "a": 1}}"#.to_owned(),
            "MALFORMED_JSON",
        ),
        (
            r#"{"metadata": {"a": [{"b": 1, "\u0062": 2}]}}"#.to_owned(),
            "MALFORMED_JSON",
        ),
        (
            r#"{"unknown": {"a": 1, "a": 1}}"#.to_owned(),
            "MALFORMED_JSON",
        ),
        (
            format!(r#"{{"metadata": {}1{}}}"#, "[".repeat(130), "]".repeat(130)),
            "MALFORMED_JSON",
        ),
    ];
    for wrong in ["null", "1", "true", "[]", r#"["x"]"#, "{}"] {
        faults.push((format!(r#"{{"name": {wrong}}}"#), "WRONG_TYPE"));
    }
    for wrong in ["1", "true", "[]", r#"[{"a": 1}]"#, r#""{}""#] {
        faults.push((format!(r#"{{"metadata": {wrong}}}"#), "WRONG_TYPE"));
    }
    for (body, code) in faults {
        let answer = editor.ask("PATCH", INFO).body(body.clone()).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, code.to_owned()),
            "{body}"
        );
    }
    let unknown = editor.patch(INFO, json!({"nmae": "x"})).await.json();
    let message = unknown["error"]["message"].as_str().expect("a message");
    assert!(message.contains("`nmae`"), "{message}");
}

async fn bodies_other_than_objects_are_refused(service: &Service) {
    let editor = editor(service).await;
    for body in [
        "",
        " ",
        "{",
        "{}{}",
        "name=x",
        "\u{feff}{}",
        "{\"name\": \"\\ud800\"}",
        "\0",
    ] {
        let answer = editor.ask("PATCH", INFO).body(body).await;
        answer.assert_refused(400, "MALFORMED_JSON");
    }
    let answer = editor
        .ask("PATCH", INFO)
        .body(&b"{\"name\": \"\xff\"}"[..])
        .await;
    answer.assert_refused(400, "MALFORMED_JSON");
    for body in ["[]", "[{}]", "null", "1", "\"{}\"", "true"] {
        let answer = editor.ask("PATCH", INFO).body(body).await;
        answer.assert_refused(400, "WRONG_TYPE");
    }
}

async fn a_body_is_json_by_its_type_too(service: &Service) {
    let editor = editor(service).await;
    let body = r#"{"name": "Acme"}"#;
    for good in [
        "application/json",
        "application/json; charset=utf-8",
        "application/merge-patch+json",
    ] {
        editor.ask("PATCH", INFO).typed(good, body).await.ok();
    }
    for bad in [
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "*/*",
    ] {
        let answer = editor.ask("PATCH", INFO).typed(bad, body).await;
        answer.assert_refused(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    let untyped = editor
        .ask("PATCH", INFO)
        .body(body)
        .write()
        .without("content-type");
    untyped
        .send()
        .await
        .assert_refused(415, "UNSUPPORTED_MEDIA_TYPE");
    let packed = editor
        .ask("PATCH", INFO)
        .body(body)
        .header("content-encoding", "gzip");
    packed.await.assert_refused(415, "UNSUPPORTED_MEDIA_TYPE");
}

async fn a_body_has_64_kib_and_not_one_byte_more(service: &Service) {
    let editor = editor(service).await;
    let of_length = |length: usize| format!("{{{}}}", " ".repeat(length - 2));
    for over_h2 in [false, true] {
        let sized = |length| {
            let request = editor.ask("PATCH", INFO).body(of_length(length));
            if over_h2 { request.over_h2() } else { request }
        };
        sized(64 * 1024).await.ok();
        sized(64 * 1024 + 1)
            .await
            .assert_refused(413, "PAYLOAD_TOO_LARGE");
    }
}

async fn writing_takes_its_permission_and_nothing_else(service: &Service) {
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let refused = reader.patch(INFO, json!({})).await;
    refused.assert_refused(403, "NOT_PERMITTED");
    let writer = acme.signer(&[Permission::UpdateOrganization]).await;
    writer.patch(INFO, json!({})).await.ok();
}

async fn a_refused_patch_changes_nothing(service: &Service) {
    let editor = editor(service).await;
    let before = editor.get(INFO).await;
    service.clock.advance(60);
    for body in [
        json!({"name": "Other", "metadata": {"n": 1e300}}),
        json!({"name": "Other", "slug": "zzzzzz"}),
        json!({"name": "Other", "unknown": 1}),
        json!({"name": "Other", "metadata": 1}),
        json!({"name": "", "metadata": {"a": 1}}),
    ] {
        let status = editor.patch(INFO, body.clone()).await.status;
        assert!(matches!(status, 400 | 422), "{body}");
    }
    let after = editor.get(INFO).await;
    assert_eq!((after.ok(), after.etag()), (before.ok(), before.etag()));
}
