//! Long work shows itself to a person at a terminal, and to nobody else.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use test_support::policy_solver::played;
use test_support::policy_world::whole_copy_of_shipped;
use test_support::process::Home;

use super::Installation;

/// `charter policy prove` with a solver that answers nothing before the file `go` is there.
fn proving(home: &Home, solver: &Path, more: &[&str]) -> Command {
    let solver = solver.join("cvc5").display().to_string();
    let arguments = ["policy", "prove", "--solver", &solver, "--timeout=600"];
    home.command(&[&arguments[..], more].concat())
}

/// The same command on a terminal of its own, which `script` copies to standard output.
fn on_a_terminal(command: &Command) -> Command {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words
        .map(|word| format!("'{}'", word.to_str().expect("text")))
        .collect();
    let mut script = Command::new("/usr/bin/script");
    let variables = command.get_envs();
    script
        .args(["-qefc", &words.join(" "), "/dev/null"])
        .env_clear()
        .envs(variables.filter_map(|(name, value)| Some((name, value?))))
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    script
}

fn waiting_solver() -> tempfile::TempDir {
    let (_, dir) = played("until [ -e \"$(dirname \"$0\")/go\" ]; do sleep 0.1; done; exit 3");
    dir
}

/// All that a command writes on a terminal, if it writes `shown` before its solver answers.
fn seen_at_a_terminal(command: &Command, solver: &Path, shown: &[&str]) -> String {
    let mut child = on_a_terminal(command).spawn().expect("script runs");
    let mut output = child.stdout.take().expect("its output");
    let (mut seen, mut bytes) = (String::new(), [0; 1024]);
    while !shown.iter().all(|part| seen.contains(part)) {
        let read = output.read(&mut bytes).expect("output");
        assert!(read > 0, "it ended: {seen}");
        seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    std::fs::write(solver.join("go"), "").expect("a file");
    output.read_to_string(&mut seen).expect("the rest");
    child.wait().expect("its end");
    seen
}

#[test]
fn a_proof_at_a_terminal_says_how_far_it_is() {
    let home = Home::new();
    let solver = waiting_solver();
    let command = proving(&home, solver.path(), &[]);
    let seen = seen_at_a_terminal(&command, solver.path(), &["proving, claims", " of "]);
    assert!(seen.contains("digest "), "the verdict follows: {seen}");
}

#[test]
fn a_check_at_a_terminal_shows_that_it_goes_on() {
    let installation = Installation::new();
    let solver = waiting_solver();
    let mut command = installation.home.command(&["check", &installation.config]);
    command
        .env("CHARTER__POLICIES__SOLVER", solver.path().join("cvc5"))
        .env("CHARTER__POLICIES__TESTS", "off");
    let shown = ["checking what a start needs"];
    let seen = seen_at_a_terminal(&command, solver.path(), &shown);
    assert!(seen.contains("settings   ok"), "the parts follow: {seen}");
}

#[test]
fn an_approval_at_a_terminal_says_how_far_its_comparison_is() {
    let folder = whole_copy_of_shipped();
    let home = Home::new()
        .with(
            "CHARTER__POLICIES__DIR",
            &folder.path().display().to_string(),
        )
        .with("CHARTER__POLICIES__PROOFS", "off")
        .with("CHARTER__POLICIES__TESTS", "off");
    let installation = Installation::in_home(home);
    installation.serve().stop();
    let more = "@id(\"more\")\nforbid (principal is User, action, resource) when { !principal.is_active };\n";
    std::fs::write(folder.path().join("more.cedar"), more).expect("a policy");
    let config = &*installation.config;
    let checked = installation
        .home
        .run(&["policy", "check", config, "--json"]);
    let checked: serde_json::Value = serde_json::from_str(&checked.success()).expect("JSON");
    let digest = checked["whole_folder"].as_str().expect("a digest");
    let approve = [
        "policy",
        "approve",
        digest,
        config,
        "--reason=more",
        "--by=ada",
        "--yes",
    ];
    let solver = waiting_solver();
    let mut command = installation.home.command(&approve);
    command.env("CHARTER__POLICIES__SOLVER", solver.path().join("cvc5"));
    let shown = ["comparing, kinds of request", " of "];
    let seen = seen_at_a_terminal(&command, solver.path(), &shown);
    assert!(seen.contains(&format!("approved {digest} as ")), "{seen}");
}

#[test]
fn a_proof_says_nothing_of_itself_to_a_program() {
    let home = Home::new();
    let (_, slow) = played("[ -e \"$0.slept\" ] || { touch \"$0.slept\"; sleep 2; }; exit 3");
    let piped = proving(&home, slow.path(), &[]).output();
    let piped = piped.expect("the binary runs");
    assert_eq!(String::from_utf8_lossy(&piped.stderr), "");
    let json = on_a_terminal(&proving(&home, slow.path(), &["--json"])).output();
    let json = String::from_utf8(json.expect("script runs").stdout).expect("text");
    serde_json::from_str::<serde_json::Value>(&json).expect("one document and nothing else");
}
