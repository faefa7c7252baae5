//! `metadata`: a JSON Merge Patch (RFC 7396) within limits.

use charter_domain::progress::Progress;
use serde_json::{Map, Value, json};
use test_support::on_both_services;
use test_support::service::{Persona, Service, Signer};

use super::{INFO, editor};

on_both_services!(
    metadata_is_merged,
    metadata_comes_back_as_it_was_sent,
    keys_of_a_parser_are_keys_like_any_other,
    the_limits_hold_at_their_edges,
    the_limits_are_of_the_result,
);

/// What the metadata is after this patch, by the answer and by the next GET.
async fn patched(editor: &Signer, metadata: Value) -> Value {
    let answer = editor.patch(INFO, json!({"metadata": metadata})).await.ok();
    assert_eq!(editor.get(INFO).await.ok(), answer);
    answer["metadata"].clone()
}

async fn metadata_is_merged(service: &Service) {
    let editor = editor(service).await;
    let steps = [
        (
            json!({"a": 1, "b": {"c": 2, "d": {"e": 3}}}),
            json!({"a": 1, "b": {"c": 2, "d": {"e": 3}}}),
        ),
        (json!({"a": null}), json!({"b": {"c": 2, "d": {"e": 3}}})),
        (json!({"gone": null}), json!({"b": {"c": 2, "d": {"e": 3}}})),
        (
            json!({"b": {"c": null, "d": {"f": 4}}}),
            json!({"b": {"d": {"e": 3, "f": 4}}}),
        ),
        (
            json!({"b": {"d": [1, null, {"x": null}]}}),
            json!({"b": {"d": [1, null, {"x": null}]}}),
        ),
        (
            json!({"b": {"d": {"g": null, "h": 5}}}),
            json!({"b": {"d": {"h": 5}}}),
        ),
        (json!({"b": "text"}), json!({"b": "text"})),
        (json!({"b": {}}), json!({"b": {}})),
        (
            json!({"n": {"o": {"p": null}}}),
            json!({"b": {}, "n": {"o": {}}}),
        ),
        (json!({}), json!({"b": {}, "n": {"o": {}}})),
        (Value::Null, json!({})),
        (Value::Null, json!({})),
    ];
    for (patch, result) in steps {
        assert_eq!(patched(&editor, patch.clone()).await, result, "{patch}");
    }
}

async fn metadata_comes_back_as_it_was_sent(service: &Service) {
    let editor = editor(service).await;
    let sent = json!({
        "zero": 0, "negative": -1, "fraction": 0.1, "small": 1e-300, "max": 9_007_199_254_740_991_i64,
        "min": -9_007_199_254_740_991_i64, "yes": true, "text": "ünï ☂ \u{1f600} \"\\ /",
        "control": "line\nbreak\ttab\u{1}", "": "", "a.b": 1, "$x": 1, "empty": {}, "list": [[], {}],
        "deep": {"2": {"3": {"4": {"5": "leaf"}}}},
    });
    let mut sent = sent;
    sent.as_object_mut().expect("an object").remove("");
    assert_eq!(patched(&editor, sent.clone()).await, sent);
    // Whole numbers have one spelling.
    let spelled = r#"{"metadata": {"a": 1.0, "b": 1e2, "c": -0.0}}"#;
    editor.patch(INFO, json!({"metadata": null})).await.ok();
    let shown = editor.ask("PATCH", INFO).body(spelled).await.ok();
    assert_eq!(shown["metadata"].to_string(), r#"{"a":1,"b":100,"c":0}"#);
}

/// Whatever meaning some parser gives to it: stored and returned literally, on every object.
async fn keys_of_a_parser_are_keys_like_any_other(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let made = manager
        .post("/service-accounts", json!({"name": "Holder"}))
        .await;
    let holder = made.header("location").expect("a location").to_owned();
    let account = format!("/accounts/{}", acme.account.id);
    for key in [
        "$serde_json::private::RawValue",
        "$serde_json::private::Number",
        "$__toml_private_datetime",
        "__entity",
        "__extn",
        "$ref",
        "__proto__",
    ] {
        for value in [
            r#""oops""#,
            r#""{\"a\":[1]}""#,
            r#""117.63331139400017""#,
            "117.63331139400017",
            "123456789.12345679",
            r#"{"x":{"y":"z"}}"#,
        ] {
            // The test's own parser would give the key its meaning, so texts are compared.
            let metadata = format!(r#""metadata":{{"a":{{"{key}":{value}}}}}"#);
            for target in [INFO, &*account, &*holder] {
                let clear = manager.ask("PATCH", target).body(r#"{"metadata":null}"#);
                assert_eq!(clear.await.status, 200);
                let patch = manager.ask("PATCH", target).body(format!("{{{metadata}}}"));
                for answer in [patch.await, manager.get(target).await] {
                    let text = String::from_utf8(answer.body).expect("text");
                    assert!(
                        answer.status == 200 && text.contains(&metadata),
                        "{key}: {text}"
                    );
                }
            }
        }
    }
    // It stops nobody: not its own people, not operators, not the audit log.
    let owner = acme.person("owner").await;
    owner.get("/audit-events?limit=200").await.ok();
    let store = service.store();
    let all = store.list_organizations().await.expect("a list");
    assert!(all.iter().all(|(_, organization)| organization.is_ok()));
    let report = store
        .verify_audit(None, &Progress::default())
        .await
        .expect("a report");
    assert_eq!(report.findings, []);
}

fn keys(count: usize) -> Value {
    let keys: Map<_, _> = (0..count).map(|n| (format!("k{n}"), json!(n))).collect();
    keys.into()
}

/// Metadata of that many bytes as compact JSON.
fn of_bytes(bytes: usize) -> Value {
    json!({"k": "x".repeat(bytes - r#"{"k":""}"#.len())})
}

async fn the_limits_hold_at_their_edges(service: &Service) {
    let editor = editor(service).await;
    let umlauts = |bytes: usize| json!({"k": "ü".repeat((bytes - r#"{"k":""}"#.len()) / 2)});
    for good in [
        keys(50),
        json!({"k".repeat(64): 1}),
        json!({"☂".repeat(64): 1}),
        of_bytes(16 * 1024),
        umlauts(16 * 1024),
        json!({"a": {"b": {"c": {"d": 1}}}}),
        json!({"a": [[[[1]]]]}),
        json!({"a": {"b": [{"c": {}}]}}),
    ] {
        editor.patch(INFO, json!({"metadata": null})).await.ok();
        assert_eq!(patched(&editor, good.clone()).await, good);
    }
    editor.patch(INFO, json!({"metadata": null})).await.ok();
    let long = "k".repeat(65);
    for (bad, place) in [
        (keys(51), "/metadata".to_owned()),
        (json!({long.clone(): 1}), format!("/metadata/{long}")),
        (json!({"": 1}), "/metadata/".to_owned()),
        (of_bytes(16 * 1024 + 1), "/metadata".to_owned()),
        (umlauts(16 * 1024 + 2), "/metadata".to_owned()),
        (
            json!({"a": {"b": {"c": {"d": {"e": {}}}}}}),
            "/metadata/a/b/c/d/e".to_owned(),
        ),
        (json!({"a": [[[[[1]]]]]}), "/metadata/a/0/0/0/0".to_owned()),
        (
            json!({"n": 9_007_199_254_740_992_i64}),
            "/metadata/n".to_owned(),
        ),
        (
            json!({"n": -9_007_199_254_740_992_i64}),
            "/metadata/n".to_owned(),
        ),
        (json!({"n": [1e300]}), "/metadata/n/0".to_owned()),
        (json!({"a/b~c": u64::MAX}), "/metadata/a~1b~0c".to_owned()),
        (json!({"t": "a\0b"}), "/metadata/t".to_owned()),
        (json!({"t": {"a\0b": 1}}), "/metadata/t/a\0b".to_owned()),
        (json!({"a\0b": 1}), "/metadata/a\0b".to_owned()),
    ] {
        let answer = editor.patch(INFO, json!({"metadata": bad})).await;
        assert_eq!(answer.broken(), [place], "{bad}");
    }
    // What no JSON number can be is no JSON.
    for malformed in ["1e999", "-1e999", "NaN", "Infinity"] {
        let body = format!(r#"{{"metadata": {{"n": {malformed}}}}}"#);
        let answer = editor.ask("PATCH", INFO).body(body).await;
        answer.assert_refused(400, "MALFORMED_JSON");
    }
    assert_eq!(editor.get(INFO).await.ok()["metadata"], json!({}));
}

async fn the_limits_are_of_the_result(service: &Service) {
    let editor = editor(service).await;
    patched(&editor, keys(50)).await;
    let one_more = editor.patch(INFO, json!({"metadata": {"more": 1}})).await;
    assert_eq!(one_more.broken(), ["/metadata"]);
    // One in, one out.
    let swapped = patched(&editor, json!({"more": 1, "k0": null})).await;
    assert_eq!(swapped.as_object().map(Map::len), Some(50));
    // A patch may remove more than the result may have.
    let removed: Map<_, _> = (0..60).map(|n| (format!("k{n}"), Value::Null)).collect();
    assert_eq!(patched(&editor, removed.into()).await, json!({"more": 1}));
    patched(&editor, json!({"more": null, "a": {"b": {"c": {}}}})).await;
    let deeper = json!({"metadata": {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}});
    let deeper = editor.patch(INFO, deeper).await;
    assert_eq!(deeper.broken(), ["/metadata/a/b/c/d/e"]);
}
