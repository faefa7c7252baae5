//! The programs in `docs/signing.md` run as they are printed and sign as the vectors say.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::signed_server::{ACCESS_KEY, ANSWER, SECRET_KEY, SignedServer};

#[path = "../../signing/examples/organization.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "there it is a program of its own"
)]
mod rust_program;

/// Where the programs are to send their requests.
pub(crate) struct Target<'a> {
    pub(crate) base_url: &'a str,
    pub(crate) access_key: &'a str,
    pub(crate) secret_key: &'a str,
}

/// A language of the document: its fence, the file the program is saved as, how to run it, and
/// what that needs.
struct Language {
    fence: &'static str,
    file: &'static str,
    interpreter: &'static str,
    needs: &'static [&'static str],
}

const LANGUAGES: [Language; 3] = [
    Language {
        fence: "python",
        file: "organization.py",
        interpreter: "python3",
        needs: &["python3"],
    },
    Language {
        fence: "javascript",
        file: "organization.cjs",
        interpreter: "node",
        needs: &["node"],
    },
    Language {
        fence: "sh",
        file: "organization.sh",
        interpreter: "sh",
        needs: &["openssl", "curl"],
    },
];

/// The programs do without these; where services are required, without the others they fail.
const MAY_BE_MISSING: [&str; 1] = ["node"];

fn document() -> String {
    read("docs/signing.md")
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

/// The one block of the document that is fenced as this language.
fn program(fence: &str) -> String {
    let document = document();
    let opening = format!("\n```{fence}\n");
    let mut blocks = document.split(&opening).skip(1);
    let block = blocks.next().expect(fence);
    assert!(blocks.next().is_none(), "two blocks of {fence}");
    let (program, _) = block.split_once("\n```").expect("a closing fence");
    format!("{program}\n")
}

/// Whether a program is there to be run. Says so if not, or fails where everything must be there.
#[expect(
    clippy::disallowed_methods,
    reason = "only the environment says whether this machine must have everything"
)]
pub(crate) fn is_installed(command: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {command}")])
        .output()
        .is_ok_and(|output| output.status.success());
    let required = std::env::var("CHARTER_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
    assert!(
        found || !required || MAY_BE_MISSING.contains(&command),
        "`{command}` is not installed"
    );
    if !found {
        println!("SKIPPED: `{command}` is not installed");
    }
    found
}

/// Runs each of the document's programs whose interpreter is installed against a server, Rust's
/// included, and fails unless both of its requests, the read and the write, are accepted.
///
/// Gives the languages that ran and what they printed.
pub(crate) fn run_every_program(target: &Target<'_>) -> Vec<(&'static str, String)> {
    let mut ran = vec![("rust", run_rust(target))];
    for language in &LANGUAGES {
        if !language.needs.iter().all(|needed| is_installed(needed)) {
            continue;
        }
        let output = run(language, &program(language.fence), &[], target);
        assert!(output.status.success(), "{}: {output:?}", language.fence);
        let printed = String::from_utf8(output.stdout).expect("text");
        ran.push((language.fence, printed));
    }
    ran
}

fn run_rust(target: &Target<'_>) -> String {
    let client = rust_program::Client {
        base_url: target.base_url.to_owned(),
        access_key: target.access_key.to_owned(),
        key: signing::Key::new(target.secret_key),
    };
    let change = br#"{"metadata":{"signed_with":"rust"}}"#;
    let mut printed = String::new();
    for (method, body) in [("GET", b"".as_slice()), ("PATCH", change)] {
        let (status, answer) = client
            .send(method, "/organizations/info", body)
            .expect("an answer");
        assert_eq!(status, 200, "rust: {answer}");
        printed.push_str(&answer);
    }
    printed
}

/// Saves a program of that language and runs it.
fn run(language: &Language, program: &str, arguments: &[&str], target: &Target<'_>) -> Output {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join(language.file);
    fs::write(&file, program).expect("written");
    Command::new(language.interpreter)
        .arg(file)
        .args(arguments)
        .env("CHARTER_BASE_URL", target.base_url)
        .env("CHARTER_ACCESS_KEY", target.access_key)
        .env("CHARTER_SECRET_KEY", target.secret_key)
        .env("no_proxy", "127.0.0.1")
        .output()
        .expect(language.interpreter)
}

#[test]
fn the_rust_program_is_the_example() {
    let example = read("signing/examples/organization.rs");
    let shown = program("rust");
    assert!(
        example.ends_with(&format!("starts here\n{shown}")),
        "copy signing/examples/organization.rs from its marked line on into docs/signing.md"
    );
}

#[test]
fn every_program_sends_two_requests_that_verify() {
    let server = SignedServer::start();
    let ran = run_every_program(&Target {
        base_url: &server.base_url,
        access_key: ACCESS_KEY,
        secret_key: SECRET_KEY,
    });
    for (language, printed) in &ran {
        assert_eq!(printed.matches(ANSWER).count(), 2, "{language}: {printed}");
    }
    let received = server.received();
    assert_eq!(received.len(), 2 * ran.len());
    for (pair, (language, _)) in received.chunks(2).zip(&ran) {
        let methods: Vec<&str> = pair.iter().map(|it| it.method.as_str()).collect();
        assert_eq!(methods, ["GET", "PATCH"], "{language}");
        for request in pair {
            assert_eq!(request.fault, None, "{language}: {request:?}");
            assert_eq!(request.target, "/organizations/info", "{language}");
        }
        let change = String::from_utf8_lossy(&pair[1].body).into_owned();
        assert!(change.contains("signed_with"), "{language}: {change}");
    }
}

#[test]
fn a_program_whose_request_is_refused_fails() {
    let server = SignedServer::start();
    let target = Target {
        base_url: &server.base_url,
        access_key: ACCESS_KEY,
        secret_key: "sk_live_other",
    };
    for language in &LANGUAGES {
        if language.needs.iter().all(|needed| is_installed(needed)) {
            let output = run(language, &program(language.fence), &[], &target);
            assert!(!output.status.success(), "{}: {output:?}", language.fence);
            assert_eq!(server.received().len(), 1, "{}", language.fence);
        }
    }
}

/// Calls the program's own signing with each vector; prints the signatures, one a line.
const PYTHON_DRIVER: &str = r#"
import json
import sys
sys.path.insert(0, sys.argv[1])
import organization
vectors = json.load(open(sys.argv[2], encoding="utf-8"))
for case in vectors["cases"]:
    target = case["path"] + ("?" + case["query"] if case["query"] else "")
    print(*organization.sign(vectors["secret_key"], case["method"], target,
        case["body"].encode(), case["x-date"], case["x-nonce"]))
"#;

const NODE_DRIVER: &str = r#"
const { sign } = require(process.argv[2] + "/organization.cjs");
const vectors = JSON.parse(require("node:fs").readFileSync(process.argv[3]));
for (const c of vectors.cases) {
  const target = c.path + (c.query ? "?" + c.query : "");
  const s = sign(vectors.secret_key, c.method, target, Buffer.from(c.body), c["x-date"], c["x-nonce"]);
  console.log(s.contentSha256, s.signature);
}
"#;

#[test]
fn every_program_signs_the_vectors_as_published() {
    let vectors: Value = serde_json::from_str(&read("signing/vectors/signing.json")).expect("json");
    let cases = vectors["cases"].as_array().expect("cases");
    let text = |case: &Value, name: &str| case[name].as_str().expect("text").to_owned();
    let expected: Vec<String> = cases
        .iter()
        .map(|case| {
            format!(
                "{} {}",
                text(case, "x-content-sha256"),
                text(case, "signature")
            )
        })
        .collect();
    let signed_by = |language: &Language| -> Vec<String> {
        match language.fence {
            "sh" => cases
                .iter()
                .map(|case| sign_in_shell(language, case))
                .collect(),
            "python" => sign_all(language, PYTHON_DRIVER),
            _ => sign_all(language, NODE_DRIVER),
        }
    };
    for language in &LANGUAGES {
        if language.needs.iter().all(|needed| is_installed(needed)) {
            assert_eq!(signed_by(language), expected, "{}", language.fence);
        }
    }
}

const NOWHERE: Target<'_> = Target {
    base_url: "http://127.0.0.1:1",
    access_key: ACCESS_KEY,
    secret_key: SECRET_KEY,
};

/// Loads the program as a module of a driver.
fn sign_all(language: &Language, driver: &str) -> Vec<String> {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(
        directory.path().join(language.file),
        program(language.fence),
    )
    .expect("written");
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/signing/vectors/signing.json");
    let arguments = [directory.path().to_str().expect("text"), vectors];
    let output = run(language, driver, &arguments, &NOWHERE);
    assert!(output.status.success(), "{}: {output:?}", language.fence);
    let printed = String::from_utf8(output.stdout).expect("text");
    printed.lines().map(str::to_owned).collect()
}

/// Runs the program's functions with the time, the nonce and curl replaced.
fn sign_in_shell(language: &Language, case: &Value) -> String {
    let program = program(language.fence);
    let (functions, _) = program
        .split_once("# what to send")
        .expect("the marked line");
    let text = |name: &str| case[name].as_str().expect("text");
    let driver = format!(
        "{functions}\nnow() {{ echo '{}'; }}\nnew_nonce() {{ echo '{}'; }}\n\
         curl() {{ printf '%s\\n' \"$@\"; }}\nsend \"$1\" \"$2\" \"$3\"\n",
        text("x-date"),
        text("x-nonce"),
    );
    let target = match text("query") {
        "" => text("path").to_owned(),
        query => format!("{}?{query}", text("path")),
    };
    let output = run(
        language,
        &driver,
        &[text("method"), &target, text("body")],
        &NOWHERE,
    );
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).expect("text");
    let behind = |prefix: &str| {
        printed
            .lines()
            .find_map(|line| line.strip_prefix(prefix))
            .expect(prefix)
    };
    let authorization = behind("authorization: ");
    let authorization = signing::Authorization::parse(authorization).expect("well-formed");
    let hash = behind("x-content-sha256: ");
    format!("{hash} {}", authorization.signature())
}
