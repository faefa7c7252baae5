//! The console's files: how they are served, and what may stand in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use test_support::service::{Anonymous, Persona, Service};
use test_support::{on_both_services, repository};

on_both_services!(
    every_page_is_the_same_file_under_one_policy,
    each_listener_has_its_own_app,
    files_are_sent_compressed_and_once,
    other_paths_stay_unchanged,
    all_files_together_are_small,
);

fn console() -> PathBuf {
    repository().join("console")
}

fn text(path: &str) -> String {
    fs::read_to_string(console().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The two apps of the console.
const APPS: [&str; 2] = ["portal", "workbench"];

/// The modules of both apps, of `/docs`, and those that they share, by path below `console/`.
fn modules() -> Vec<String> {
    let mut found = Vec::new();
    let mut pending: Vec<PathBuf> = APPS.iter().map(PathBuf::from).collect();
    pending.extend(["shared", "docs"].map(PathBuf::from));
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

/// What an app's page names in this attribute.
fn named(app: &str, attribute: &str) -> BTreeSet<String> {
    let start = format!("{attribute}=\"/assets/");
    let page = text(&format!("{app}/index.html"));
    let parts = page.split(&start).skip(1);
    parts
        .map(|rest| rest.split('"').next().expect("an end").to_owned())
        .collect()
}

/// `path: "…"` of an app's routes.
fn routes(app: &str) -> Vec<String> {
    let source = text(&format!("{app}/routes.js"));
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
    for app in APPS {
        let main = format!("{app}/main.js");
        let mut needed = BTreeSet::new();
        reached(&main, &mut needed);
        reached(&format!("{app}/pages/sign-in.js"), &mut needed);
        let given: BTreeSet<_> = named(app, "href")
            .into_iter()
            .filter(|it| Path::new(it).extension().is_some_and(|it| it == "js"))
            .collect();
        needed.remove(&main);
        assert_eq!(given, needed);
        assert!(named(app, "src").contains(&main));
    }
}

#[test]
fn no_module_is_forgotten() {
    let mut used = BTreeSet::new();
    reached("docs/start.js", &mut used);
    for app in APPS {
        reached(&format!("{app}/main.js"), &mut used);
        let routes = text(&format!("{app}/routes.js"));
        for rest in routes.split("import(\"./").skip(1) {
            if let Some((page, _)) = rest.split_once("\")")
                && page.starts_with("pages/")
            {
                reached(&format!("{app}/{page}"), &mut used);
            }
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
        assert!(!stores || module == "portal/api.js", "{module}");
    }
    for app in APPS.into_iter().chain(["docs"]) {
        let page = text(&format!("{app}/index.html"));
        for word in [
            "<style",
            " style=",
            " onclick",
            "javascript:",
            "http://",
            "https://",
        ] {
            assert!(!page.contains(word), "{app}: {word}");
        }
    }
}

async fn every_page_is_the_same_file_under_one_policy(service: &Service) {
    let sides = [service.anonymous(), service.operator_side()];
    for (app, anyone) in APPS.into_iter().zip(sides) {
        let page = anyone.get("/").await;
        assert_eq!(page.status, 200);
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(
            page.body,
            text(&format!("{app}/index.html")).into_bytes(),
            "{app}"
        );
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
            assert_eq!(page.header(name), Some(value), "{app}");
        }
        let deep = format!("/{app}/some/page");
        for path in routes(app).iter().chain([&deep]) {
            let answer = anyone.get(path).await;
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
    }
}

async fn each_listener_has_its_own_app(service: &Service) {
    let (people, operators) = (service.anonymous(), service.operator_side());
    for path in [
        "/assets/workbench/main.js",
        "/workbench",
        "/workbench/policies",
    ] {
        assert_eq!(operators.get(path).await.status, 200, "{path}");
        let refused = people.get(path).await;
        refused.assert_refused(404, "NOT_FOUND");
    }
    for path in ["/assets/portal/main.js", "/portal", "/register"] {
        assert_eq!(people.get(path).await.status, 200, "{path}");
        let refused = operators.get(path).await;
        refused.assert_refused(404, "NOT_FOUND");
    }
    // Beside the API of the same names, which asks who it is.
    for path in ["/policies", "/decisions"] {
        let refused = operators.get(path).header("accept", "text/html").await;
        refused.assert_refused(401, "MISSING_CREDENTIALS");
    }
}

async fn files_are_sent_compressed_and_once(service: &Service) {
    let sides = [service.anonymous(), service.operator_side()];
    for (app, anyone) in APPS.into_iter().zip(sides) {
        Box::pin(app_is_sent_compressed_and_once(app, &anyone)).await;
    }
}

async fn app_is_sent_compressed_and_once(app: &str, anyone: &Anonymous) {
    let mut first_paint = 0;
    let first = named(app, "href").into_iter().chain(named(app, "src"));
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

async fn other_paths_stay_unchanged(service: &Service) {
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

/// By them the binary grows: each is compiled in as it is, and compressed.
async fn all_files_together_are_small(service: &Service) {
    let mut bytes = 0;
    let mut files = 0;
    let sides = [service.anonymous(), service.operator_side()];
    for (folder, side) in [("shared", 0), ("portal", 0), ("docs", 0), ("workbench", 1)] {
        let mut pending = vec![PathBuf::from(folder)];
        while let Some(folder) = pending.pop() {
            for entry in fs::read_dir(console().join(&folder)).expect("a folder") {
                let path = folder.join(entry.expect("an entry").file_name());
                if console().join(&path).is_dir() {
                    pending.push(path);
                    continue;
                }
                for coding in ["identity", "gzip", "br"] {
                    let target = format!("/assets/{}", path.display());
                    let sent = sides[side].get(&target).header("accept-encoding", coding);
                    let sent = sent.await;
                    assert_eq!(sent.status, 200, "{target}");
                    bytes += sent.body.len();
                }
                files += 1;
            }
        }
    }
    assert!(files > 100, "{files} files");
    assert!(bytes < 2 * 1024 * 1024, "{bytes} bytes");
}
