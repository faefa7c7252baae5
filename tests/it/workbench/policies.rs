//! `GET /policies`: what is in force, what was refused and why, and the shadow.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use test_support::policy_solver::solver;
use test_support::policy_world::whole_copy_of_shipped;
use test_support::polling::found;
use test_support::service::Service;
use test_support::services::TestDatabase;

use super::{TOKEN, get, serve};
use crate::access::domains::Folder;

async fn until(service: &Service, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    found(what, async || {
        Some(get(service, "/policies").await.ok()).filter(|shown| holds(shown))
    })
    .await
}

fn named<'a>(list: &'a Value, member: &str, name: &str) -> &'a Value {
    let list = list.as_array().expect("a list");
    let found = list.iter().find(|it| it[member] == name);
    found.unwrap_or_else(|| panic!("there is no `{name}`"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_in_force_are_shown_with_their_locations() {
    let folder = whole_copy_of_shipped();
    let service = serve(folder.path(), "").await;
    let shown = get(&service, "/policies").await.ok();
    let in_force = &shown["in_force"];
    let engine = &service.state().engine;
    assert_eq!(in_force["digest"], json!(**engine.snapshot().digest()));
    assert_eq!(in_force["folder_digest"].as_str().map(str::len), Some(64));
    assert_eq!(in_force["since"], "2025-09-30T12:00:00Z");
    let roles = fs::read_to_string(folder.path().join("roles.cedar")).expect("a file");
    assert_eq!(
        named(&in_force["files"], "name", "roles.cedar")["text"],
        json!(roles)
    );
    let example = named(&in_force["files"], "name", "tests/team.json");
    assert!(example["text"].is_string());
    let owner = named(&in_force["policies"], "id", "roles.owner");
    assert_eq!(
        (&owner["effect"], &owner["file"]),
        (&json!("permit"), &json!("roles.cedar"))
    );
    let line = owner["line"].as_u64().expect("a line");
    let line = roles.lines().nth(usize::try_from(line).expect("small") - 1);
    assert_eq!(line, Some("@id(\"roles.owner\")"));
    let invariant = &in_force["invariants"][0];
    assert!(
        invariant["policies"][0]["line"].as_u64().is_some(),
        "{invariant}"
    );
    let gates: Vec<(&Value, &Value)> = in_force["gates"]
        .as_array()
        .expect("gates")
        .iter()
        .map(|gate| (&gate["gate"], &gate["result"]))
        .collect();
    let expected = json!([
        ["folder", "passed"],
        ["validation", "passed"],
        ["tests", "off"],
        ["proofs", "off"],
        ["widening", "off"],
    ]);
    assert_eq!(json!(gates), expected);
    assert_eq!(
        (&shown["refused"], &shown["shadow"]),
        (&Value::Null, &Value::Null)
    );
    let short = get(&service, "/policies?without_texts=true").await.ok();
    assert_eq!(
        named(&short["in_force"]["files"], "name", "roles.cedar")["text"],
        Value::Null
    );
    let strange = get(&service, "/policies?texts=no").await;
    strange.assert_refused(400, "BAD_PARAMETER");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_folder_and_the_shadow_are_shown_with_what_they_change() {
    let (folder, shadow) = (whole_copy_of_shipped(), whole_copy_of_shipped());
    let text = "@id(\"of-shadow\")\nforbid (principal, action, resource);\n";
    fs::write(shadow.path().join("more.cedar"), text).expect("an edit");
    fs::remove_file(shadow.path().join("normalization.cedar")).expect("an edit");
    let dir = folder.path();
    let service = serve(dir, &format!("shadow = \"{}\"", shadow.path().display())).await;
    fs::write(dir.join("broken.cedar"), "permit (").expect("an edit");
    let shown = until(&service, "refused and shadowed", |shown| {
        !shown["refused"].is_null() && !shown["shadow"]["since"].is_null()
    })
    .await;
    let refused = &shown["refused"];
    let changed = json!([{"name": "broken.cedar", "text": "permit ("}]);
    assert_eq!(refused["changed"], changed);
    let gates = &refused["gates"];
    let validation = named(gates, "gate", "validation");
    assert_eq!(validation["result"], "refused");
    assert_eq!(named(gates, "gate", "tests")["result"], "not_run");
    let fault = &validation["findings"]["faults"][0];
    let file = fault["file"].as_str().expect("a file");
    assert!(file.ends_with("broken.cedar"), "{fault}");
    assert_eq!(fault["line"], 1);
    let shadow = &shown["shadow"];
    assert_eq!(shadow["fault"], Value::Null);
    assert_ne!(shadow["digest"], shown["in_force"]["digest"]);
    assert_eq!(
        shadow["changed"],
        json!([
            {"name": "more.cedar", "text": text},
            {"name": "normalization.cedar", "text": null, "removed": true},
        ])
    );
    let of_shadow = named(&shadow["policies"], "id", "of-shadow");
    assert_eq!(
        (&of_shadow["file"], &of_shadow["line"]),
        (&json!("more.cedar"), &json!(1))
    );

    // What is in force has not changed, and is shown again as all there is when the folder is mended.
    assert_eq!(
        named(&shown["in_force"]["policies"], "id", "roles.owner")["effect"],
        "permit"
    );
    fs::remove_file(dir.join("broken.cedar")).expect("taken back");
    until(&service, "mended", |shown| shown["refused"].is_null()).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_refused_is_still_told_when_it_is_mended() {
    let folder = Folder::with(&["todo"]);
    let dir = folder.path();
    let service = serve(&dir, "").await;
    for (domain, file) in [
        ("", "roles.cedar"),
        ("?domain=todo", "domains/todo/todo.cedar"),
    ] {
        let file = dir.join(file);
        let sound = fs::read_to_string(&file).expect("a file");
        let target = format!("/policies{domain}");
        let until = async |what: &str, holds: &dyn Fn(&Value) -> bool| {
            found(what, async || {
                Some(get(&service, &target).await.ok()).filter(|shown| holds(shown))
            })
            .await
        };
        assert_eq!(get(&service, &target).await.ok()["refusals"], json!([]));
        fs::write(&file, format!("{sound}\npermit (")).expect("an edit");
        let shown = until("refused", &|shown| !shown["refused"].is_null()).await;
        let (refused, told) = (&shown["refused"], &shown["refusals"]);
        let first = refused["reason"].as_str().and_then(|it| it.lines().next());
        assert_eq!(
            told,
            &json!([{
                "at": refused["since"],
                "folder_digest": refused["folder_digest"],
                "gates": ["validation"],
                "reason": first,
            }])
        );
        // Nor is it forgotten when another edit is taken.
        let before = &shown["in_force"]["folder_digest"];
        fs::write(&file, format!("{sound}\n// More to come.\n")).expect("an edit");
        let taken = |shown: &Value| shown["in_force"]["folder_digest"] != *before;
        let shown = until("taken", &taken).await;
        assert_eq!(shown["refused"], Value::Null);
        assert_eq!(&shown["refusals"], told);
        fs::write(&file, sound).expect("an edit");
    }
    service.stop().await;
}

/// Starts with the proofs required.
async fn serve_proving(dir: &Path) -> Service {
    let policies = format!(
        "dir = \"{}\"\ncheck_timeout = \"100s\"\nproofs = \"required\"",
        dir.display()
    );
    let server = format!("ops_token = \"{TOKEN}\"");
    Service::with_server_and_policies(TestDatabase::sqlite(), &server, &policies).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counterexample_is_data() {
    if solver().is_none() {
        return;
    }
    let folder = whole_copy_of_shipped();
    let dir = folder.path();
    let service = serve_proving(dir).await;
    let shown = get(&service, "/policies").await.ok();
    for gate in ["tests", "proofs"] {
        let gate = named(&shown["in_force"]["gates"], "gate", gate);
        assert_eq!(gate["result"], "passed", "{gate}");
        assert!(gate["took_ms"].as_u64().is_some(), "{gate}");
    }
    fs::remove_file(dir.join("tests/guardrails.json")).expect("an edit");
    let guardrails = dir.join("guardrails.cedar");
    let text = fs::read_to_string(&guardrails).expect("a file");
    let forbid = text
        .find("@id(\"guardrails.other-organization\")")
        .expect("there");
    let next = text
        .find("@id(\"guardrails.deactivated-organization\")")
        .expect("there");
    let without = format!("{}{}", &text[..forbid], &text[next..]);
    fs::write(&guardrails, without).expect("an edit");
    let shown = until(&service, "refused", |shown| !shown["refused"].is_null()).await;
    let proofs = named(&shown["refused"]["gates"], "gate", "proofs");
    assert_eq!(proofs["result"], "refused");
    let finding = &proofs["findings"]["findings"][0];
    assert_eq!(finding["claim"]["kind"], "invariant", "{finding}");
    let counterexample = &finding["verdict"]["counterexample"];
    for member in ["principal", "action", "resource"] {
        assert!(counterexample[member].is_string(), "{finding}");
    }
    assert!(
        finding["verdict"]["by"][0]["place"].is_string(),
        "{finding}"
    );
    service.stop().await;
}
