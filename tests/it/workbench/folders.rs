//! A folder that is sent is a stranger's text: bounded, checked elsewhere, written nowhere.

use std::fs;

use serde_json::{Map, Value, json};
use test_support::policy_world::whole_copy_of_shipped;
use test_support::service::Service;

use super::{get, post, serve};

/// The fields of the answer, sorted.
async fn refused(service: &Service, target: &str, member: &str, files: Value) -> Vec<String> {
    let mut body = match target {
        "/policies/evaluation" => json!({
            "subject": {"type": "ServiceAccount", "id": "sa-x"},
            "action": {"name": "organizations:GetOrganization"},
            "resource": {"type": "Organization", "id": "org-x"},
        }),
        "/policies/access" => json!({"subject": {"type": "User", "id": "x"}}),
        _ => json!({}),
    };
    body[member] = files;
    let mut fields = post(service, target, &body).await.broken_on_portal();
    fields.sort();
    fields.dedup();
    fields
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_lead_elsewhere_and_texts_that_are_none_are_refused() {
    let folder = whole_copy_of_shipped();
    let service = serve(folder.path(), "").await;
    let outside = folder
        .path()
        .parent()
        .expect("a directory")
        .join("evil.cedar");
    for target in [
        "/policies/evaluation",
        "/policies/access",
        "/policies/diff",
        "/policies/replay",
    ] {
        for (name, field) in [
            ("../evil.cedar", "/changes/..~1evil.cedar"),
            ("/etc/evil.cedar", "/changes/~1etc~1evil.cedar"),
            ("tests/../evil.cedar", "/changes/tests~1..~1evil.cedar"),
            (".evil.cedar", "/changes/.evil.cedar"),
            ("evil.sh", "/changes/evil.sh"),
            ("a~b.txt", "/changes/a~0b.txt"),
        ] {
            let fields = refused(&service, target, "changes", json!({name: "x"})).await;
            assert_eq!(fields, [field], "{target}");
        }
        let fields = refused(&service, target, "changes", json!({"a.cedar": 7})).await;
        assert_eq!(fields, ["/changes/a.cedar"]);
        // A whole folder removes nothing by null.
        let fields = refused(&service, target, "folder", json!({"a.cedar": null})).await;
        assert_eq!(fields, ["/folder/a.cedar"]);
        let fields = refused(&service, target, "folder", json!({"a.cedar": ""})).await;
        assert_eq!(fields, ["/folder"], "it has no schema");
        let large = "x".repeat(1024 * 1024 + 1);
        let fields = refused(&service, target, "changes", json!({"a.cedar": large})).await;
        assert_eq!(fields, ["/changes/a.cedar"]);
        let many: Map<String, Value> = (0..5_000)
            .map(|number| (format!("{number}.cedar"), json!("")))
            .collect();
        let fields = refused(&service, target, "changes", Value::Object(many)).await;
        assert_eq!(fields, ["/changes"]);
        let too_large = json!({"folder": {"a.cedar": "x".repeat(8 * 1024 * 1024)}});
        post(&service, target, &too_large)
            .await
            .assert_refused(413, "PAYLOAD_TOO_LARGE");
    }
    for target in ["/policies/diff", "/policies/replay"] {
        let none = post(&service, target, &json!({})).await;
        assert_eq!(none.broken_on_portal(), ["/folder"]);
        let both = json!({"folder": {}, "changes": {}});
        assert_eq!(
            post(&service, target, &both).await.broken_on_portal(),
            ["/changes"]
        );
    }
    assert!(!outside.exists());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_are_told_with_their_places_and_depth_kills_nobody() {
    let folder = whole_copy_of_shipped();
    let service = serve(folder.path(), "").await;
    let deep = format!(
        "@id(\"deep\")\npermit (principal, action, resource) when {{ {}true{} }};",
        "(".repeat(100_000),
        ")".repeat(100_000)
    );
    let not = format!(
        "@id(\"not\")\npermit (principal, action, resource) when {{ {}true }};",
        "!".repeat(100_000)
    );
    for target in [
        "/policies/evaluation",
        "/policies/access",
        "/policies/diff",
        "/policies/replay",
    ] {
        let broken = json!({"broken.cedar": "@id(\"x\")\npermit ("});
        let fields = refused(&service, target, "changes", broken).await;
        assert_eq!(fields, ["/changes/broken.cedar"], "{target}");
        for text in [&deep, &not] {
            let fields = refused(&service, target, "changes", json!({"deep.cedar": text})).await;
            assert!(fields[0].starts_with("/changes"), "{target}: {fields:?}");
        }
    }
    // It is still there, and nothing has changed.
    let shown = get(&service, "/policies?without_texts=true").await.ok();
    assert_eq!(shown["refused"], Value::Null);
    let names = fs::read_dir(folder.path()).expect("a folder").count();
    let shipped = fs::read_dir(test_support::policy_world::shipped()).expect("a folder");
    assert_eq!(names, shipped.count());
    service.stop().await;
}
