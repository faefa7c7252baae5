//! `name`: 1 to 200 characters, at most 800 bytes, trimmed, composed, nothing hidden.

use serde_json::json;
use test_support::on_both_services;
use test_support::service::{Persona, Service};

use super::{INFO, editor};

on_both_services!(
    a_name_has_its_edges,
    a_name_is_kept_as_it_is_shown,
    a_name_hides_nothing
);

async fn a_name_has_its_edges(service: &Service) {
    let editor = editor(service).await;
    for good in [
        "x".to_owned(),
        "x".repeat(200),
        "é".repeat(200),
        "𝕏".repeat(200),
    ] {
        let shown = editor.patch(INFO, json!({"name": good})).await.ok();
        assert_eq!(shown["name"], json!(good));
        assert_eq!(editor.get(INFO).await.ok()["name"], json!(good));
    }
    for bad in [
        String::new(),
        " ".repeat(3),
        "x".repeat(201),
        "𝕏".repeat(201),
        "x".repeat(60_000),
    ] {
        let answer = editor.patch(INFO, json!({"name": bad})).await;
        assert_eq!(answer.broken(), ["/name"], "{}", bad.len());
    }
}

async fn a_name_is_kept_as_it_is_shown(service: &Service) {
    let editor = editor(service).await;
    for (sent, kept) in [
        ("  Acme \t", None),
        ("  Acme  ", Some("Acme")),
        ("\u{3000}Acme\u{a0}", Some("Acme")),
        ("Ac\u{327}a\u{303}o", Some("A\u{e7}\u{e3}o")),
        ("\u{1100}\u{1161}", Some("\u{ac00}")),
        ("Acme ☂ 東京 \"q\" \\ <b>", Some("Acme ☂ 東京 \"q\" \\ <b>")),
        (
            "'; DROP TABLE organizations; --",
            Some("'; DROP TABLE organizations; --"),
        ),
        ("👩\u{200d}🚀", Some("👩\u{200d}🚀")),
    ] {
        let answer = editor.patch(INFO, json!({"name": sent})).await;
        match kept {
            Some(kept) => assert_eq!(answer.ok()["name"], kept),
            None => assert_eq!(answer.broken(), ["/name"]),
        }
    }
}

async fn a_name_hides_nothing(service: &Service) {
    let editor = editor(service).await;
    for hidden in [
        '\0', '\u{1}', '\n', '\r', '\t', '\u{1b}', '\u{7f}', '\u{85}', '\u{9f}', '\u{61c}',
        '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{202a}', '\u{202e}', '\u{2066}',
        '\u{2069}',
    ] {
        let answer = editor
            .patch(INFO, json!({"name": format!("a{hidden}b")}))
            .await;
        assert_eq!(answer.broken(), ["/name"], "{hidden:?}");
    }
    assert_eq!(editor.get(INFO).await.ok()["name"], "Acme Corporation");
}
