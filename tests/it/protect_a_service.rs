//! What `docs/protect-a-service.md` tells its reader to type protects a service.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use test_support::policy_world::copy;

use crate::signing_docs::is_installed;
use crate::writing_policies::{blocks, compare};

/// The ports of the page, in whose place the test has free ones.
const PORTS: [&str; 3] = ["9091", "8088", "8000"];

/// For the whole page; ends the shell if something never answers.
const SECONDS: &str = "300";

/// Puts free ports in the place of the page's.
fn free_ports() -> impl Fn(&Path) -> String {
    let listeners = PORTS.map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let free = listeners.map(|it| it.local_addr().expect("its address").port().to_string());
    move |file: &Path| {
        let text = fs::read_to_string(file).expect("a file");
        replaced(&text, |word| {
            let at = PORTS.iter().position(|port| *port == word);
            at.map(|at| free[at].as_str())
        })
    }
}

/// Replaces numbers in one pass: what is put in is not looked at again.
fn replaced<'a>(text: &'a str, by: impl Fn(&str) -> Option<&'a str>) -> String {
    let is_digit = |letter: char| letter.is_ascii_digit();
    let mut whole = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(is_digit) {
        let (before, number) = rest.split_at(at);
        let (number, after) =
            number.split_at(number.find(|it| !is_digit(it)).unwrap_or(number.len()));
        whole.push_str(before);
        whole.push_str(by(number).unwrap_or(number));
        rest = after;
    }
    whole + rest
}

#[test]
fn a_port_that_was_put_in_is_not_replaced_again() {
    let by = |number: &str| match number {
        "9091" => Some("48000"),
        "8000" => Some("9091"),
        _ => None,
    };
    let text = "a:9091 b:8000, 18000 in 8000s";
    assert_eq!(replaced(text, by), "a:48000 b:9091, 18000 in 9091s");
}

/// The path of a Python that has httpx.
fn python() -> Option<String> {
    let program = "import httpx, sys; print(sys.executable)";
    ["python3", "/usr/bin/python3"]
        .into_iter()
        .find_map(|python| {
            let imported = Command::new(python).args(["-c", program]).output().ok()?;
            let path = String::from_utf8(imported.stdout).ok()?;
            imported.status.success().then(|| path.trim().to_owned())
        })
}

#[test]
fn the_ten_minutes_go_as_the_page_says() {
    let needed = ["nginx", "curl", "openssl", "python3"];
    if !needed.into_iter().all(is_installed) {
        return;
    }
    let Some(python) = python() else {
        // A package, not a command: it fails where everything must be there.
        is_installed("python3-httpx");
        return;
    };
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = tempfile::tempdir().expect("a directory");
    let home = directory.path();
    copy(&repository.join("policies"), &home.join("policies"));
    symlink(repository.join("clients"), home.join("clients")).expect("a link");
    let with_free_ports = free_ports();
    let gateway = "deploy/nginx/gateway.conf";
    fs::create_dir_all(home.join("deploy/nginx")).expect("a directory");
    fs::write(
        home.join(gateway),
        with_free_ports(&repository.join(gateway)),
    )
    .expect("written");
    let release = home.join("target/release");
    fs::create_dir_all(&release).expect("a directory");
    symlink(env!("CARGO_BIN_EXE_charter"), release.join("charter")).expect("a link");
    let wrapper = release.join("python3");
    fs::write(&wrapper, format!("#!/bin/sh\nexec {python} \"$@\"\n")).expect("written");
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).expect("a program");

    let page = with_free_ports(&repository.join("docs/protect-a-service.md"));
    let (mut script, mut expected) = (String::new(), String::new());
    script.push_str("exec 2>&1\nset -e\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n");
    for block in blocks(&page) {
        match block.language {
            "sh" => script.push_str(block.text),
            "text" => expected.push_str(block.text),
            other => panic!("a block of `{other}`"),
        }
    }
    let output = Command::new("timeout")
        .args([SECONDS, "bash", "-c", &script])
        .current_dir(home)
        .env("CHARTER__SERVER__LISTEN", "127.0.0.1:0")
        .env("CHARTER__SERVER__OPS_LISTEN", "127.0.0.1:0")
        .env_remove("CHARTER_BASE_URL")
        .output()
        .expect("bash runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    let logs = ["charter.log", "nginx.log", "service.log"]
        .map(|name| fs::read_to_string(home.join(name)).unwrap_or_default());
    assert!(output.status.success(), "{printed}\n{logs:?}");
    compare(&expected, &printed);
}
