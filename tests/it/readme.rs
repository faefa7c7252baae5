//! What the README tells a newcomer to type does what it says.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_charter");

/// What the commands show, in this order.
const FIVE_MINUTES: [&str; 10] = [
    r#""name":"Acme Corporation""#,
    r#""name":"Acme Inc.""#,
    r#""name":"Acme Inc.""#,
    "403 FORBIDDEN NOT_PERMITTED",
    r#""name":"Acme Inc.""#,
    "REPLAYED_NONCE",
    r#""secret_key":"charter_sk_"#,
    "403 FORBIDDEN NOT_PERMITTED",
    "no policy permits `service-accounts:GrantPermission` of the permission `decisions:GetDecision` here",
    "organizations: 1, events: 13, heads: 13, findings: 0",
];

/// The same, from registering to the end of the organization.
const FROM_ZERO: [&str; 10] = [
    r#"{"organizationId":""#,
    "\n{}\n",
    r#""contactEmail":null"#,
    r#""contactEmail":"billing@zoo.example","defaultRegion":"eu-central-1""#,
    r#""name":"Zoo""#,
    r#""isActive":false"#,
    "401 UNAUTHORIZED KEY_REVOKED",
    r#""isActive":false"#,
    r#""code":"ORGANIZATION_DEACTIVATED""#,
    r#""is_active":true"#,
];

/// For a whole section: one of its commands waits for a mail.
const SECONDS: &str = "120";

/// Killed with the test, whatever becomes of it.
struct Demo {
    child: Child,
    /// Open as long as the child may write to it.
    _output: BufReader<ChildStdout>,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve_demo(directory: &Path) -> Demo {
    let mut child = Command::new(BINARY)
        .args(["serve", "--demo"])
        .current_dir(directory)
        .env("CHARTER__SERVER__LISTEN", "127.0.0.1:0")
        .env("CHARTER__SERVER__OPS_LISTEN", "127.0.0.1:0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut first = String::new();
    output.read_line(&mut first).expect("a line");
    let demo = Demo {
        child,
        _output: output,
    };
    assert!(first.starts_with("charter listens on http://"), "{first}");
    demo
}

/// The `sh` blocks under a heading.
fn commands(document: &str, heading: &str) -> String {
    let (_, section) = document.split_once(heading).expect("the heading");
    let section = section.split("\n## ").next().unwrap_or_default();
    section
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect()
}

/// Types a section's commands into one shell, beside a demo of its own.
#[track_caller]
fn follow(heading: &str, shown: &[&str]) {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(repository.join("README.md")).expect("README.md");
    let directory = tempfile::tempdir().expect("a directory");
    let home = directory.path();
    symlink(repository.join("policies"), home.join("policies")).expect("a link");
    // Where the README's own line puts the binary into the path.
    fs::create_dir_all(home.join("target/release")).expect("a directory");
    symlink(BINARY, home.join("target/release/charter")).expect("a link");

    let _demo = serve_demo(home);
    let script = format!("exec 2>&1\n{}", commands(&readme, heading));
    let output = Command::new("timeout")
        .args([SECONDS, "bash", "-c", &script])
        .current_dir(home)
        .env_remove("CHARTER_BASE_URL")
        .env_remove("CHARTER_ACCESS_KEY")
        .env_remove("CHARTER_SECRET_KEY")
        .output()
        .expect("bash runs");
    let whole = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{whole}");
    let mut rest = whole.as_str();
    for expected in shown {
        let (_, after) = rest
            .split_once(expected)
            .unwrap_or_else(|| panic!("no `{expected}` in\n{rest}\n\nall of it:\n{whole}"));
        rest = after;
    }
}

#[test]
fn five_minutes_go_as_the_readme_says() {
    follow("## Five minutes", &FIVE_MINUTES);
}

#[test]
fn from_zero_to_a_signed_request_goes_as_the_readme_says() {
    follow("## From zero to a signed request", &FROM_ZERO);
}
