//! The console's files: how they are served, and what may stand in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use test_support::service::{Persona, Service};
use test_support::{on_both_services, repository};

on_both_services!(
    every_page_is_the_same_file_under_one_policy,
    files_are_sent_compressed_and_once,
    what_is_no_page_stays_what_it_was,
);

fn console() -> PathBuf {
    repository().join("console")
}

fn text(path: &str) -> String {
    fs::read_to_string(console().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The modules of the portal and those that it shares, by path below `console/`.
fn modules() -> Vec<String> {
    let mut found = Vec::new();
    let mut pending = vec![PathBuf::from("shared"), PathBuf::from("portal")];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(console().join(&folder)).expect("a folder") {
            let entry = entry.expect("an entry");
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|it| it == "js") {
                found.push(path.to_str().expect("text").to_owned());
            }
        }
    }
    found.sort();
    found
}

/// What a module imports before it runs.
fn imports(module: &str) -> Vec<String> {
    let source = text(module);
    let folder = Path::new(module).parent().expect("a folder");
    source
        .lines()
        .filter(|line| !line.trim_start().starts_with('*'))
        .filter_map(|line| line.split_once(" from \""))
        .map(|(_, rest)| rest.trim_end_matches("\";"))
        // Others stand in code that a page shows.
        .filter(|import| import.starts_with('.'))
        .map(|import| resolved(folder, import))
        .collect()
}

fn resolved(folder: &Path, import: &str) -> String {
    let mut path = PathBuf::new();
    for part in folder.join(import).components() {
        match part {
            Component::ParentDir => assert!(path.pop(), "{import}"),
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    path.to_str().expect("text").to_owned()
}

fn reached(from: &str, found: &mut BTreeSet<String>) {
    if found.insert(from.to_owned()) {
        for module in imports(from) {
            reached(&module, found);
        }
    }
}

/// What the page names in this attribute.
fn named(attribute: &str) -> BTreeSet<String> {
    let start = format!("{attribute}=\"/assets/");
    let page = text("portal/index.html");
    let parts = page.split(&start).skip(1);
    parts
        .map(|rest| rest.split('"').next().expect("an end").to_owned())
        .collect()
}

/// `path: "…"` of the portal's routes.
fn routes() -> Vec<String> {
    let source = text("portal/routes.js");
    let paths = source.split("path: \"").skip(1);
    paths
        .map(|rest| {
            rest.split('"')
                .next()
                .expect("an end")
                .replace(":id", "sa-x")
        })
        .collect()
}

#[test]
fn the_page_loads_what_the_first_paint_needs_and_nothing_waits_for_another() {
    let mut needed = BTreeSet::new();
    reached("portal/main.js", &mut needed);
    reached("portal/pages/sign-in.js", &mut needed);
    let given: BTreeSet<_> = named("href")
        .into_iter()
        .filter(|it| Path::new(it).extension().is_some_and(|it| it == "js"))
        .collect();
    needed.remove("portal/main.js");
    assert_eq!(given, needed);
    assert!(named("src").contains("portal/main.js"));
}

#[test]
fn no_module_is_forgotten() {
    let mut used = BTreeSet::new();
    reached("portal/main.js", &mut used);
    for rest in text("portal/routes.js").split("import(\"./").skip(1) {
        if let Some((page, _)) = rest.split_once("\")")
            && page.starts_with("pages/")
        {
            reached(&format!("portal/{page}"), &mut used);
        }
    }
    assert_eq!(used.into_iter().collect::<Vec<_>>(), modules());
}

#[test]
fn no_text_becomes_markup_code_or_a_stored_secret() {
    let forbidden = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "DOMParser",
        "eval(",
        "new Function",
        "setAttribute(\"on",
        "srcdoc",
        "sessionStorage",
        "indexedDB",
        "document.cookie",
        "postMessage(data",
    ];
    for module in modules() {
        let source = text(&module);
        for word in forbidden {
            assert!(!source.contains(word), "{module}: {word}");
        }
        let stores = source.contains("localStorage");
        assert!(!stores || module == "shared/api.js", "{module}");
    }
    let page = text("portal/index.html");
    for word in [
        "<style",
        " style=",
        " onclick",
        "javascript:",
        "http://",
        "https://",
    ] {
        assert!(!page.contains(word), "{word}");
    }
}

async fn every_page_is_the_same_file_under_one_policy(service: &Service) {
    let anyone = service.anonymous();
    let page = anyone.get("/").await;
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(page.body, text("portal/index.html").into_bytes());
    let policy = page.header("content-security-policy").expect("a policy");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ] {
        assert!(policy.split("; ").any(|it| it == part), "{part}");
    }
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cache-control", "public, no-cache"),
    ] {
        assert_eq!(page.header(name), Some(value));
    }
    for path in routes() {
        let answer = anyone.get(&path).await;
        assert_eq!(
            (answer.status, answer.body == page.body),
            (200, true),
            "{path}"
        );
        let query = anyone
            .get(&format!("{path}?token=abc&utm_source=mail"))
            .await;
        assert_eq!(query.status, 200, "{path}");
    }
    let deep = anyone.get("/portal/some/page").await;
    assert_eq!((deep.status, deep.body == page.body), (200, true));
}

async fn files_are_sent_compressed_and_once(service: &Service) {
    let anyone = service.anonymous();
    let mut first_paint = 0;
    let first = named("href").into_iter().chain(named("src"));
    let targets = first
        .map(|path| format!("/assets/{path}"))
        .collect::<BTreeSet<_>>();
    for target in targets.iter().map(String::as_str).chain(["/"]) {
        let ask = |accepted: &str| anyone.get(target).header("accept-encoding", accepted);
        let small = ask("gzip, br").await;
        first_paint += small.body.len();
        let plain = ask("identity").await;
        assert_eq!((small.status, plain.status), (200, 200), "{target}");
        assert_eq!(plain.header("content-encoding"), None);
        assert!(small.body.len() <= plain.body.len(), "{target}");
        assert_eq!(small.header("vary"), Some("accept-encoding, origin"));
        for answer in [&small, &plain] {
            let known = ask("gzip, br")
                .header("if-none-match", &answer.etag())
                .await;
            let same = answer.etag() == small.etag();
            assert_eq!(known.status, if same { 304 } else { 200 }, "{target}");
            assert_eq!(known.body.is_empty(), same);
        }
        let stale = ask("gzip").header("if-match", "\"stale\"").await;
        stale.assert_refused(412, "PRECONDITION_FAILED");
    }
    assert!(first_paint < 100 * 1024, "{first_paint} bytes");
    let page = anyone.get("/").header("accept-encoding", "br").await;
    assert_eq!(page.header("content-encoding"), Some("br"));
}

async fn what_is_no_page_stays_what_it_was(service: &Service) {
    let anyone = service.anonymous();
    for missing in [
        "/nowhere",
        "/assets",
        "/assets/portal",
        "/assets/portal/nothing.js",
        "/sign-in/more",
        "/api/portal/nothing",
        "/favicon.ico",
    ] {
        anyone
            .get(missing)
            .header("accept", "text/html")
            .await
            .assert_refused(404, "NOT_FOUND");
    }
    for other in [
        "/portal/",
        "/portal//x",
        "/assets/../policies",
        "/%73ign-in",
    ] {
        anyone
            .get(other)
            .await
            .assert_refused(400, "NON_CANONICAL_TARGET");
    }
    for program in ["/accounts", "/service-accounts", "/permissions"] {
        anyone
            .get(program)
            .header("accept", "text/html")
            .await
            .assert_refused(401, "MISSING_CREDENTIALS");
    }
    for page in ["/", "/sign-in", "/portal/team", "/assets/portal/main.js"] {
        let answer = anyone.ask("POST", page).await;
        answer.assert_refused(405, "METHOD_NOT_ALLOWED");
    }
}
