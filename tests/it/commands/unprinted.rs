//! Standard output that cannot be written: closed, or on a full disk.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use test_support::client::get;

use super::Installation;

/// Where nothing can be written.
fn outputs() -> [(&'static str, Stdio); 2] {
    let full = File::options().write(true).open("/dev/full");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    [
        ("full", full.expect("a full disk").into()),
        ("closed", writer.into()),
    ]
}

/// Exit code and standard error.
fn run(installation: &Installation, arguments: &[&str], out: Stdio) -> (Option<i32>, String) {
    let (command, rest) = arguments.split_first().expect("a command");
    let arguments = [&[*command, &installation.config], rest].concat();
    let mut command = installation.home.command(&arguments);
    command.stdout(out).stderr(Stdio::piped());
    let output = command.spawn().and_then(Child::wait_with_output);
    let output = output.expect("charter runs");
    let err = String::from_utf8(output.stderr).expect("text");
    (output.status.code(), err)
}

#[test]
fn a_change_says_that_it_is_done() {
    let installation = Installation::migrated();
    let acme = ["organization", "create", "--name=Acme", "--slug=acme"];
    installation.run(&acme).success();
    for (number, (way, out)) in outputs().into_iter().enumerate() {
        let (code, err) = run(
            &installation,
            &["key", "issue", "acme", "--name=robot"],
            out,
        );
        assert_eq!(code, Some(2), "{way}: {err}");
        assert!(
            err.starts_with("charter: the change was made, but"),
            "{way}: {err}"
        );
        let keys = installation.json(&["key", "list", "acme", "--json"]);
        assert_eq!(keys.as_array().map(Vec::len), Some(number + 1), "{way}");
    }
    for (way, out) in outputs() {
        let (code, err) = run(&installation, &["migrate", "up"], out);
        assert_eq!(code, Some(2), "{way}: {err}");
        assert!(
            err.starts_with("charter: the change was made, but"),
            "{way}: {err}"
        );
    }
}

#[test]
fn reading_commands_report_no_change() {
    let installation = Installation::migrated();
    installation
        .run(&["organization", "create", "--name=Acme", "--slug=acme"])
        .success();
    for (way, out) in outputs() {
        let (code, err) = run(&installation, &["organization", "list"], out);
        if way == "closed" {
            assert_eq!((code, &*err), (Some(141), ""));
        } else {
            assert_eq!(code, Some(2), "{err}");
            assert!(!err.contains("the change was made"), "{err}");
        }
    }
}

#[tokio::test]
async fn the_service_runs_without_its_standard_output() {
    for (way, out) in outputs() {
        let installation = Installation::new();
        let free = || {
            let bound = TcpListener::bind("127.0.0.1:0").expect("a free port");
            bound.local_addr().expect("its address")
        };
        let (main, operations) = (free(), free());
        let mut command = installation.home.command(&["serve", &installation.config]);
        let mut child = command
            .env("CHARTER__SERVER__LISTEN", main.to_string())
            .env("CHARTER__SERVER__OPS_LISTEN", operations.to_string())
            .stdout(out)
            .stderr(Stdio::piped())
            .spawn()
            .expect("charter starts");
        let mut log = BufReader::new(child.stderr.take().expect("its log")).lines();
        let told =
            log.any(|line| line.is_ok_and(|line| line.contains("cannot write to standard output")));
        assert!(told, "{way}: it ended without a word");
        assert_eq!(get(main, "/healthz").await.status, 200, "{way}");
        let process = child.id().to_string();
        let stopped = Command::new("kill").args(["-TERM", &process]).status();
        assert!(stopped.expect("kill runs").success());
        // Read to its end, or the pipe fills up.
        assert!(log.all(|line| line.is_ok()), "{way}");
        assert_eq!(child.wait().expect("its end").code(), Some(0), "{way}");
    }
}
