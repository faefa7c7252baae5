//! `charter request` sends exactly what it signed, and its exit code says what became of it.

use std::fs::File;
use std::process::{Command, Output, Stdio};

use crate::signed_server::{ACCESS_KEY, ANSWER, SECRET_KEY, SignedServer};

fn charter(server: &SignedServer, secret_key: &str, arguments: &[&str]) -> Output {
    let mut command = command(server, secret_key, arguments);
    command.output().expect("the binary runs")
}

fn command(server: &SignedServer, secret_key: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_charter"));
    command
        .arg("request")
        .args(arguments)
        .env_clear()
        .env("CHARTER_BASE_URL", &server.base_url)
        .env("CHARTER_ACCESS_KEY", ACCESS_KEY)
        .env("CHARTER_SECRET_KEY", secret_key);
    command
}

#[test]
fn every_request_arrives_as_it_was_signed() {
    let server = SignedServer::start();
    for (method, target, body) in [
        ("GET", "/organizations/info", None),
        ("GET", "/service-accounts?page=1&quantity=20", None),
        (
            "GET",
            "/service-accounts?order_by=%2dcreated_at&a=[1]{2}",
            None,
        ),
        ("GET", "//organizations/./../%69nfo/;a", None),
        ("GET", "/with-a-body", Some("{}")),
        (
            "PATCH",
            "/organizations/info",
            Some(r#"{"name":"Ação Ltda ☂"}"#),
        ),
        ("PATCH", "/organizations/info", Some(" {}\n")),
        ("POST", "/rotate", None),
        ("DELETE", "/service-accounts/sa-0", None),
    ] {
        let mut arguments = vec![method, target];
        arguments.extend(body.into_iter().flat_map(|body| ["-d", body]));
        let output = charter(&server, SECRET_KEY, &arguments);
        assert!(output.status.success(), "{method} {target}: {output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), ANSWER);
        let received = server.received();
        let [request] = received.as_slice() else {
            panic!("{} requests for {method} {target}", received.len());
        };
        assert_eq!(
            (request.method.as_str(), request.target.as_str()),
            (method, target)
        );
        assert_eq!(request.body, body.unwrap_or_default().as_bytes());
        assert_eq!(request.fault, None);
    }
}

#[test]
fn the_exit_code_tells_a_refusal_from_no_answer() {
    let server = SignedServer::start();
    let refused = charter(&server, "sk_live_other", &["GET", "/organizations/info"]);
    assert_eq!(refused.status.code(), Some(1));
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        words.contains("401 UNAUTHORIZED INVALID_SIGNATURE"),
        "{words}"
    );
    assert!(words.contains("request id: r1"), "{words}");

    let closed = ["GET", "/a", "--base-url", "http://127.0.0.1:1"];
    for arguments in [
        closed.as_slice(),
        &["GET", "no-slash"],
        &["GET", "/a", "-H", "x-nonce: 12345678"],
        &["GET", "/a", "-d", "@/nowhere/at/all"],
        &["GET"],
        &["GET", "/a", "--unknown"],
    ] {
        let output = charter(&server, SECRET_KEY, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(!output.stderr.is_empty());
    }
    assert_eq!(charter(&server, "", &["GET", "/a"]).status.code(), Some(2));
}

#[test]
fn an_answer_that_nobody_reads_is_no_missing_answer() {
    let server = SignedServer::start();
    for arguments in [
        &["GET", "/a"][..],
        &["GET", "/a", "-i"],
        &["GET", "/a", "--curl"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = command(&server, SECRET_KEY, arguments);
        let output = command.stdout(writer).stderr(Stdio::piped()).spawn();
        let output = output.and_then(std::process::Child::wait_with_output);
        let output = output.expect("the binary runs");
        assert_eq!(output.status.code(), Some(141), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
    let full = File::options().write(true).open("/dev/full");
    let mut command = command(&server, SECRET_KEY, &["GET", "/a"]);
    let status = command.stdout(full.expect("a full disk")).status();
    assert_eq!(status.expect("it runs").code(), Some(2));
}

#[test]
fn a_secret_with_a_line_break_is_refused_before_anything_is_sent() {
    let server = SignedServer::start();
    let output = charter(&server, &format!("{SECRET_KEY}\n"), &["GET", "/a"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        words.contains("CHARTER_SECRET_KEY") && !words.contains(SECRET_KEY),
        "{words}"
    );
    assert!(server.received().is_empty());
}

#[test]
fn no_output_shows_the_secret() {
    let server = SignedServer::start();
    for arguments in [
        ["--help"].as_slice(),
        &["GET"],
        &["GET", "/a", "-i"],
        &["GET", "/a", "--curl"],
        &["GET", "bad"],
    ] {
        let output = charter(&server, "sk_live_do-not-show", arguments);
        assert!(
            !format!("{output:?}").contains("do-not-show"),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_printed_curl_line_works_once_in_a_shell() {
    if !crate::signing_docs::is_installed("curl") {
        return;
    }
    let server = SignedServer::start();
    let body = "{\"name\":\"it's $HOME `a` \\\\ \\\" ☂\"}\n";
    for (method, target, body) in [
        ("GET", "/a/./b?c=[1-3]&d={e,f}", None),
        ("PATCH", "/organizations/info", Some(body.as_bytes())),
        ("PATCH", "/organizations/info", Some(b"@not-a-file")),
        // No argument can hold it, so the line names the file.
        ("PATCH", "/organizations/info", Some(b"\xff\0\r\n")),
    ] {
        let mut arguments = vec![method, target, "--curl"];
        // A file, because `-d @not-a-file` would name one.
        let file = tempfile::NamedTempFile::new().expect("a file");
        let data = format!("@{}", file.path().display());
        if let Some(body) = body {
            std::fs::write(file.path(), body).expect("written");
            arguments.extend(["-d", &data]);
        }
        let printed = charter(&server, SECRET_KEY, &arguments);
        assert!(printed.status.success(), "{printed:?}");
        let line = String::from_utf8(printed.stdout).expect("text");
        for fault in [None, Some("the nonce again".to_owned())] {
            let output = Command::new("sh")
                .args(["-c", &line])
                .env("no_proxy", "127.0.0.1")
                .output()
                .expect("a shell");
            assert!(output.status.success(), "{line}{output:?}");
            let received = server.received();
            assert_eq!(received.len(), 1, "{line}");
            assert_eq!(received[0].target, target);
            assert_eq!(received[0].body, body.unwrap_or_default());
            assert_eq!(received[0].fault, fault, "{line}");
        }
    }
}
