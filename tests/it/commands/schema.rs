//! `charter migrate` and `charter check`.

use super::Installation;

#[test]
fn the_schema_goes_up_and_down_and_tells_where_it_is() {
    let installation = Installation::new();
    let status = || installation.run(&["migrate", "status"]).success();
    let pending = status();
    assert!(pending.lines().count() >= 2);
    assert!(
        pending.lines().all(|line| line.starts_with("pending  m")),
        "{pending}"
    );
    let up = installation.run(&["migrate", "up"]).success();
    assert_eq!(up, pending.replace("pending", "applied"));
    // Once more changes nothing.
    assert_eq!(installation.run(&["migrate", "up"]).success(), up);
    let down = installation.run(&["migrate", "down"]).success();
    assert_eq!(
        down.lines()
            .filter(|line| line.starts_with("pending"))
            .count(),
        1
    );
    assert!(
        down.lines().last().expect("lines").starts_with("pending"),
        "{down}"
    );
    let all = up.lines().count().to_string();
    assert_eq!(
        installation.run(&["migrate", "down", &all]).success(),
        pending
    );
    assert_eq!(status(), pending);
}

#[test]
fn check_looks_at_settings_policies_and_database() {
    let installation = Installation::new();
    let digest = "0123456789abcdef";
    let redacted = |text: &str| {
        let (before, rest) = text.split_once("digest ").expect("a digest");
        let (_, after) = rest.split_at(64);
        format!("{before}digest {digest}{after}")
    };
    let pending = redacted(&installation.run(&["check"]).success());
    assert!(!pending.contains(" 0 migrations pending"), "{pending}");
    installation.run(&["migrate", "up"]).success();
    insta::assert_snapshot!(redacted(&installation.run(&["check"]).success()));
}

#[test]
fn check_fails_where_serve_would() {
    let installation = Installation::new();
    let outcome = installation.home.run(&["check"]);
    assert_eq!((outcome.code, outcome.out.as_str()), (Some(2), ""));
    assert!(
        outcome.err.contains("charter keys generate"),
        "{}",
        outcome.err
    );
    let mut command = installation.home.command(&["check", &installation.config]);
    let output = command.env("CHARTER__POLICIES__DIR", "nowhere").output();
    let output = output.expect("the binary runs");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "settings  ok\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("`nowhere`"));
}

#[test]
fn check_and_serve_refuse_mail_that_cannot_be_sent() {
    let installation = Installation::new();
    for (variable, value, told) in [
        ("CHARTER__MAIL__FROM", "nobody", "`mail.from`"),
        (
            "CHARTER__MAIL__FROM",
            "Charter <ада@example.com>",
            "`mail.from`",
        ),
        ("CHARTER__MAIL__HELO", "127.0.0.1", "mail.helo"),
    ] {
        for command in ["check", "serve"] {
            let mut command = installation.home.command(&[command, &installation.config]);
            let output = command.env(variable, value).output();
            let output = output.expect("the binary runs");
            assert_eq!(output.status.code(), Some(2), "{output:?}");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains(told), "{said}");
        }
    }
}

#[test]
fn operators_commands_ask_for_the_schema_first() {
    let installation = Installation::new();
    for command in [
        ["organization", "list"].as_slice(),
        &["organization", "create", "--name=Acme", "--slug=acme"],
        &["key", "issue", "acme", "--name=robot"],
        &["audit", "verify"],
    ] {
        let outcome = installation.run(command);
        assert_eq!(outcome.code, Some(2), "{command:?}: {outcome:?}");
        assert_eq!(
            outcome.err,
            "charter: the database's schema is not up to date: run `charter migrate up` first\n"
        );
    }
}
